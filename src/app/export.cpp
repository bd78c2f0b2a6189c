#include <fmt/format.h>

#include "app/app.hpp"
#include "app/chosen_encoder.hpp"
#include "train/tensor_file.hpp"

namespace invaria::app {

ExitCode export_command(const EncoderOptions& options, const std::filesystem::path& output) {
  const ChosenEncoder chosen = choose_encoder(options);
  const model::BatchNormStatistics* statistics = chosen.statistics ? &*chosen.statistics : nullptr;
  const model::StateDict weights = chosen.encoder.plain_state(chosen.generated, statistics);
  const std::string architecture = config::name_of(chosen.plan.settings.model.backbone);
  std::map<std::string, std::string> header = chosen.provenance();
  header["format"] = "pt";
  header["architecture"] = architecture;
  if (weights.contains("reg_token")) header.try_emplace("reg_tokens", "1");  // the prompt: timm's argument of that name
  train::write_tensors(output, weights, header);
  fmt::print("{}: {} tensors under the names of {}, BatchNorm statistics {}\n", output.string(), weights.size(),
             architecture, header.at("bn_statistics"));
  return ExitCode::kOk;
}

}  // namespace invaria::app

#include "suite/begun_before.hpp"

#include "config/differences.hpp"
#include "core/errors.hpp"
#include "io/files.hpp"
#include "train/checkpoint.hpp"

namespace invaria::suite {
namespace {

namespace json = config::json;

/// Each on a line of its own.
std::string indented(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += "\n  " + line;
  return text;
}

}  // namespace

void refuse_changed_encoders(const Plan& plan, const std::filesystem::path& output) {
  for (const train::EncoderPlan& encoder : plan.encoders) {
    const train::CheckpointFolder folder(output, encoder.key());
    const auto found = folder.identity();
    if (!found || *found == encoder.identity) continue;
    throw_config(
        "encoder {}: {} was pretrained with other settings:{}\nGive the encoder another name, or the run another "
        "--output.",
        encoder.key(), folder.folder().string(), indented(config::differences(*found, encoder.identity)));
  }
}

void refuse_changed_sensitivity(const Suite& suite, const std::filesystem::path& output) {
  if (suite.sensitivity.data.empty()) return;
  const train::PretrainSettings& strengths = reference_encoder(suite).pretraining;
  json::object settings{{"sensitivity", config::write(suite.sensitivity)},
                        {"data", config::write(suite.dataset(suite.sensitivity.data).identity())},
                        {"augment", config::write(strengths.augment)},
                        {"seed", suite.seed}};
  if (augment::media_of(suite.axes) == config::Media::kSounds)
    settings["sound"] = config::write(strengths.sound.augment);
  const std::filesystem::path path = output / "sensitivity.json";
  if (!std::filesystem::exists(path)) {
    io::write_file_atomically(path, config::pretty(settings) + "\n");
    return;
  }
  const std::vector<std::string> found =
      config::differences(config::parse_text(io::read_file(path), path.string()), settings);
  if (found.empty()) return;
  throw_config(
      "{}: the sensitivity table was begun with other settings:{}\nSet them back, leave sensitivity.data empty, or "
      "give the run another --output.",
      path.string(), indented(found));
}

void refuse_changed_data(const Datasets& datasets, const std::vector<io::DataRecord>& earlier,
                         const std::filesystem::path& output) {
  for (const io::DataRecord& record : earlier) {
    const auto dataset = datasets.find(record.name);
    if (dataset == datasets.end()) continue;
    const std::vector<std::string> found = data::data_differences(record, dataset->second.record);
    if (found.empty()) continue;
    throw_config("data {}: not the data that {} was begun with:{}\nPut them back, or give the run another --output.",
                 record.name, output.string(), indented(found));
  }
}

}  // namespace invaria::suite

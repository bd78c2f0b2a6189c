#include <fmt/format.h>

#include <numeric>

#include "app/app.hpp"
#include "app/chosen_encoder.hpp"
#include "app/device.hpp"
#include "core/errors.hpp"
#include "downstream/features.hpp"
#include "downstream/task.hpp"
#include "io/hdf5.hpp"

namespace invaria::app {
namespace {

/// Pictures rendered and sent through the encoder at a time.
constexpr int64_t kBatch = 512;

at::Tensor features_of_split(const ChosenEncoder& chosen, const data::DataSplit& split) {
  const augment::ViewSettings views = chosen.plan.settings.views();
  std::vector<at::Tensor> parts;
  for (int64_t first = 0; first < split.n; first += kBatch) {
    std::vector<int64_t> indices(static_cast<size_t>(std::min(kBatch, split.n - first)));
    std::iota(indices.begin(), indices.end(), first);
    const at::Tensor images = downstream::render_clean(split, indices, views);
    parts.push_back(downstream::extract_features(chosen.encoder, chosen.generated, chosen.batch_norm(), images));
  }
  return parts.empty() ? at::empty({0, chosen.encoder.feature_dim()}) : at::cat(parts);
}

void write_split(hid_t file, const std::string& name, const data::DataSplit& split, const at::Tensor& features_BD) {
  const io::GroupHandle group = io::create_group(file, name);
  const at::Tensor doubles = features_BD.to(at::kDouble).contiguous();
  io::write_dataset(group.get(), "features",
                    std::span(doubles.const_data_ptr<double>(), static_cast<size_t>(doubles.numel())),
                    doubles.sizes().vec());
  io::write_dataset(group.get(), "names", std::span<const std::string>(split.names));
  if (!split.labels.empty()) {
    io::write_dataset(group.get(), "labels", std::span<const int64_t>(split.labels), {split.n});
  }
  if (!split.targets.empty()) {
    std::vector<double> targets;
    for (const std::vector<double>& row : split.targets) targets.insert(targets.end(), row.begin(), row.end());
    io::write_dataset(group.get(), "targets", std::span<const double>(targets),
                      {split.n, static_cast<int64_t>(split.targets.front().size())});
  }
  if (!split.sounds.empty())
    io::write_dataset(group.get(), "sounds", std::span<const int64_t>(split.sounds), {split.n});
  io::write_attribute(group.get(), "split_hash", split.hash);
}

}  // namespace

ExitCode features_command(const FeaturesOptions& options) {
  const ChosenEncoder chosen = choose_encoder(options.encoder, device_alone(options.device));
  const data::Dataset data = load_named_dataset(chosen, options.data, options.encoder.data_folders);
  std::vector<std::string> splits = options.splits;
  if (splits.empty()) {
    for (const auto& [name, split] : data.splits) splits.push_back(name);
  }
  io::FileHandle file = io::create_file(options.output);
  for (const auto& [key, text] : chosen.provenance()) io::write_attribute(file.get(), key, text);
  io::write_attribute(file.get(), "data", options.data);
  io::write_dataset(file.get(), "classes", std::span<const std::string>(data.classes));
  io::write_dataset(file.get(), "target_names", std::span<const std::string>(data.target_names));
  for (const std::string& name : splits) {
    const data::DataSplit& split = data.split(name);
    write_split(file.get(), name, split, features_of_split(chosen, split));
    fmt::print("{}: {} samples, {} features each\n", name, split.n, chosen.encoder.feature_dim());
  }
  io::publish_file(std::move(file), options.output);
  return ExitCode::kOk;
}

}  // namespace invaria::app

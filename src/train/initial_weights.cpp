#include "train/initial_weights.hpp"

#include "core/errors.hpp"
#include "io/files.hpp"
#include "model/weight_layouts.hpp"
#include "train/objective.hpp"
#include "train/tensor_file.hpp"

namespace invaria::train {
namespace {

/// @return the file's hash
std::string load_initial_weights(const PretrainSettings& settings, const model::Encoder& encoder) {
  const io::fs::path path = settings.init_from;
  if (!io::fs::exists(path)) throw_config("init_from: {}: no such file", path.string());
  const std::string hash = io::sha256_file(path);
  if (!settings.init_from_hash.empty() && settings.init_from_hash != hash) {
    throw_config("init_from: {} has the SHA-256 {}, expected {}; give init_from_hash the new one if this is meant",
                 path.string(), hash, settings.init_from_hash);
  }
  model::load_plain_weights(encoder, read_tensors(path), "init_from: " + path.string());
  return hash;
}

}  // namespace

model::Encoder starting_encoder(const EncoderPlan& plan) {
  const PretrainSettings& settings = plan.settings;
  const model::Encoder encoder = fresh_encoder(plan);
  if (!settings.init_from.empty()) load_initial_weights(settings, encoder);
  return encoder;
}

std::string check_initial_weights(const PretrainSettings& settings, const config::ViewShape& view) {
  model::EncoderSettings plain = settings.model;
  plain.conditioning = model::Conditioning::kNone;
  return load_initial_weights(settings, model::Encoder(plain, 0, 0, view));
}

}  // namespace invaria::train

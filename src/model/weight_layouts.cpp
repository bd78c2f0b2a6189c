#include "model/weight_layouts.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "core/errors.hpp"
#include "model/state.hpp"

namespace invaria::model {
namespace {

/// How one family of files names tensors.
struct WeightLayout {
  std::string_view prefix;                 ///< of the encoder's tensors
  std::vector<std::string_view> left_out;  ///< prefixes of tensors that belong to something else
};

/// The first whose prefix occurs. The plain one fits always.
const std::vector<WeightLayout>& weight_layouts() {
  static const std::vector<WeightLayout> layouts = {
      // facebookresearch/moco, main_moco.py under DistributedDataParallel; fc is the projector.
      {"module.encoder_q.", {"module.encoder_q.fc.", "module.encoder_k.", "module.queue"}},
      // facebookresearch/moco-v3: fc (ResNet) and head (ViT) are the projector.
      {"module.base_encoder.",
       {"module.base_encoder.fc.", "module.base_encoder.head.", "module.momentum_encoder.", "module.predictor."}},
      // torchvision and timm: fc and head are the classifier.
      {"", {"fc.", "head."}},
  };
  return layouts;
}

bool starts_with_any(std::string_view name, const std::vector<std::string_view>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

/// The tensors of the encoder, under the backbone's names.
StateDict without_prefix(const StateDict& file) {
  const auto fits = [&](const WeightLayout& layout) {
    return std::any_of(file.begin(), file.end(),
                       [&](const auto& entry) { return entry.first.starts_with(layout.prefix); });
  };
  const WeightLayout& layout = *std::find_if(weight_layouts().begin(), weight_layouts().end(), fits);
  StateDict plain;
  for (const auto& [name, tensor] : file) {
    if (starts_with_any(name, layout.left_out)) continue;
    // A tensor outside the prefix keeps its name, so that it is reported as unknown.
    plain[name.starts_with(layout.prefix) ? name.substr(layout.prefix.size()) : name] = tensor;
  }
  return plain;
}

}  // namespace

void load_plain_weights(const Encoder& encoder, const StateDict& file, const std::string& subject) {
  if (file.empty()) throw_config("{}: the file holds no tensors", subject);
  copy_state(without_prefix(file), encoder.backbone_state(), subject);
}

}  // namespace invaria::model

#include "model/weight_layouts.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "core/errors.hpp"
#include "model/state.hpp"
#include "model/vit_layout.hpp"

namespace invaria::model {
namespace {

/// How one family of files names tensors.
struct WeightLayout {
  std::string_view prefix;                 ///< of the encoder's tensors
  std::vector<std::string_view> left_out;  ///< prefixes of tensors that belong to something else
  int64_t heads_of_vit_small = 6;          ///< which no tensor's shape tells
};

/// The first whose prefix occurs. The plain one fits always.
const std::vector<WeightLayout>& weight_layouts() {
  static const std::vector<WeightLayout> layouts = {
      // facebookresearch/moco, main_moco.py under DistributedDataParallel; fc is the projector.
      {"module.encoder_q.", {"module.encoder_q.fc.", "module.encoder_k.", "module.queue"}},
      // facebookresearch/moco-v3: fc (ResNet) and head (ViT) are the projector.
      {"module.base_encoder.",
       {"module.base_encoder.fc.", "module.base_encoder.head.", "module.momentum_encoder.", "module.predictor."},
       12},
      // torchvision and timm: fc and head are the classifier.
      {"", {"fc.", "head."}},
  };
  return layouts;
}

bool starts_with_any(std::string_view name, const std::vector<std::string_view>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

const WeightLayout& layout_of(const StateDict& file) {
  const auto fits = [&](const WeightLayout& layout) {
    return std::any_of(file.begin(), file.end(),
                       [&](const auto& entry) { return entry.first.starts_with(layout.prefix); });
  };
  return *std::find_if(weight_layouts().begin(), weight_layouts().end(), fits);
}

/// The official MoCo-v3 ViT-S divides the same tensors into other heads than timm's. Settings that name a number of
/// heads are believed.
void check_heads(const WeightLayout& layout, const EncoderSettings& settings, const std::string& subject) {
  if (settings.backbone != Architecture::kVitSmall || settings.vit.heads > 0 || settings.vit.width > 0) return;
  const int64_t heads = vit_layout(settings, settings.vit.patch).heads;
  if (heads == layout.heads_of_vit_small) return;
  throw_config(
      "{}: weights of the official MoCo-v3 ViT-S, which has {} heads where {} has {}; set model.vit.heads to {}",
      subject, layout.heads_of_vit_small, config::name_of(settings.backbone), heads, layout.heads_of_vit_small);
}

/// The tensors of the encoder, under the backbone's names.
StateDict without_prefix(const StateDict& file, const WeightLayout& layout) {
  StateDict plain;
  for (const auto& [name, tensor] : file) {
    if (starts_with_any(name, layout.left_out)) continue;
    // A tensor outside the prefix keeps its name, so that it is reported as unknown.
    plain[name.starts_with(layout.prefix) ? name.substr(layout.prefix.size()) : name] = tensor;
  }
  return plain;
}

/// Counts of batches, which the files of early versions lack (torchvision's first ImageNet weights) and nothing here
/// reads: those that a file lacks stay as they are, as torch.nn.BatchNorm2d has it.
void add_counts_of_batches(const StateDict& own, StateDict& plain) {
  for (const auto& [name, tensor] : own) {
    if (name.ends_with(".num_batches_tracked")) plain.try_emplace(name, tensor.detach().clone());
  }
}

}  // namespace

void load_plain_weights(const Encoder& encoder, const StateDict& file, const std::string& subject) {
  if (file.empty()) throw_config("{}: the file holds no tensors", subject);
  const WeightLayout& layout = layout_of(file);
  check_heads(layout, encoder.settings(), subject);
  const StateDict own = encoder.backbone_state();
  StateDict plain = without_prefix(file, layout);
  add_counts_of_batches(own, plain);
  copy_state(plain, own, subject);
}

}  // namespace invaria::model

#include "model/encoder_settings.hpp"

#include <fmt/format.h>

#include "model/vit_layout.hpp"

namespace invaria::model {
namespace {

void validate_vit(const EncoderSettings& settings, const std::string& path, config::Problems& problems) {
  const VitLayout layout = vit_layout(settings, settings.vit.patch);
  const std::string at = config::join_path(path, "vit");
  if (layout.width % layout.heads != 0) {
    problems.add(config::join_path(at, settings.vit.heads > 0 ? "heads" : "width"),
                 fmt::format("{} heads for a width of {}", layout.heads, layout.width),
                 "a width that the heads divide");
  }
  if (settings.vit.positions == Positions::kSinCos && layout.width % 4 != 0) {
    problems.add(config::join_path(at, "width"), fmt::format("{}", layout.width),
                 "a multiple of 4 with sincos positions", "or learned positions");
  }
}

}  // namespace

void EncoderSettings::validate(const std::string& path, config::Problems& problems) const {
  if (is_vit()) {
    validate_vit(*this, path, problems);
  } else if (stem == Stem::kImagenet && stem_stride != 2) {
    problems.add(config::join_path(path, "stem_stride"), fmt::format("{}", stem_stride), "2 with the imagenet stem",
                 "leave it out, or use the cifar stem");
  }
  const bool fits = is_vit() ? conditioning != Conditioning::kHypernetwork : conditioning != Conditioning::kPrompt;
  if (!fits) {
    problems.add(config::join_path(path, "conditioning"), config::name_of(conditioning),
                 fmt::format("none, {} or film with the backbone {}", is_vit() ? "prompt" : "hypernetwork",
                             config::name_of(backbone)),
                 is_vit() ? "a hypernetwork generates a ResNet's kernels" : "a prompt is one more token of a ViT");
  }
}

void EncoderSettings::validate_image_size(int64_t image_size, const std::string& path,
                                          config::Problems& problems) const {
  if (!is_vit() || image_size % vit.patch == 0) return;
  problems.add(path, fmt::format("{}", image_size), fmt::format("a multiple of the ViT's patch, {}", vit.patch));
}

}  // namespace invaria::model

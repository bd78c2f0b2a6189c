#include "model/vit_layout.hpp"

#include "model/encoder_settings.hpp"

namespace invaria::model {

VitLayout vit_layout(const EncoderSettings& settings, int64_t image_size) {
  const auto own_heads = [&]() -> int64_t {
    switch (settings.backbone) {
      case Architecture::kVitTiny:
        return 3;
      case Architecture::kVitSmall:
        return 6;
      default:
        return 12;
    }
  }();
  const VitSettings& vit = settings.vit;
  return {.patch = vit.patch,
          .grid = image_size / vit.patch,
          .width = vit.width > 0 ? vit.width : 64 * own_heads,
          .depth = vit.depth > 0 ? vit.depth : 12,
          .heads = vit.heads > 0 ? vit.heads : own_heads};
}

}  // namespace invaria::model

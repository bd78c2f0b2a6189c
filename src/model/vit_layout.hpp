#pragma once
/// @file
/// The shape of a vision transformer (arXiv:2010.11929): timm's vit_*_patch16, or what the settings make of it.

#include <cstdint>

namespace invaria::model {

struct EncoderSettings;

struct VitLayout {
  int64_t patch = 0;
  int64_t grid = 0;   ///< patches a side
  int64_t width = 0;  ///< D
  int64_t depth = 0;
  int64_t heads = 0;

  int64_t n_patches() const { return grid * grid; }
  int64_t hidden() const { return 4 * width; }  ///< of the MLPs
};

VitLayout vit_layout(const EncoderSettings& settings, int64_t image_size);

}  // namespace invaria::model

#pragma once
/// @file
/// Image operations that no pretraining applies, only the measuring of invariance: torchvision 0.26's
/// transforms.v2.functional on float images.
///
/// Shape legend: B = images, 3 = R, G, B in [0, 1], H, W = height, width.

#include <ATen/core/Tensor.h>

namespace invaria::augment {

/// An affine map of the plane about the image's centre: sheared, scaled, turned, then moved.
struct Affine {
  double angle = 0.0;        ///< degrees, clockwise
  double translate_x = 0.0;  ///< pixels to the right
  double translate_y = 0.0;  ///< pixels down
  double scale = 1.0;        ///< above 0
  double shear_x = 0.0;      ///< degrees
};

/// affine() with bilinear interpolation, all images alike; what comes from outside the image is 0.
/// @return [B, 3, H, W] @throws PreconditionError if a shape disagrees or the scale is not above 0
at::Tensor affine(const at::Tensor& images_BCHW, const Affine& map);

/// adjust_sharpness: factor x + (1 - factor) smoothed, clamped to [0, 1]; the outermost pixels stay as they are.
/// @return [B, 3, H, W] @throws PreconditionError if a shape disagrees
at::Tensor adjust_sharpness(const at::Tensor& images_BCHW, double factor);

}  // namespace invaria::augment

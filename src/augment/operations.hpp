#pragma once
/// @file
/// Each image operation alone, on a float or double batch and explicit parameters per image: plain tensor expressions
/// with the results of torchvision 0.26's transforms.v2.functional (float32, antialias=True). The slow, obvious oracle
/// of render.hpp.
///
/// Shape legend: B = images, 3 = R, G, B in [0, 1], H, W = height, width, S = side of a view. Parameters `..._B` are
/// one per image. All throw PreconditionError if a shape disagrees.

#include <ATen/core/Tensor.h>

#include <span>

#include "augment/render.hpp"

namespace invaria::augment {

/// The batch as float [B, 3, H, W] in [0, 1]: values / 255.
at::Tensor to_float(const ImageBatch& images);

/// resized_crop: the box of each image, resized to S x S. One box an image, inside it. @return [B, 3, S, S]
at::Tensor resized_crop(const at::Tensor& images_BCHW, std::span<const Box> boxes, int64_t view_size);

/// resize(S) of the box's shorter side, then center_crop(S). @return [B, 3, S, S]
at::Tensor resized_centre(const at::Tensor& images_BCHW, std::span<const Box> boxes, int64_t view_size);

/// horizontal_flip where `flip_B` (bool) is true.
at::Tensor horizontal_flip(const at::Tensor& images_BCHW, const at::Tensor& flip_B);

/// rgb_to_grayscale with three equal channels, where `gray_B` (bool) is true: 0.2989 R + 0.587 G + 0.114 B.
at::Tensor grayscale(const at::Tensor& images_BCHW, const at::Tensor& gray_B);

/// adjust_brightness: x factor, clamped to [0, 1].
at::Tensor adjust_brightness(const at::Tensor& images_BCHW, const at::Tensor& factor_B);

/// adjust_contrast: factor x + (1 - factor) m, clamped, with m the mean of the grayscale image.
at::Tensor adjust_contrast(const at::Tensor& images_BCHW, const at::Tensor& factor_B);

/// adjust_saturation: factor x + (1 - factor) grayscale(x), clamped.
at::Tensor adjust_saturation(const at::Tensor& images_BCHW, const at::Tensor& factor_B);

/// adjust_hue: to HSV, hue turned by a fraction of a circle, and back.
at::Tensor adjust_hue(const at::Tensor& images_BCHW, const at::Tensor& turn_B);

/// gaussian_blur with a kernel of `kernel` x `kernel` (odd) and reflected borders; sigma 0 leaves an image alone. Where
/// the border is wider than the image (torchvision refuses), the reflection is repeated.
at::Tensor gaussian_blur(const at::Tensor& images_BCHW, int64_t kernel, const at::Tensor& sigma_B);

/// solarize where `solarize_B` (bool) is true: x >= threshold becomes 1 - x.
at::Tensor solarize(const at::Tensor& images_BCHW, double threshold, const at::Tensor& solarize_B);

/// normalize: (x - mean) / std per channel.
at::Tensor normalise(const at::Tensor& images_BCHW, const std::vector<double>& mean, const std::vector<double>& std);

/// What render_views() computes, one image and one operation after the other, in double: torchvision's own float32
/// resize errs by up to 1.5e-5 from 500 to 224 pixels. @return float32 [B, 3, S, S]
at::Tensor render_views_slowly(const ImageBatch& images, std::span<const ViewParameters> parameters, int64_t view_size,
                               const AugmentSettings& settings);

}  // namespace invaria::augment

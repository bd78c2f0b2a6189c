#pragma once
/// @file
/// A decoded picture of any shape to the suite's square, antialiased.
///
/// The triangle filter of core/resample.hpp, columns then rows, accumulated in float and rounded once, half away from
/// zero: within one grey level of torchvision's resize(antialias=True) of uint8, whose weights are fixed-point.

#include <cstdint>
#include <span>

#include "core/pixel_map.hpp"
#include "data/settings.hpp"
#include "io/image.hpp"

namespace invaria::data {

/// Where the stored picture lands: the whole picture resized to `width` x `height`, then a square of `size` cut at
/// (`left`, `top`).
struct Framing {
  int64_t width = 0;
  int64_t height = 0;
  int64_t left = 0;
  int64_t top = 0;
  double scale_x = 1.0;  ///< width over the stored width
  double scale_y = 1.0;

  /// From the stored picture to the square.
  PixelMap map() const { return {scale_x, -static_cast<double>(left), scale_y, -static_cast<double>(top)}; }
};

/// kWholeFrame: width = height = size. kShortSideCrop: the short side becomes `size`, the long one int(size long /
/// short), and the crop begins at (side - size) / 2 rounded half to even (torchvision's Resize(size) and
/// CenterCrop(size)). kCentreCrop: the same with a short side of 8/7 `size` (Resize(256) and CenterCrop(224)).
Framing framing(int64_t height, int64_t width, int64_t size, ResizeMode mode);

/// Resize into `out`, [size, size, 3] uint8. @throws PreconditionError if `out` has another length
Framing resize_into(const io::Image& image, int64_t size, ResizeMode mode, std::span<uint8_t> out);

}  // namespace invaria::data

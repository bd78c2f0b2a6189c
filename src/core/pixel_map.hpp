#pragma once
/// @file
/// Where the points of a picture lie in one that was made from it by resizing, cropping and mirroring.
///
/// Coordinates are continuous: the picture reaches from 0 to its width, pixel n from n to n + 1. They grow with the
/// size, as in torchvision's resize of key points.

namespace invaria {

/// Each coordinate times a scale, plus a shift.
struct PixelMap {
  double scale_x = 1.0;  ///< negative: mirrored
  double shift_x = 0.0;
  double scale_y = 1.0;
  double shift_y = 0.0;

  double x(double at) const { return at * scale_x + shift_x; }
  double y(double at) const { return at * scale_y + shift_y; }
  bool is_mirrored() const { return scale_x < 0.0; }

  /// First this map, then `next`.
  PixelMap then(const PixelMap& next) const {
    return {scale_x * next.scale_x, next.x(shift_x), scale_y * next.scale_y, next.y(shift_y)};
  }
};

}  // namespace invaria

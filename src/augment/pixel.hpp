#pragma once
/// @file
/// The arithmetic of one pixel, for the kernels of the CPU and of CUDA alike. Colours are in [0, 1].

#include <cmath>

#include "core/host_device.hpp"

namespace invaria::augment::pixel {

// As std::min and std::max, which a device does not have.
INVARIA_HOST_DEVICE float least(float a, float b) {
  return b < a ? b : a;
}
INVARIA_HOST_DEVICE float greatest(float a, float b) {
  return a < b ? b : a;
}

INVARIA_HOST_DEVICE float luminance(float red, float green, float blue) {
  return 0.2989f * red + 0.587f * green + 0.114f * blue;
}

INVARIA_HOST_DEVICE float clamp01(float x) {
  return least(greatest(x, 0.0f), 1.0f);
}

/// One colour of HSV -> RGB without branches: value (1 - saturation max(0, min(k, 4 - k, 1))), k = (offset + hue) mod
/// 6, or, the same, value (1 - saturation clamp(2 - d)) with d the distance of offset + hue from 2 on a circle of 6.
/// @param hue in [-4, 8]
INVARIA_HOST_DEVICE float hsv_channel(float offset, float hue, float saturation, float value) {
  const float along = std::fabs(hue + offset - 2.0f);  // in [0, 11]
  const float once_round = least(along, 12.0f - along);
  const float distance = least(once_round, 6.0f - once_round);
  return value - value * saturation * clamp01(2.0f - distance);
}

/// @param turn6  six times the turn of the hue, of a circle
INVARIA_HOST_DEVICE void turn_hue(float& red, float& green, float& blue, float turn6) {
  constexpr float kTiny = 1e-30f;  // instead of dividing by 0
  const float value = greatest(greatest(red, green), blue);
  const float range = value - least(least(red, green), blue);
  // A gray pixel (range 0) has no hue; its saturation is 0 whatever the hue.
  const float saturation = range / greatest(value, kTiny);
  const float per_range = 1.0f / greatest(range, kTiny);
  const float from_red = (green - blue) * per_range;
  const float from_green = 2.0f + (blue - red) * per_range;
  const float from_blue = 4.0f + (red - green) * per_range;
  const float hue = (value == red ? from_red : value == green ? from_green : from_blue) + turn6;
  red = hsv_channel(5.0f, hue, saturation, value);
  green = hsv_channel(3.0f, hue, saturation, value);
  blue = hsv_channel(1.0f, hue, saturation, value);
}

/// x <- clamp(factor x + (1 - factor) grayscale)
INVARIA_HOST_DEVICE void saturate(float& red, float& green, float& blue, float factor) {
  const float offset = (1.0f - factor) * luminance(red, green, blue);
  red = clamp01(red * factor + offset);
  green = clamp01(green * factor + offset);
  blue = clamp01(blue * factor + offset);
}

INVARIA_HOST_DEVICE float solarized(float x, float threshold) {
  return x >= threshold ? 1.0f - x : x;
}

}  // namespace invaria::augment::pixel

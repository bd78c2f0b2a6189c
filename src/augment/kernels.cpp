#include "augment/kernels.hpp"

#include <algorithm>
#include <array>

// Baseline, AVX2 and AVX-512 versions of each loop in one portable binary; the loader picks one (an ifunc of the C
// library).
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define INVARIA_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define INVARIA_CLONES
#endif
#define INVARIA_INLINE inline __attribute__((always_inline))

namespace invaria::augment::kernels {
namespace {

constexpr int64_t kLanes = 16;  // partial sums of a mean: independent, so that they fit in vector registers
constexpr int64_t kTile = 16;   // rows that transpose() reads side by side

INVARIA_INLINE float luminance(float red, float green, float blue) {
  return 0.2989f * red + 0.587f * green + 0.114f * blue;
}

INVARIA_INLINE float clamp01(float x) {
  return std::min(std::max(x, 0.0f), 1.0f);
}

/// One colour of HSV -> RGB without branches: value (1 - saturation max(0, min(k, 4 - k, 1))), k = (offset + hue) mod
/// 6, hue in [0, 6).
INVARIA_INLINE float hsv_channel(float offset, float hue, float saturation, float value) {
  const float k = hue + offset;
  const float folded = k - 6.0f;
  const float sector = k >= 6.0f ? folded : k;
  const float ramp = std::max(std::min(std::min(sector, 4.0f - sector), 1.0f), 0.0f);
  return clamp01(value - value * saturation * ramp);
}

template <class T>
INVARIA_INLINE void blend_rows_impl(const T* __restrict rows, int64_t stride, const float* __restrict weights,
                                    int64_t taps, int64_t n, float* __restrict out) {
  const float first = weights[0];
  for (int64_t i = 0; i < n; ++i) out[i] = first * static_cast<float>(rows[i]);
  for (int64_t tap = 1; tap < taps; ++tap) {
    const T* __restrict row = rows + tap * stride;
    const float weight = weights[tap];
    for (int64_t i = 0; i < n; ++i) out[i] += weight * static_cast<float>(row[i]);
  }
}

INVARIA_INLINE float mean_luminance(const Planes& planes) {
  std::array<float, kLanes> partial{};
  const int64_t whole = planes.n / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      partial[lane] += luminance(planes.red[i + lane], planes.green[i + lane], planes.blue[i + lane]);
    }
  }
  double total = 0.0;
  for (const float sum : partial) total += sum;
  for (int64_t i = whole; i < planes.n; ++i) total += luminance(planes.red[i], planes.green[i], planes.blue[i]);
  return static_cast<float>(total / static_cast<double>(planes.n));
}

}  // namespace

INVARIA_CLONES void blend_rows(const uint8_t* rows, int64_t stride, const float* weights, int64_t taps, int64_t n,
                               float* out) {
  blend_rows_impl(rows, stride, weights, taps, n, out);
}

INVARIA_CLONES void blend_rows(const float* rows, int64_t stride, const float* weights, int64_t taps, int64_t n,
                               float* out) {
  blend_rows_impl(rows, stride, weights, taps, n, out);
}

INVARIA_CLONES void scale(const Planes& planes, float factor) {
  for (float* plane : {planes.red, planes.green, planes.blue}) {
    const int64_t n = planes.n;
    for (int64_t i = 0; i < n; ++i) plane[i] = clamp01(plane[i] * factor);
  }
}

INVARIA_CLONES void contrast(const Planes& planes, float factor) {
  const float offset = (1.0f - factor) * mean_luminance(planes);
  const int64_t n = planes.n;
  for (float* plane : {planes.red, planes.green, planes.blue}) {
    for (int64_t i = 0; i < n; ++i) plane[i] = clamp01(plane[i] * factor + offset);
  }
}

INVARIA_CLONES void saturate(const Planes& planes, float factor) {
  float* __restrict red = planes.red;
  float* __restrict green = planes.green;
  float* __restrict blue = planes.blue;
  const int64_t n = planes.n;
  for (int64_t i = 0; i < n; ++i) {
    const float offset = (1.0f - factor) * luminance(red[i], green[i], blue[i]);
    red[i] = clamp01(red[i] * factor + offset);
    green[i] = clamp01(green[i] * factor + offset);
    blue[i] = clamp01(blue[i] * factor + offset);
  }
}

INVARIA_CLONES void turn_hue(const Planes& planes, float turn) {
  float* __restrict red = planes.red;
  float* __restrict green = planes.green;
  float* __restrict blue = planes.blue;
  const int64_t n = planes.n;
  const float turn6 = 6.0f * turn;
  for (int64_t i = 0; i < n; ++i) {
    const float r = red[i];
    const float g = green[i];
    const float b = blue[i];
    const float value = std::max(std::max(r, g), b);
    const float range = value - std::min(std::min(r, g), b);
    // A gray pixel (range 0) has no hue; dividing by 1 instead makes its saturation 0 whatever the hue.
    const float saturation = range / (range == 0.0f ? 1.0f : value);
    const float per_range = 1.0f / (range == 0.0f ? 1.0f : range);
    const float from_red = (g - b) * per_range;
    const float from_green = 2.0f + (b - r) * per_range;
    const float from_blue = 4.0f + (r - g) * per_range;
    const float not_red = value == g ? from_green : from_blue;
    const float hue = (value == r ? from_red : not_red) + turn6;  // in [-4, 8]
    const float above = hue - 6.0f;
    const float below = hue + 6.0f;
    const float high = hue >= 6.0f ? above : hue;
    const float turned = hue < 0.0f ? below : high;  // in [0, 6]
    red[i] = hsv_channel(5.0f, turned, saturation, value);
    green[i] = hsv_channel(3.0f, turned, saturation, value);
    blue[i] = hsv_channel(1.0f, turned, saturation, value);
  }
}

INVARIA_CLONES void gray(const Planes& planes) {
  float* __restrict red = planes.red;
  float* __restrict green = planes.green;
  float* __restrict blue = planes.blue;
  const int64_t n = planes.n;
  for (int64_t i = 0; i < n; ++i) {
    const float value = luminance(red[i], green[i], blue[i]);
    red[i] = value;
    green[i] = value;
    blue[i] = value;
  }
}

INVARIA_CLONES void solarize(const Planes& planes, float threshold) {
  const int64_t n = planes.n;
  for (float* plane : {planes.red, planes.green, planes.blue}) {
    for (int64_t i = 0; i < n; ++i) {
      const float inverted = 1.0f - plane[i];
      plane[i] = plane[i] >= threshold ? inverted : plane[i];
    }
  }
}

INVARIA_CLONES void transpose(const float* in, int64_t rows, int64_t columns, int64_t in_stride, float factor,
                              float offset, float* out, int64_t out_stride) {
  for (int64_t top = 0; top < rows; top += kTile) {
    const int64_t bottom = std::min(top + kTile, rows);
    for (int64_t c = 0; c < columns; ++c) {
      for (int64_t r = top; r < bottom; ++r) out[c * out_stride + r] = in[r * in_stride + c] * factor + offset;
    }
  }
}

}  // namespace invaria::augment::kernels

#include "augment/kernels.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "augment/pixel.hpp"
#include "core/vector_clones.hpp"

// Compiled with -fno-trapping-math: else branches are kept for the sake of floating-point traps, and the loops stay
// scalar.

namespace invaria::augment::kernels {
namespace {

using pixel::clamp01;
using pixel::luminance;

constexpr int64_t kLanes = 16;  // partial sums of a mean: independent, so that they fit in vector registers
constexpr int64_t kTile = 8;    // side of the squares that transpose() turns
constexpr int64_t kChunk = 32;  // neighbouring sums of a blend
static_assert(kBlockRows <= kChunk);

/// One chunk of `size` values, a constant once inlined: its sums stay in registers over the taps.
template <class T>
INVARIA_INLINE void blend_chunk(const T* rows, int64_t stride, const float* weights, int64_t taps, int64_t size,
                                float* out) {
  std::array<float, kChunk> sums;
  for (int64_t i = 0; i < size; ++i) sums[i] = weights[0] * static_cast<float>(rows[i]);
  for (int64_t tap = 1; tap < taps; ++tap) {
    for (int64_t i = 0; i < size; ++i) sums[i] += weights[tap] * static_cast<float>(rows[tap * stride + i]);
  }
  for (int64_t i = 0; i < size; ++i) out[i] = sums[i];
}

template <class T>
INVARIA_INLINE void blend_rows_impl(const T* rows, int64_t stride, const float* weights, int64_t taps, int64_t n,
                                    float* out) {
  const int64_t whole = n / kChunk * kChunk;
  for (int64_t i = 0; i < whole; i += kChunk) blend_chunk(rows + i, stride, weights, taps, kChunk, out + i);
  if (whole < n) blend_chunk(rows + whole, stride, weights, taps, n - whole, out + whole);
}

/// A tile of kTile x kTile, transposed by exchanging neighbouring values, then neighbouring pairs, then halves.
INVARIA_INLINE void transpose_tile(const float* in, int64_t in_stride, float factor, float offset, float* out,
                                   int64_t out_stride) {
  typedef float Vector __attribute__((vector_size(kTile * sizeof(float))));
  Vector rows[kTile], pairs[kTile], fours[kTile];  // in registers, once the loops are unrolled
#pragma GCC unroll 8
  for (int64_t r = 0; r < kTile; ++r) std::memcpy(&rows[r], in + r * in_stride, sizeof rows[r]);
#pragma GCC unroll 8
  for (int64_t r = 0; r < kTile; r += 2) {
    pairs[r] = __builtin_shufflevector(rows[r], rows[r + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    pairs[r + 1] = __builtin_shufflevector(rows[r], rows[r + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
#pragma GCC unroll 8
  for (int64_t r = 0; r < kTile; r += 4) {
#pragma GCC unroll 2
    for (int64_t n = 0; n < 2; ++n) {
      fours[r + n] = __builtin_shufflevector(pairs[r + n], pairs[r + n + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      fours[r + n + 2] = __builtin_shufflevector(pairs[r + n], pairs[r + n + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  }
#pragma GCC unroll 8
  for (int64_t r = 0; r < 4; ++r) {
    const Vector low = __builtin_shufflevector(fours[r], fours[r + 4], 0, 1, 2, 3, 8, 9, 10, 11) * factor + offset;
    const Vector high = __builtin_shufflevector(fours[r], fours[r + 4], 4, 5, 6, 7, 12, 13, 14, 15) * factor + offset;
    std::memcpy(out + r * out_stride, &low, sizeof low);
    std::memcpy(out + (r + 4) * out_stride, &high, sizeof high);
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

INVARIA_CLONES void blend_columns(const float* columns, const ColumnWindows& windows, int64_t n_out, int64_t rows,
                                  float* out, int64_t out_column, int64_t out_plane) {
  constexpr int64_t kChannels = 3, kStride = kChannels * kBlockRows;
  for (int64_t x = 0; x < n_out; ++x) {
    const float* source = columns + (windows.first[x] - windows.origin) * kStride;
    const float* weights = windows.weights + x * windows.taps;
    for (int64_t channel = 0; channel < kChannels; ++channel) {
      const float* of_channel = source + channel * kBlockRows;
      float* to = out + x * out_column + channel * out_plane;
      if (rows == kBlockRows)
        blend_chunk(of_channel, kStride, weights, windows.count[x], kBlockRows, to);
      else
        blend_chunk(of_channel, kStride, weights, windows.count[x], rows, to);
    }
  }
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
  for (int64_t i = 0; i < n; ++i) pixel::saturate(red[i], green[i], blue[i], factor);
}

INVARIA_CLONES void turn_hue(const Planes& planes, float turn) {
  float* __restrict red = planes.red;
  float* __restrict green = planes.green;
  float* __restrict blue = planes.blue;
  const int64_t n = planes.n;
  const float turn6 = 6.0f * turn;
  for (int64_t i = 0; i < n; ++i) pixel::turn_hue(red[i], green[i], blue[i], turn6);
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
    for (int64_t i = 0; i < n; ++i) plane[i] = pixel::solarized(plane[i], threshold);
  }
}

INVARIA_CLONES void transpose(const float* in, int64_t rows, int64_t columns, int64_t in_stride, float factor,
                              float offset, float* out, int64_t out_stride) {
  const int64_t tiled_rows = rows / kTile * kTile;
  const int64_t tiled_columns = columns / kTile * kTile;
  for (int64_t c = 0; c < tiled_columns; c += 2 * kTile) {
    for (int64_t r = 0; r < tiled_rows; r += kTile) {
      transpose_tile(in + r * in_stride + c, in_stride, factor, offset, out + c * out_stride + r, out_stride);
      if (c + kTile < tiled_columns)
        transpose_tile(in + r * in_stride + c + kTile, in_stride, factor, offset, out + (c + kTile) * out_stride + r,
                       out_stride);
    }
  }
  for (int64_t c = 0; c < columns; ++c) {
    const int64_t first = c < tiled_columns ? tiled_rows : 0;
    for (int64_t r = first; r < rows; ++r) out[c * out_stride + r] = in[r * in_stride + c] * factor + offset;
  }
}

}  // namespace invaria::augment::kernels

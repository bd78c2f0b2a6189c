#pragma once
/// @file
/// The inner loops of render.cpp: plain C++ that the compiler vectorises, compiled for several instruction sets and
/// chosen at load time.
///
/// A view in the making is three planes of n = S * S floats in [0, 1], stored column by column: plane[x * S + y]. The
/// resampling ends in this order without gathers, every other operation is indifferent to it, and the final
/// normalisation turns it back.

#include <cstdint>

namespace invaria::augment::kernels {

/// The three planes of a view, n floats each.
struct Planes {
  float* red;
  float* green;
  float* blue;
  int64_t n;
};

/// out[i] = sum over taps t of weights[t] * row_t[i], rows being `stride` apart. @param n values a row
void blend_rows(const uint8_t* rows, int64_t stride, const float* weights, int64_t taps, int64_t n, float* out);
void blend_rows(const float* rows, int64_t stride, const float* weights, int64_t taps, int64_t n, float* out);

/// Rows of a view that are resampled at a time: the block's columns stay in cache.
inline constexpr int64_t kBlockRows = 32;

/// Of each output column: the first input column that it sees, how many, and their weights, `taps` apart.
struct ColumnWindows {
  const int32_t* first;
  const int32_t* count;
  const float* weights;
  int64_t taps;
  int64_t origin;  ///< the input column that comes first in memory
};

/// The horizontal pass over a block: output column x of each of three channels is the sum of weighted input columns.
/// @param columns     [input column, channel, kBlockRows], of which `rows` count
/// @param out_column  from a column to the next, negative for a mirrored view
/// @param out_plane   from a channel to the next
void blend_columns(const float* columns, const ColumnWindows& windows, int64_t n_out, int64_t rows, float* out,
                   int64_t out_column, int64_t out_plane);

/// x <- clamp(factor x)
void scale(const Planes& planes, float factor);
/// x <- clamp(factor x + (1 - factor) mean of the grayscale image)
void contrast(const Planes& planes, float factor);
/// x <- clamp(factor x + (1 - factor) grayscale)
void saturate(const Planes& planes, float factor);
/// Turn the hue by `turn` in [-0.5, 0.5] of a circle.
void turn_hue(const Planes& planes, float turn);
/// All three planes become the grayscale image.
void gray(const Planes& planes);
/// x >= threshold -> 1 - x
void solarize(const Planes& planes, float threshold);
/// out[c * out_stride + r] = in[r * in_stride + c] * factor + offset for r < rows, c < columns. The two must not
/// overlap.
void transpose(const float* in, int64_t rows, int64_t columns, int64_t in_stride, float factor, float offset,
               float* out, int64_t out_stride);

}  // namespace invaria::augment::kernels

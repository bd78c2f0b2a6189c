#pragma once
/// @file
/// One axis of an antialiased bilinear resize: the triangle filter of torch.nn.functional.interpolate(mode="bilinear",
/// antialias=True) and of Pillow's BILINEAR. Data uses it to decode to the suite's size, augment for crops.

#include <cstdint>
#include <vector>

namespace invaria {

/// For each output position the window of input positions and their weights, which sum to 1.
struct ResampleAxis {
  std::vector<int32_t> first;  ///< [out] first input position of the window
  std::vector<int32_t> count;  ///< [out] its length, at most `taps`
  std::vector<float> weights;  ///< [out, taps] row-major, zero beyond `count`
  int32_t taps = 0;
};

/// Weights that resize `in_size` positions to `out_size`.
///
/// With scale = in / out: support = max(scale, 1); output o has its centre at scale (o + 1/2); input j weighs
/// max(0, 1 - |(j - centre + 1/2) / max(scale, 1)|), normalised over the window
/// [int(centre - support + 1/2), int(centre + support + 1/2)) clipped to the input (ATen, UpSampleKernel.cpp).
ResampleAxis resample_axis(int64_t in_size, int64_t out_size);

/// The `n` output positions from `begin` on alone.
ResampleAxis resample_axis(int64_t in_size, int64_t out_size, int64_t begin, int64_t n);

}  // namespace invaria

#pragma once
/// @file
/// What this machine can do at most, by short probes.

#include <string>

#include "bench/stage.hpp"

namespace invaria::bench {

/// Of as many threads as LibTorch is set to.
struct MachinePeaks {
  double flops_per_s = 0.0;  ///< of a product of two 1,024 x 1,024 matrices of floats, the best of several
  double bytes_per_s =
      0.0;  ///< of a = b + s c over 64 MB each (STREAM's triad: 3 reads or writes), the best of several
  double bfloat16_flops_per_s = 0.0;  ///< as flops_per_s, of bfloat16 with sums in float
};
MachinePeaks measure_peaks();
/// In a sentence: "59.1 GFLOP/s of float matrix products, ..."
std::string text_of(const MachinePeaks& peaks);

/// What a run takes at least: its arithmetic at the peak, or its bytes, whichever is longer.
struct Limit {
  double seconds = 0.0;
  bool is_memory = false;  ///< bandwidth, not arithmetic
};
Limit limit_of(const Work& work, const MachinePeaks& peaks);

}  // namespace invaria::bench

#pragma once
/// @file
/// What this machine can do at most, by short probes.

#include "bench/stage.hpp"

namespace invaria::bench {

/// Of as many threads as LibTorch is set to.
struct MachinePeaks {
  double flops_per_s = 0.0;  ///< of a product of two 1,024 x 1,024 matrices of floats, the best of several
  double bytes_per_s =
      0.0;  ///< of a = b + s c over 64 MB each (STREAM's triad: 3 reads or writes), the best of several
};
MachinePeaks measure_peaks();

/// What a run takes at least: its arithmetic at the peak, or its bytes, whichever is longer.
struct Limit {
  double seconds = 0.0;
  bool is_memory = false;  ///< bandwidth, not arithmetic
};
Limit limit_of(const Work& work, const MachinePeaks& peaks);

}  // namespace invaria::bench

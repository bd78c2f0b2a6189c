#pragma once
/// @file
/// What this machine can do at most, by short probes.

#include <c10/core/Device.h>

#include <string>

#include "bench/stage.hpp"

namespace invaria::bench {

/// Of a GPU, or of the CPU with as many threads as LibTorch is set to.
struct MachinePeaks {
  double flops_per_s = 0.0;  ///< of a product of two large matrices of floats, the best of several
  double bytes_per_s = 0.0;  ///< of a = b + s c over large arrays (STREAM's triad: 3 reads or writes), likewise
  double bfloat16_flops_per_s = 0.0;  ///< as flops_per_s, of bfloat16 with sums in float
};
MachinePeaks measure_peaks(c10::Device device = c10::kCPU);
/// Wait until a GPU has done what it was asked to; the CPU always has.
void wait_for(c10::Device device);
/// In a sentence: "59.1 GFLOP/s of float matrix products, ..."
std::string text_of(const MachinePeaks& peaks);

/// What a run takes at least: its arithmetic at the peak, or its bytes, whichever is longer.
struct Limit {
  double seconds = 0.0;
  bool is_memory = false;  ///< bandwidth, not arithmetic
};
Limit limit_of(const Work& work, const MachinePeaks& peaks);

}  // namespace invaria::bench

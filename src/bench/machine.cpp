#include "bench/machine.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/timer.hpp"

namespace invaria::bench {
namespace {

constexpr int kTries = 7;

/// The best of several, in seconds.
double shortest(const std::function<void()>& run) {
  run();
  double best = 1e300;
  for (int n = 0; n < kTries; ++n) {
    const Timer timer;
    run();
    best = std::min(best, timer.seconds());
  }
  return best;
}

}  // namespace

MachinePeaks measure_peaks() {
  constexpr int64_t kSide = 1024;
  const at::Tensor a = at::rand({kSide, kSide}), b = at::rand({kSide, kSide});
  at::Tensor c = at::empty({kSide, kSide});
  const double product_s = shortest([&] { at::mm_out(c, a, b); });

  constexpr int64_t kFloats = int64_t{16} << 20;
  const at::Tensor x = at::rand({kFloats}), y = at::rand({kFloats});
  at::Tensor z = at::empty({kFloats});
  const double triad_s = shortest([&] { at::add_out(z, x, y, 0.5); });
  return {2.0 * kSide * kSide * kSide / product_s, 3.0 * sizeof(float) * kFloats / triad_s};
}

Limit limit_of(const Work& work, const MachinePeaks& peaks) {
  const double arithmetic_s = work.flops / peaks.flops_per_s, memory_s = work.bytes / peaks.bytes_per_s;
  return {std::max(arithmetic_s, memory_s), memory_s > arithmetic_s};
}

}  // namespace invaria::bench

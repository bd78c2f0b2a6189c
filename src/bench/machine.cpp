#include "bench/machine.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

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

  const at::Tensor a_half = a.to(at::kBFloat16), b_half = b.to(at::kBFloat16);
  at::Tensor c_half = at::empty({kSide, kSide}, at::kBFloat16);
  const double halves_s = shortest([&] { at::mm_out(c_half, a_half, b_half); });

  constexpr int64_t kFloats = int64_t{16} << 20;
  const at::Tensor x = at::rand({kFloats}), y = at::rand({kFloats});
  at::Tensor z = at::empty({kFloats});
  const double triad_s = shortest([&] { at::add_out(z, x, y, 0.5); });
  constexpr double kFlops = 2.0 * kSide * kSide * kSide;
  return {kFlops / product_s, 3.0 * sizeof(float) * kFloats / triad_s, kFlops / halves_s};
}

std::string text_of(const MachinePeaks& peaks) {
  return fmt::format("{:.1f} GFLOP/s of float matrix products, {:.1f} of bfloat16, {:.1f} GB/s of triads",
                     peaks.flops_per_s / 1e9, peaks.bfloat16_flops_per_s / 1e9, peaks.bytes_per_s / 1e9);
}

Limit limit_of(const Work& work, const MachinePeaks& peaks) {
  const double arithmetic_s = work.flops / peaks.flops_per_s, memory_s = work.bytes / peaks.bytes_per_s;
  return {std::max(arithmetic_s, memory_s), memory_s > arithmetic_s};
}

}  // namespace invaria::bench

#include "bench/machine.hpp"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/timer.hpp"

namespace invaria::bench {
namespace {

constexpr int kTries = 7;

/// The best of several, in seconds.
double shortest(c10::Device device, const std::function<void()>& run) {
  run();
  wait_for(device);
  double best = 1e300;
  for (int n = 0; n < kTries; ++n) {
    const Timer timer;
    run();
    wait_for(device);
    best = std::min(best, timer.seconds());
  }
  return best;
}

}  // namespace

void wait_for(c10::Device device) {
  if (!device.is_cuda()) return;
  const c10::cuda::CUDAGuard guard(device);
  c10::cuda::device_synchronize();
}

MachinePeaks measure_peaks(c10::Device device) {
  const int64_t side = device.is_cuda() ? 8192 : 1024;
  const int64_t floats = int64_t{16} << (device.is_cuda() ? 24 : 20);  // beyond any cache
  const auto options = at::TensorOptions(at::kFloat).device(device);
  const at::Tensor a = at::rand({side, side}, options), b = at::rand({side, side}, options);
  at::Tensor c = at::empty({side, side}, options);
  const double product_s = shortest(device, [&] { at::mm_out(c, a, b); });

  const at::Tensor a_half = a.to(at::kBFloat16), b_half = b.to(at::kBFloat16);
  at::Tensor c_half = at::empty({side, side}, options.dtype(at::kBFloat16));
  const double halves_s = shortest(device, [&] { at::mm_out(c_half, a_half, b_half); });

  const at::Tensor x = at::rand({floats}, options), y = at::rand({floats}, options);
  at::Tensor z = at::empty({floats}, options);
  const double triad_s = shortest(device, [&] { at::add_out(z, x, y, 0.5); });
  const double flops = 2.0 * static_cast<double>(side * side * side);
  return {flops / product_s, 3.0 * sizeof(float) * static_cast<double>(floats) / triad_s, flops / halves_s};
}

std::string text_of(const MachinePeaks& peaks) {
  return fmt::format("{:.1f} GFLOP/s of float matrix products, {:.1f} of bfloat16, {:.1f} GB/s of triads",
                     peaks.flops_per_s / 1e9, peaks.bfloat16_flops_per_s / 1e9, peaks.bytes_per_s / 1e9);
}

Limit limit_of(const Work& work, const MachinePeaks& peaks) {
  const bool is_float = work.precision == model::Precision::kFloat32;
  const double arithmetic_s = work.flops / (is_float ? peaks.flops_per_s : peaks.bfloat16_flops_per_s);
  const double memory_s = work.bytes / peaks.bytes_per_s;
  return {std::max(arithmetic_s, memory_s), memory_s > arithmetic_s};
}

}  // namespace invaria::bench

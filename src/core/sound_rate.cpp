#include "core/sound_rate.hpp"

#include <soxr.h>

#include "core/errors.hpp"

namespace invaria {

std::vector<float> resampled(const std::vector<float>& samples, int64_t from_rate, int64_t to_rate) {
  require(from_rate > 0 && to_rate > 0, "resampled: from {} to {} Hz", from_rate, to_rate);
  if (from_rate == to_rate || samples.empty()) return samples;
  const auto n = static_cast<size_t>((std::ssize(samples) * to_rate + from_rate - 1) / from_rate);
  std::vector<float> out(n);
  const soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
  const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
  const soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
  size_t made = 0;
  const soxr_error_t error =
      soxr_oneshot(static_cast<double>(from_rate), static_cast<double>(to_rate), 1, samples.data(), samples.size(),
                   nullptr, out.data(), out.size(), &made, &io, &quality, &runtime);
  require(error == nullptr, "resampled: libsoxr: {}", error == nullptr ? "" : error);
  return out;  // what libsoxr rounds off stays 0
}

}  // namespace invaria

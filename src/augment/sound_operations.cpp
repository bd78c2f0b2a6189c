#include "augment/sound_operations.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <numbers>
#include <utility>
#include <vector>

#include "core/errors.hpp"
#include "core/sound_rate.hpp"

namespace invaria::augment {
namespace {

double mean_power(const at::Tensor& sound_N) {
  // Not at::dot(): its last bits depend on where in memory a sound lies.
  return sound_N.square().mean().item<double>();
}

/// Amplitude at a frequency, in any unit.
double amplitude(double frequency, NoiseColour colour) {
  switch (colour) {
    case NoiseColour::kWhite:
      return 1.0;
    case NoiseColour::kPink:
      return 1.0 / std::sqrt(frequency);
    case NoiseColour::kBrown:
      return 1.0 / frequency;
    case NoiseColour::kBlue:
      return std::sqrt(frequency);
  }
  throw PreconditionError("noise: a colour without a spectrum");
}

/// Standard normal numbers, two of each pair of draws (Box and Muller, 1958).
at::Tensor normals(int64_t n, Draws& draws) {
  const int64_t n_pairs = (n + 1) / 2;
  at::Tensor radius_P = at::empty({n_pairs}, at::kDouble), angle_P = at::empty({n_pairs}, at::kDouble);
  double *radius = radius_P.mutable_data_ptr<double>(), *angle = angle_P.mutable_data_ptr<double>();
  for (int64_t pair = 0; pair < n_pairs; ++pair) {
    radius[pair] = (draws.next_u32() + 1.0) * 0x1p-32;  // in (0, 1]: its logarithm is finite
    angle[pair] = draws.next_u32() * (2.0 * std::numbers::pi * 0x1p-32);
  }
  radius_P.log_().mul_(-2.0).sqrt_();
  return at::cat({radius_P * angle_P.cos(), radius_P * angle_P.sin()}).narrow(0, 0, n);
}

at::Tensor coloured(const at::Tensor& white_N, int64_t longest, NoiseColour colour) {
  const int64_t n = white_N.size(0);
  const at::Tensor spectrum_F = at::fft_rfft(white_N);
  at::Tensor weight_F = at::zeros({spectrum_F.size(0)}, at::kDouble);
  double* weight = weight_F.mutable_data_ptr<double>();
  for (int64_t k = n / longest; k < weight_F.size(0); ++k) weight[k] = amplitude(static_cast<double>(k), colour);
  const at::Tensor coloured_N = at::fft_irfft(spectrum_F * weight_F, n);
  return (coloured_N / coloured_N.square().mean().sqrt()).to(at::kFloat);
}

/// Noise of a colour without what is slower than one cycle in `longest` samples, as long as many sounds, made once a
/// process: a sound takes a window of it.
const at::Tensor& noise_table(int64_t longest, NoiseColour colour) {
  static std::mutex mutex;
  static std::map<std::pair<int64_t, NoiseColour>, at::Tensor> tables;
  const std::lock_guard lock(mutex);
  at::Tensor& table_N = tables[{longest, colour}];
  if (table_N.defined()) return table_N;
  int64_t n = int64_t{1} << 20;
  while (n < 16 * longest) n *= 2;
  Draws draws({.purpose = Purpose::kNoiseSamples, .sample = static_cast<uint64_t>(colour)});
  const at::Tensor white_N = normals(n, draws);
  // A transform by several threads rounds otherwise; within a parallel region it is one thread's, however many there
  // are.
  at::parallel_for(0, 2, 1, [&](int64_t begin, int64_t) {
    if (begin == 0) table_N = coloured(white_N, longest, colour);
  });
  return table_N;
}

using Complex = c10::complex<float>;

/// The frequency whose peak each one belongs to: peaks are greater than two neighbours on either side, and reach
/// halfway to the next. Without a peak all belong to the greatest.
void nearest_peaks(const float* size, int64_t n, std::vector<int64_t>& peaks, std::vector<int64_t>& peak_of) {
  peaks.clear();
  for (int64_t k = 0; k < n; ++k) {
    bool is_peak = true;
    for (int64_t other = std::max<int64_t>(k - 2, 0); other <= std::min(k + 2, n - 1); ++other)
      is_peak = is_peak && (other == k || size[k] > size[other]);
    if (is_peak) peaks.push_back(k);
  }
  if (peaks.empty()) peaks.push_back(std::max_element(size, size + n) - size);
  size_t nearest = 0;
  for (int64_t k = 0; k < n; ++k) {
    while (nearest + 1 < peaks.size() && peaks[nearest + 1] - k < k - peaks[nearest]) ++nearest;
    peak_of[static_cast<size_t>(k)] = peaks[nearest];
  }
}

/// The transform [T, F] read `rate` times as fast: [ceil(T / rate), F]. From a frame to the next each phase moves on as
/// far as what is heard there does from one frame to the next (torchaudio's phase_vocoder, whose advance of a
/// frequency's own pace is a whole number of turns less or more); or each frequency stands to its peak as it does in
/// what is heard. Phases are unit numbers here: turning is multiplying, and no angle is ever taken.
at::Tensor vocoded(const at::Tensor& transform_TF, double rate, PhaseLocking locking) {
  const int64_t n_frames = transform_TF.size(0), n = transform_TF.size(1);
  const at::Tensor from_T = at::arange(0.0, static_cast<double>(n_frames), rate, at::kDouble);
  const double* from = from_T.const_data_ptr<double>();
  const int64_t n_out = from_T.size(0);
  // Silence after the end, whose phase is 0.
  const at::Tensor size_TF = at::constant_pad_nd(transform_TF.abs(), {0, 0, 0, 2}, 0);
  const at::Tensor unit_TF = at::constant_pad_nd(at::sgn(transform_TF), {0, 0, 0, 2}, 0);
  unit_TF.masked_fill_(size_TF.eq(0), 1);
  const float* size = size_TF.const_data_ptr<float>();
  const auto* unit = unit_TF.const_data_ptr<Complex>();
  at::Tensor out_TF = at::empty({n_out, n}, transform_TF.options());
  auto* out = out_TF.mutable_data_ptr<Complex>();
  std::vector<Complex> phase(unit, unit + n), turned(static_cast<size_t>(n));
  std::vector<float> loud(static_cast<size_t>(n));
  std::vector<int64_t> peaks, peak_of(static_cast<size_t>(n));
  for (int64_t frame = 0; frame < n_out; ++frame) {
    const int64_t here = static_cast<int64_t>(from[frame]) * n, next = here + n;
    const auto share = static_cast<float>(from[frame] - std::floor(from[frame]));
    for (int64_t k = 0; k < n; ++k)
      loud[static_cast<size_t>(k)] = share * size[next + k] + (1.0F - share) * size[here + k];
    if (locking == PhaseLocking::kPeaks && frame > 0) {
      nearest_peaks(loud.data(), n, peaks, peak_of);
      for (const int64_t peak : peaks)
        turned[static_cast<size_t>(peak)] = phase[static_cast<size_t>(peak)] * std::conj(unit[here + peak]);
      for (int64_t k = 0; k < n; ++k)
        phase[static_cast<size_t>(k)] = turned[static_cast<size_t>(peak_of[static_cast<size_t>(k)])] * unit[here + k];
    }
    for (size_t k = 0; k < static_cast<size_t>(n); ++k) {
      const auto offset = static_cast<int64_t>(k);
      out[frame * n + offset] = loud[k] * phase[k];
      const Complex moved = phase[k] * unit[next + offset] * std::conj(unit[here + offset]);
      // One Newton step towards length 1 keeps rounding from growing.
      phase[k] = moved * (1.5F - 0.5F * (moved.real() * moved.real() + moved.imag() * moved.imag()));
    }
  }
  return out_TF;
}

/// Frames [T, W], each `hop` after the one before, added up where they overlap; W is a multiple of hop.
at::Tensor overlapped(const at::Tensor& frame_TW, int64_t hop) {
  const int64_t n_frames = frame_TW.size(0), parts = frame_TW.size(1) / hop;
  at::Tensor sum_SH = at::zeros({n_frames + parts - 1, hop}, frame_TW.options());
  for (int64_t part = 0; part < parts; ++part)
    sum_SH.narrow(0, part, n_frames).add_(frame_TW.narrow(1, part * hop, hop));
  return sum_SH.flatten();
}

}  // namespace

at::Tensor fade_values(int64_t samples, FadeShape shape) {
  const at::Tensor t_N = samples > 1 ? at::linspace(0.0, 1.0, samples) : at::zeros({samples});
  switch (shape) {
    case FadeShape::kLinear:
      return t_N;
    case FadeShape::kLogarithmic:
      return t_N.add(0.1).log10_().add_(1.0).clamp_(0.0, 1.0);
    case FadeShape::kExponential:
      return t_N.sub(1.0).exp2_().mul_(t_N);
  }
  throw PreconditionError("faded: a shape without a formula");
}

at::Tensor faded(const at::Tensor& sound_N, int64_t in_samples, int64_t out_samples, FadeShape shape) {
  const int64_t n = sound_N.size(0);
  require(in_samples >= 0 && out_samples >= 0 && in_samples <= n && out_samples <= n, "faded: {} and {} of {} samples",
          in_samples, out_samples, n);
  at::Tensor out_N = sound_N.clone();
  if (in_samples > 0) out_N.narrow(0, 0, in_samples).mul_(fade_values(in_samples, shape));
  if (out_samples > 0) out_N.narrow(0, n - out_samples, out_samples).mul_(fade_values(out_samples, shape).flip(0));
  return out_N;
}

at::Tensor noise(int64_t n, NoiseColour colour, Draws& draws) {
  require(n > 1, "noise: {} samples", n);
  const at::Tensor& table_N = noise_table(n, colour);
  return table_N.narrow(0, draws.below(table_N.size(0) - n + 1), n);
}

at::Tensor with_noise(const at::Tensor& sound_N, const at::Tensor& noise_N, double snr_dB) {
  const double of_noise = mean_power(noise_N);
  if (of_noise == 0.0) return sound_N.clone();
  return sound_N + noise_N * std::sqrt(mean_power(sound_N) / of_noise * std::pow(10.0, -snr_dB / 10.0));
}

at::Tensor amplified(const at::Tensor& sound_N, double gain_dB) {
  return sound_N * std::pow(10.0, gain_dB / 20.0);
}

at::Tensor masked(const at::Tensor& sound_N, int64_t first, int64_t count) {
  at::Tensor out_N = sound_N.clone();
  out_N.narrow(0, first, count).zero_();
  return out_N;
}

at::Tensor rolled(const at::Tensor& sound_N, int64_t samples) {
  return at::roll(sound_N, samples, 0);
}

at::Tensor stretched(const at::Tensor& sound_N, double rate, int64_t n_fft, PhaseLocking locking) {
  require(rate > 0.0 && sound_N.size(0) > n_fft / 2, "stretched: {} samples at a rate of {}, transforms of {}",
          sound_N.size(0), rate, n_fft);
  if (rate == 1.0) return sound_N.clone();
  const int64_t hop = n_fft / 4, half = n_fft / 2;
  const at::Tensor window_W = at::hann_window(n_fft, /*periodic=*/true, at::kFloat);
  const at::Tensor padded_N = at::reflection_pad1d(sound_N.unsqueeze(0), {half, half})[0];
  const at::Tensor moved_TF = vocoded(at::fft_rfft(padded_N.unfold(0, n_fft, hop) * window_W), rate, locking);
  const int64_t n_frames = moved_TF.size(0);
  const at::Tensor sum_N = overlapped(at::fft_irfft(moved_TF, n_fft) * window_W, hop);
  const at::Tensor weight_N = overlapped(window_W.square().expand({n_frames, n_fft}), hop);
  // Within a frame of an end fewer windows overlap; at the last sample of all none does.
  const auto length = static_cast<int64_t>(std::llround(static_cast<double>(sound_N.size(0)) / rate));
  at::Tensor out_N = at::zeros({length}, at::kFloat);
  const int64_t count = std::min(length, sum_N.size(0) - half);
  out_N.narrow(0, 0, count).copy_(sum_N.narrow(0, half, count) / weight_N.narrow(0, half, count).clamp_min(1e-8));
  return out_N;
}

at::Tensor pitch_shifted(const at::Tensor& sound_N, double semitones, int64_t n_fft) {
  if (semitones == 0.0) return sound_N.clone();
  const int64_t n = sound_N.size(0);
  const at::Tensor longer_N = stretched(sound_N, std::exp2(-semitones / 12.0), n_fft).contiguous();
  const float* from = longer_N.const_data_ptr<float>();
  const std::vector<float> back = resampled({from, from + longer_N.size(0)}, longer_N.size(0), n);
  return at::tensor(back, at::kFloat).narrow(0, 0, n);
}

}  // namespace invaria::augment

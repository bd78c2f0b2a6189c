#include "augment/sound_operations.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/errors.hpp"
#include "core/sound_rate.hpp"

namespace invaria::augment {
namespace {

double rise(double t, FadeShape shape) {
  switch (shape) {
    case FadeShape::kLinear:
      return t;
    case FadeShape::kLogarithmic:
      return std::clamp(std::log10(0.1 + t) + 1.0, 0.0, 1.0);
    case FadeShape::kExponential:
      return std::exp2(t - 1.0) * t;
  }
  throw PreconditionError("faded: a shape without a formula");
}

double mean_power(const at::Tensor& sound_N) {
  return sound_N.to(at::kDouble).square().mean().item<double>();
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

/// The frequency whose peak each one belongs to: peaks are greater than two neighbours on either side, and reach
/// halfway to the next. Without a peak all belong to the greatest.
void nearest_peaks(const double* size, int64_t n, std::vector<int64_t>& peaks, std::vector<int64_t>& peak_of) {
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

/// Phases [F, T] of free frequencies, those of a peak's neighbours moved to where they stand to it in what was heard.
/// @param moved_TF  how far each phase moves on from a frame to the next
at::Tensor locked(const at::Tensor& size_TF, const at::Tensor& heard_TF, const at::Tensor& moved_TF) {
  const int64_t n_frames = size_TF.size(0), n = size_TF.size(1);
  at::Tensor phase_TF = at::empty_like(heard_TF);
  const double *size = size_TF.const_data_ptr<double>(), *heard = heard_TF.const_data_ptr<double>(),
               *moved = moved_TF.const_data_ptr<double>();
  double* phase = phase_TF.mutable_data_ptr<double>();
  std::copy_n(heard, n, phase);
  std::vector<int64_t> peaks, peak_of(static_cast<size_t>(n));
  for (int64_t frame = 1; frame < n_frames; ++frame) {
    const int64_t here = frame * n, before = here - n;
    nearest_peaks(size + here, n, peaks, peak_of);
    for (int64_t k = 0; k < n; ++k) {
      const int64_t peak = peak_of[static_cast<size_t>(k)];
      phase[here + k] = phase[before + peak] + moved[before + peak] + heard[here + k] - heard[here + peak];
    }
  }
  return phase_TF.t();
}

/// The transform [F, T] read `rate` times as fast: [F, ceil(T / rate)], its phases going on at each frequency's pace
/// (as torchaudio's phase_vocoder has it), or at that of its peak.
at::Tensor vocoded(const at::Tensor& transform_FT, double rate, int64_t hop, PhaseLocking locking) {
  const int64_t n_frames = transform_FT.size(1);
  const at::Tensor advance_F1 =
      at::linspace(0.0, std::numbers::pi * static_cast<double>(hop), transform_FT.size(0), at::kDouble).unsqueeze(1);
  const at::Tensor at_T = at::arange(0.0, static_cast<double>(n_frames), rate, at::kDouble);
  const at::Tensor index_T = at_T.floor().to(at::kLong);
  const at::Tensor between_T = at_T - at_T.floor();
  const at::Tensor padded_FT = at::constant_pad_nd(transform_FT, {0, 2}, 0);
  const at::Tensor here_FT = padded_FT.index_select(1, index_T);
  const at::Tensor next_FT = padded_FT.index_select(1, index_T + 1);
  // What the phase moved on by beyond its frequency's own pace, taken to (-pi, pi].
  at::Tensor moved_FT = next_FT.angle() - here_FT.angle() - advance_F1;
  moved_FT = moved_FT - 2 * std::numbers::pi * (moved_FT / (2 * std::numbers::pi)).round() + advance_F1;
  const at::Tensor size_FT = between_T * next_FT.abs() + (1.0 - between_T) * here_FT.abs();
  if (locking == PhaseLocking::kPeaks) {
    const at::Tensor phase_FT =
        locked(size_FT.t().contiguous(), here_FT.angle().t().contiguous(), moved_FT.t().contiguous());
    return at::polar(size_FT, phase_FT.contiguous());
  }
  const at::Tensor first_F1 = transform_FT.narrow(1, 0, 1).angle();
  return at::polar(size_FT, at::cat({first_F1, moved_FT.narrow(1, 0, moved_FT.size(1) - 1)}, 1).cumsum(1));
}

}  // namespace

std::vector<float> fade_values(int64_t samples, FadeShape shape) {
  std::vector<float> values;
  for (int64_t k = 0; k < samples; ++k) {
    const double t = samples > 1 ? static_cast<double>(k) / static_cast<double>(samples - 1) : 0.0;
    values.push_back(static_cast<float>(rise(t, shape)));
  }
  return values;
}

at::Tensor faded(const at::Tensor& sound_N, int64_t in_samples, int64_t out_samples, FadeShape shape) {
  const int64_t n = sound_N.size(0);
  require(in_samples >= 0 && out_samples >= 0 && in_samples <= n && out_samples <= n, "faded: {} and {} of {} samples",
          in_samples, out_samples, n);
  const auto ramp = [&](int64_t samples) { return at::tensor(fade_values(samples, shape), at::kFloat); };
  at::Tensor out_N = sound_N.clone();
  if (in_samples > 0) out_N.narrow(0, 0, in_samples).mul_(ramp(in_samples));
  if (out_samples > 0) out_N.narrow(0, n - out_samples, out_samples).mul_(ramp(out_samples).flip(0));
  return out_N;
}

at::Tensor noise(int64_t n, NoiseColour colour, Draws& draws) {
  require(n > 1, "noise: {} samples", n);
  at::Tensor spectrum_F = at::fft_rfft(normals(n, draws));
  std::vector<double> weights{0.0};
  for (int64_t k = 1; k < spectrum_F.size(0); ++k) weights.push_back(amplitude(static_cast<double>(k), colour));
  const at::Tensor coloured_N = at::fft_irfft(spectrum_F * at::tensor(weights, at::kDouble), n);
  return (coloured_N / std::sqrt(mean_power(coloured_N))).to(at::kFloat);
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
  const int64_t hop = n_fft / 4;
  const at::Tensor window = at::hann_window(n_fft, /*periodic=*/true, at::kDouble);
  const at::Tensor transform_FT =
      at::stft(sound_N.to(at::kDouble), n_fft, hop, n_fft, window, /*center=*/true, "reflect", /*normalized=*/false,
               /*onesided=*/true, /*return_complex=*/true);
  const auto length = static_cast<int64_t>(std::llround(static_cast<double>(sound_N.size(0)) / rate));
  return at::istft(vocoded(transform_FT, rate, hop, locking), n_fft, hop, n_fft, window, /*center=*/true,
                   /*normalized=*/false,
                   /*onesided=*/true, length)
      .to(at::kFloat);
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

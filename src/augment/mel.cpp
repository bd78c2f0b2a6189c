#include "augment/mel.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "core/errors.hpp"

namespace invaria::augment {
namespace {

// Slaney's scale: 200/3 Hz a mel up to 1 kHz, above 27 mel for each factor of 6.4.
constexpr double kHzPerMel = 200.0 / 3.0;
constexpr double kLogFrom_Hz = 1000.0;
constexpr double kLogFrom_mel = kLogFrom_Hz / kHzPerMel;
const double kLogStep = std::log(6.4) / 27.0;

double mel_of(double hertz, MelScale scale) {
  if (scale == MelScale::kHtk) return 2595.0 * std::log10(1.0 + hertz / 700.0);
  return hertz < kLogFrom_Hz ? hertz / kHzPerMel : kLogFrom_mel + std::log(hertz / kLogFrom_Hz) / kLogStep;
}

double hertz_of(double mel, MelScale scale) {
  if (scale == MelScale::kHtk) return 700.0 * (std::pow(10.0, mel / 2595.0) - 1.0);
  return mel < kLogFrom_mel ? mel * kHzPerMel : kLogFrom_Hz * std::exp(kLogStep * (mel - kLogFrom_mel));
}

}  // namespace

void MelSettings::validate(const std::string& path, config::Problems& problems) const {
  if (window > n_fft) {
    problems.add(config::join_path(path, "window"), fmt::format("{}", window), fmt::format("at most n_fft, {}", n_fft));
  }
  if (highest_Hz != 0.0 && highest_Hz <= lowest_Hz) {
    problems.add(config::join_path(path, "highest_Hz"), fmt::format("{}", highest_Hz),
                 fmt::format("0, or more than lowest_Hz, {}", lowest_Hz));
  }
}

at::Tensor mel_filters(const MelSettings& settings, int64_t rate, double semitones) {
  const double nyquist = static_cast<double>(rate) / 2.0;
  const double highest = settings.highest_Hz == 0.0 ? nyquist : settings.highest_Hz;
  require(rate > 0 && settings.lowest_Hz < highest && highest <= nyquist,
          "mel_filters: from {} to {} Hz of sounds at {} Hz", settings.lowest_Hz, highest, rate);
  const int64_t n_frequencies = settings.n_fft / 2 + 1;
  const double shift = std::exp2(semitones / 12.0);
  const double first = mel_of(settings.lowest_Hz, settings.scale), last = mel_of(highest, settings.scale);
  const auto corner = [&](int64_t n) {
    const double mel = first + (last - first) * static_cast<double>(n) / static_cast<double>(settings.bands + 1);
    return shift * hertz_of(mel, settings.scale);
  };
  at::Tensor filters_FM = at::zeros({n_frequencies, settings.bands}, at::kDouble);
  double* filter = filters_FM.mutable_data_ptr<double>();
  for (int64_t band = 0; band < settings.bands; ++band) {
    const double left = corner(band), centre = corner(band + 1), right = corner(band + 2);
    const double height = shift * (settings.norm == MelNorm::kArea ? 2.0 * shift / (right - left) : 1.0);
    for (int64_t frequency = 0; frequency < n_frequencies; ++frequency) {
      const double hertz = static_cast<double>(frequency * rate) / static_cast<double>(settings.n_fft);
      const double slope = std::min((hertz - left) / (centre - left), (right - hertz) / (right - centre));
      filter[frequency * settings.bands + band] = height * std::max(0.0, slope);
    }
  }
  return filters_FM.to(at::kFloat);
}

at::Tensor power_spectrogram(const at::Tensor& sounds_BN, const MelSettings& settings) {
  require(sounds_BN.dim() == 2 && (settings.padding == Padding::kSilence || sounds_BN.size(1) > settings.n_fft / 2),
          "power_spectrogram: {} samples for transforms of {}", sounds_BN.size(-1), settings.n_fft);
  const at::Tensor window_N = at::hann_window(settings.window, /*periodic=*/true, sounds_BN.options());
  const at::Tensor transform_BFT =
      at::stft(sounds_BN, settings.n_fft, settings.hop, settings.window, window_N, /*center=*/true,
               settings.padding == Padding::kReflect ? "reflect" : "constant", /*normalized=*/false, /*onesided=*/true,
               /*return_complex=*/true);
  return at::view_as_real(transform_BFT).square().sum(-1);
}

at::Tensor scaled_log(const at::Tensor& mel, const MelSettings& settings) {
  return mel.add(settings.floor).log_().add_(settings.offset).div_(settings.divisor);
}

at::Tensor log_mel(const at::Tensor& power_BFT, const at::Tensor& filters, const MelSettings& settings) {
  return scaled_log(at::matmul(filters.transpose(-2, -1), power_BFT), settings);
}

}  // namespace invaria::augment

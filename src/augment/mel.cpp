#include "augment/mel.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <tuple>

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

/// Corners and heights of the triangles.
class Triangles {
 public:
  Triangles(const MelSettings& settings, int64_t rate, double semitones)
      : settings_(settings), rate_(rate), shift_(std::exp2(semitones / 12.0)) {
    const double nyquist = static_cast<double>(rate) / 2.0;
    const double highest = settings.highest_Hz == 0.0 ? nyquist : settings.highest_Hz;
    require(rate > 0 && settings.lowest_Hz < highest && highest <= nyquist,
            "mel_filters: from {} to {} Hz of sounds at {} Hz", settings.lowest_Hz, highest, rate);
    const double first = mel_of(settings.lowest_Hz, settings.scale), last = mel_of(highest, settings.scale);
    for (int64_t n = 0; n < settings.bands + 2; ++n) {
      const double mel = first + (last - first) * static_cast<double>(n) / static_cast<double>(settings.bands + 1);
      corners_.push_back(shift_ * hertz_of(mel, settings.scale));
    }
  }

  double hertz(int64_t frequency) const {
    return static_cast<double>(frequency * rate_) / static_cast<double>(settings_.n_fft);
  }
  double left(int64_t band) const { return corners_[static_cast<size_t>(band)]; }
  double right(int64_t band) const { return corners_[static_cast<size_t>(band + 2)]; }
  /// How much a frequency counts in a band.
  double weight(int64_t band, int64_t frequency) const {
    const double centre = corners_[static_cast<size_t>(band + 1)];
    const double rising = (hertz(frequency) - left(band)) / (centre - left(band));
    const double falling = (right(band) - hertz(frequency)) / (right(band) - centre);
    const double height = settings_.norm == MelNorm::kArea ? 2.0 * shift_ / (right(band) - left(band)) : 1.0;
    return shift_ * height * std::max(0.0, std::min(rising, falling));
  }

 private:
  const MelSettings& settings_;
  int64_t rate_;
  double shift_;
  std::vector<double> corners_;  ///< Hz
};

}  // namespace

void MelSettings::validate(const std::string& path, config::Problems& problems) const {
  if (window > n_fft) {
    problems.add(config::join_path(path, "window"), fmt::format("{}", window), fmt::format("at most n_fft, {}", n_fft));
  }
  if (highest_Hz != 0.0 && highest_Hz <= lowest_Hz) {
    problems.add(config::join_path(path, "highest_Hz"), fmt::format("{}", highest_Hz),
                 fmt::format("0, or more than lowest_Hz, {}", lowest_Hz));
  }
  if (normalisation != MelNormalisation::kSample) return;
  for (const auto& [name, found, own] :
       {std::tuple{"offset", offset, MelSettings().offset}, std::tuple{"divisor", divisor, MelSettings().divisor}}) {
    if (found != own) {
      problems.add(config::join_path(path, name), fmt::format("{}", found),
                   fmt::format("nothing else than {}: with normalisation \"sample\" nothing reads it", own),
                   "leave it out, or choose \"global\"");
    }
  }
}

at::Tensor mel_filters(const MelSettings& settings, int64_t rate, double semitones) {
  const Triangles triangles(settings, rate, semitones);
  const int64_t n_frequencies = settings.n_fft / 2 + 1;
  at::Tensor filters_FM = at::zeros({n_frequencies, settings.bands}, at::kDouble);
  double* filter = filters_FM.mutable_data_ptr<double>();
  for (int64_t band = 0; band < settings.bands; ++band) {
    for (int64_t frequency = 0; frequency < n_frequencies; ++frequency)
      filter[frequency * settings.bands + band] = triangles.weight(band, frequency);
  }
  return filters_FM.to(at::kFloat);
}

BandedFilters banded_mel_filters(const MelSettings& settings, int64_t rate, double semitones) {
  const Triangles triangles(settings, rate, semitones);
  const int64_t n_frequencies = settings.n_fft / 2 + 1;
  BandedFilters filters;
  for (int64_t band = 0; band < settings.bands; ++band) {
    const double per_Hz = static_cast<double>(settings.n_fft) / static_cast<double>(rate);
    const auto from = std::clamp(static_cast<int64_t>(triangles.left(band) * per_Hz), int64_t{0}, n_frequencies);
    const auto to = std::clamp(static_cast<int64_t>(triangles.right(band) * per_Hz) + 2, from, n_frequencies);
    filters.first.push_back(from);
    for (int64_t frequency = from; frequency < to; ++frequency)
      filters.weights.push_back(static_cast<float>(triangles.weight(band, frequency)));
    filters.begin.push_back(std::ssize(filters.weights));
  }
  return filters;
}

at::Tensor transformed(const at::Tensor& sounds_BN, const MelSettings& settings) {
  require(sounds_BN.dim() == 2 && (settings.padding == Padding::kSilence || sounds_BN.size(1) > settings.n_fft / 2),
          "transformed: {} samples for transforms of {}", sounds_BN.size(-1), settings.n_fft);
  const at::Tensor window_N = at::hann_window(settings.window, /*periodic=*/true, sounds_BN.options());
  return at::stft(sounds_BN, settings.n_fft, settings.hop, settings.window, window_N, /*center=*/true,
                  settings.padding == Padding::kReflect ? "reflect" : "constant", /*normalized=*/false,
                  /*onesided=*/true, /*return_complex=*/true);
}

at::Tensor framed_transform(const at::Tensor& sounds_BN, const MelSettings& settings, int64_t n_frames) {
  const int64_t half = settings.n_fft / 2;
  const at::Tensor padded_BN = settings.padding == Padding::kReflect ? at::reflection_pad1d(sounds_BN, {half, half})
                                                                     : at::constant_pad_nd(sounds_BN, {half, half}, 0);
  const at::Tensor frames_BTW = padded_BN.unfold(1, settings.n_fft, settings.hop).narrow(1, 0, n_frames);
  const int64_t before = (settings.n_fft - settings.window) / 2;
  const at::Tensor window_W =
      at::constant_pad_nd(at::hann_window(settings.window, /*periodic=*/true, sounds_BN.options()),
                          {before, settings.n_fft - settings.window - before}, 0);
  return at::fft_rfft(frames_BTW * window_W);
}

std::vector<at::Tensor> channels_of(const at::Tensor& transform, const MelSettings& settings) {
  const at::Tensor power = at::view_as_real(transform).square().sum(-1);
  if (settings.channels == MelChannels::kPower) return {power};
  return {power, power.sqrt(), transform.angle() / std::numbers::pi};
}

at::Tensor scaled_channel(size_t channel, const at::Tensor& mel, const MelSettings& settings) {
  constexpr size_t kPhase = 2;
  if (channel == kPhase) return mel;
  if (settings.normalisation == MelNormalisation::kGlobal) return scaled_log(mel, settings);
  constexpr double kLeastDeviation = 0.01;  // of silence, which has but rounding errors
  const at::Tensor logarithm = mel.add(settings.floor).log_();
  const at::Tensor centred = logarithm - logarithm.mean({-2, -1}, true);
  return centred / centred.square().mean({-2, -1}, true).sqrt_().clamp_min_(kLeastDeviation);
}

at::Tensor power_spectrogram(const at::Tensor& sounds_BN, const MelSettings& settings) {
  return channels_of(transformed(sounds_BN, settings), settings).front();
}

at::Tensor scaled_log(const at::Tensor& mel, const MelSettings& settings) {
  return mel.add(settings.floor).log_().add_(settings.offset).div_(settings.divisor);
}

at::Tensor log_mel(const at::Tensor& power_BFT, const at::Tensor& filters, const MelSettings& settings) {
  return scaled_log(at::matmul(filters.transpose(-2, -1), power_BFT), settings);
}

}  // namespace invaria::augment

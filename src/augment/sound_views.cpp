#include "augment/sound_views.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "core/errors.hpp"

namespace invaria::augment {
namespace {

void check_range(const std::vector<double>& range, const std::string& path, config::Problems& problems) {
  if (range.size() == 2 && range[0] <= range[1]) return;
  problems.add(path, config::excerpt(config::write(range)), "[low, high] with low <= high");
}

int64_t samples_of(double share, int64_t n) {
  return std::clamp<int64_t>(std::llround(share * static_cast<double>(n)), 0, n);
}

/// The sound moved by `shift` samples, later if positive, silence where none is; as long as it was: its end is cut off,
/// or what is missing is silent.
at::Tensor placed(const at::Tensor& sound_N, int64_t n, int64_t shift) {
  at::Tensor out_N = at::zeros({n}, sound_N.options());
  const int64_t from = std::max<int64_t>(-shift, 0), to = std::max<int64_t>(shift, 0);
  const int64_t count = std::min(sound_N.size(0) - from, n - to);
  if (count > 0) out_N.narrow(0, to, count).copy_(sound_N.narrow(0, from, count));
  return out_N;
}

/// What happens to the waveform; pitch and time only where the method says so.
at::Tensor waveform_of(const at::Tensor& given_N, const SoundParameters& parameters,
                       const SoundAugmentSettings& settings) {
  const int64_t n = given_N.size(0);
  at::Tensor sound_N = given_N;
  if (settings.method == SoundMethod::kWaveform) {
    sound_N = pitch_shifted(sound_N, parameters.semitones, settings.vocoder_n_fft);
    sound_N = stretched(sound_N, parameters.rate, settings.vocoder_n_fft);
    // About its middle, as the map of frames is.
    const int64_t middle = (n - sound_N.size(0)) / 2;
    sound_N = placed(sound_N, n, middle + std::llround(parameters.shift * static_cast<double>(n)));
  }
  sound_N =
      faded(sound_N, samples_of(parameters.fade_in, n), samples_of(parameters.fade_out, n), parameters.fade_shape);
  if (parameters.noise) {
    Draws draws(parameters.noise_address);
    sound_N = with_noise(sound_N, noise(n, *parameters.noise, draws), parameters.snr_dB);
  }
  return amplified(sound_N, parameters.gain_dB);
}

/// Powers [M, T] read `rate` times as fast about the middle, later by a share of all frames; silence outside, frames
/// between two in proportion.
at::Tensor mapped(const at::Tensor& power_MT, double rate, double shift) {
  if (rate == 1.0 && shift == 0.0) return power_MT;
  const int64_t n = power_MT.size(1);
  const double middle = 0.5 * static_cast<double>(n - 1);
  const at::Tensor from_T = (at::arange(n, at::kDouble) - middle - shift * static_cast<double>(n)) * rate + middle;
  const at::Tensor below_T = from_T.floor();
  const at::Tensor padded_MT = at::constant_pad_nd(power_MT, {1, 1}, 0);  // frame k lies at k + 1
  const at::Tensor index_T = below_T.to(at::kLong) + 1;
  const at::Tensor share_T = (from_T - below_T).to(at::kFloat);
  return padded_MT.index_select(1, index_T.clamp(0, n + 1)) * (1.0F - share_T) +
         padded_MT.index_select(1, (index_T + 1).clamp(0, n + 1)) * share_T;
}

/// Zero a part of one dimension in place, given in shares of it.
void silence(at::Tensor& power_MT, int64_t dimension, double first_share, double share) {
  const int64_t n = power_MT.size(dimension), first = samples_of(first_share, n);
  power_MT.narrow(dimension, first, std::min(samples_of(share, n), n - first)).zero_();
}

}  // namespace

void SoundAugmentSettings::validate(const std::string& path, config::Problems& problems) const {
  check_range(stretch, config::join_path(path, "stretch"), problems);
  check_range(noise_snr_dB, config::join_path(path, "noise_snr_dB"), problems);
  check_range(gain_dB, config::join_path(path, "gain_dB"), problems);
  if (noise_colours.empty())
    problems.add(config::join_path(path, "noise_colours"), "[]", "at least one of white, pink, brown, blue");
}

SoundParameters draw(const SoundAugmentSettings& settings, std::span<const SoundOperation> active, uint64_t seed,
                     uint64_t epoch, uint64_t sample, uint32_t view) {
  SoundParameters parameters;
  const auto address = [&](Purpose purpose) { return DrawAddress{seed, purpose, epoch, sample, view}; };
  for (const SoundOperation operation : active) {
    switch (operation) {
      case SoundOperation::kPitchShift:
        parameters.semitones =
            Draws(address(Purpose::kPitchShift)).uniform(-settings.pitch_semitones, settings.pitch_semitones);
        break;
      case SoundOperation::kTimeStretch:
        parameters.rate = std::exp(Draws(address(Purpose::kTimeStretch))
                                       .uniform(std::log(settings.stretch[0]), std::log(settings.stretch[1])));
        break;
      case SoundOperation::kTimeShift:
        parameters.shift = Draws(address(Purpose::kTimeShift)).uniform(-settings.shift, settings.shift);
        break;
      case SoundOperation::kFade: {
        Draws draws(address(Purpose::kFade));
        if (!draws.bernoulli(settings.fade_p)) break;
        parameters.fade_in = draws.uniform(0, settings.fade_share);
        parameters.fade_out = draws.uniform(0, settings.fade_share);
        parameters.fade_shape = config::EnumNames<FadeShape>::kNames.at(static_cast<size_t>(draws.below(3))).first;
        break;
      }
      case SoundOperation::kNoise: {
        Draws draws(address(Purpose::kNoise));
        if (!draws.bernoulli(settings.noise_p)) break;
        parameters.noise =
            settings.noise_colours.at(static_cast<size_t>(draws.below(std::ssize(settings.noise_colours))));
        parameters.snr_dB = draws.uniform(settings.noise_snr_dB[0], settings.noise_snr_dB[1]);
        parameters.noise_address = address(Purpose::kNoiseSamples);
        break;
      }
      case SoundOperation::kGain:
        parameters.gain_dB = Draws(address(Purpose::kGain)).uniform(settings.gain_dB[0], settings.gain_dB[1]);
        break;
      case SoundOperation::kTimeMask: {
        Draws draws(address(Purpose::kTimeMask));
        parameters.mask_share = draws.uniform(0, settings.time_mask_share);
        parameters.mask_first = draws.uniform(0, 1.0 - parameters.mask_share);
        break;
      }
      case SoundOperation::kBandMask: {
        Draws draws(address(Purpose::kBandMask));
        parameters.band_mask_share = draws.uniform(0, settings.band_mask_share);
        parameters.band_mask_first = draws.uniform(0, 1.0 - parameters.band_mask_share);
        break;
      }
    }
  }
  return parameters;
}

at::Tensor render_sounds(const std::vector<at::Tensor>& sounds, const std::vector<SoundParameters>& parameters,
                         const SoundAugmentSettings& settings, const MelSettings& mel, int64_t rate) {
  require(sounds.size() == parameters.size() && !sounds.empty(), "render_sounds: {} sounds and {} parameters",
          sounds.size(), parameters.size());
  const int64_t n = sounds.front().size(0), n_frames = n / mel.hop;
  at::Tensor views_BMT = at::empty({std::ssize(sounds), mel.bands, n_frames}, at::kFloat);
  const at::Tensor plain_FM = mel_filters(mel, rate);
  at::parallel_for(0, std::ssize(sounds), 1, [&](int64_t first, int64_t end) {
    const at::NoGradGuard no_grad;
    for (int64_t view = first; view < end; ++view) {
      const SoundParameters& one = parameters[static_cast<size_t>(view)];
      const at::Tensor sound_N = waveform_of(sounds[static_cast<size_t>(view)], one, settings);
      const bool is_in_filters = settings.method == SoundMethod::kSpectrogram && one.semitones != 0.0;
      // The filters stand lower where the sound shall seem higher.
      const at::Tensor filters_FM = is_in_filters ? mel_filters(mel, rate, -one.semitones) : plain_FM;
      // One frame more than n / hop is centred on the end, half of it beyond.
      const at::Tensor power_FT = power_spectrogram(sound_N.unsqueeze(0), mel)[0].narrow(1, 0, n_frames);
      at::Tensor power_MT = at::matmul(filters_FM.t(), power_FT);
      if (settings.method == SoundMethod::kSpectrogram) power_MT = mapped(power_MT, one.rate, one.shift);
      silence(power_MT, 1, one.mask_first, one.mask_share);
      silence(power_MT, 0, one.band_mask_first, one.band_mask_share);
      views_BMT[view].copy_(scaled_log(power_MT, mel));
    }
  });
  return views_BMT.unsqueeze(1);
}

}  // namespace invaria::augment

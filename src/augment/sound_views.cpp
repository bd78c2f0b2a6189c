#include "augment/sound_views.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "augment/sound_bands.hpp"
#include "core/errors.hpp"

namespace invaria::augment {
namespace {

constexpr int64_t kViewsAtOnce = 16;  ///< a batch of transforms that stays in the cache

void check_range(const std::vector<double>& range, const std::string& path, config::Problems& problems) {
  if (range.size() == 2 && range[0] <= range[1]) return;
  problems.add(path, config::excerpt(config::write(range)), "[low, high] with low <= high");
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

/// Pitch and time of the waveform, where the method says so.
at::Tensor moved(const at::Tensor& given_N, const SoundParameters& parameters, const SoundAugmentSettings& settings) {
  if (settings.method != SoundMethod::kWaveform) return given_N;
  const int64_t n = given_N.size(0);
  at::Tensor sound_N = pitch_shifted(given_N, parameters.semitones, settings.vocoder_n_fft);
  sound_N = stretched(sound_N, parameters.rate, settings.vocoder_n_fft);
  // About its middle, as the map of frames is.
  const int64_t middle = (n - sound_N.size(0)) / 2;
  const auto later = std::llround(parameters.shift * static_cast<double>(n));
  return settings.shift_wraps ? rolled(placed(sound_N, n, middle), later) : placed(sound_N, n, middle + later);
}

/// The waveform of a view: moved, then all else, the mask of time last, where the method says so.
at::Tensor altered(const at::Tensor& given_N, const SoundParameters& parameters, const SoundAugmentSettings& settings) {
  at::Tensor sound_N = moved(given_N, parameters, settings);
  const int64_t n = sound_N.size(0);
  if (parameters.fade_in > 0.0 || parameters.fade_out > 0.0) {
    sound_N = faded(sound_N, share_of(n, parameters.fade_in), share_of(n, parameters.fade_out), parameters.fade_shape);
  }
  if (parameters.noise) {
    Draws draws(parameters.noise_address);
    sound_N = with_noise(sound_N, noise(n, *parameters.noise, draws), parameters.snr_dB);
  }
  if (parameters.gain_dB != 0.0) sound_N = amplified(sound_N, parameters.gain_dB);
  if (settings.method != SoundMethod::kWaveform || parameters.mask_share == 0.0) return sound_N;
  const auto [first, count] = stretch_of(n, parameters.mask_first, parameters.mask_share);
  return masked(sound_N, first, count);
}

/// Values [T, F] gathered in bands: [M, T].
at::Tensor in_bands(const at::Tensor& value_TF, const BandedFilters& filters) {
  const auto n_bands = std::ssize(filters.first);
  const int64_t n_frames = value_TF.size(0), n_frequencies = value_TF.size(1);
  at::Tensor band_MT = at::empty({n_bands, n_frames}, at::kFloat);
  const float* values = value_TF.const_data_ptr<float>();
  float* out = band_MT.mutable_data_ptr<float>();
  for (size_t band = 0; band < static_cast<size_t>(n_bands); ++band) {
    const float* weights = filters.weights.data() + filters.begin[band];
    const int64_t count = filters.begin[band + 1] - filters.begin[band];
    for (int64_t frame = 0; frame < n_frames; ++frame) {
      const float* from = values + frame * n_frequencies + filters.first[band];
      float sum = 0.0F;
      for (int64_t k = 0; k < count; ++k) sum += weights[k] * from[k];
      *out++ = sum;
    }
  }
  return band_MT;
}

void check_counts(const std::vector<at::Tensor>& sounds, const std::vector<SoundParameters>& parameters) {
  require(sounds.size() == parameters.size() && !sounds.empty(), "render_sounds: {} sounds and {} parameters",
          sounds.size(), parameters.size());
}

}  // namespace

void SoundAugmentSettings::validate(const std::string& path, config::Problems& problems) const {
  check_range(stretch, config::join_path(path, "stretch"), problems);
  check_range(noise_snr_dB, config::join_path(path, "noise_snr_dB"), problems);
  check_range(gain_dB, config::join_path(path, "gain_dB"), problems);
  if (vocoder_n_fft % 4 != 0) {
    problems.add(config::join_path(path, "vocoder_n_fft"), fmt::format("{}", vocoder_n_fft),
                 "a multiple of 4: transforms overlap by three quarters");
  }
  if (noise_colours.empty())
    problems.add(config::join_path(path, "noise_colours"), "[]", "at least one of white, pink, brown, blue");
}

SoundParameters draw(const SoundAugmentSettings& settings, std::span<const Operation> active, uint64_t seed,
                     uint64_t epoch, uint64_t sample, uint32_t view) {
  SoundParameters parameters;
  const auto address = [&](Purpose purpose) { return DrawAddress{seed, purpose, epoch, sample, view}; };
  parameters.noise_address = address(Purpose::kNoiseSamples);  // also of noise that is imposed
  for (const Operation operation : active) {
    switch (operation) {
      case Operation::kPitchShift:
        parameters.semitones =
            Draws(address(Purpose::kPitchShift)).uniform(-settings.pitch_semitones, settings.pitch_semitones);
        break;
      case Operation::kTimeStretch:
        parameters.rate = std::exp(Draws(address(Purpose::kTimeStretch))
                                       .uniform(std::log(settings.stretch[0]), std::log(settings.stretch[1])));
        break;
      case Operation::kTimeShift:
        parameters.shift = Draws(address(Purpose::kTimeShift)).uniform(-settings.shift, settings.shift);
        break;
      case Operation::kFade: {
        Draws draws(address(Purpose::kFade));
        if (!draws.bernoulli(settings.fade_p)) break;
        parameters.fade_in = draws.uniform(0, settings.fade_share);
        parameters.fade_out = draws.uniform(0, settings.fade_share);
        parameters.fade_shape = config::EnumNames<FadeShape>::kNames.at(static_cast<size_t>(draws.below(3))).first;
        break;
      }
      case Operation::kNoise: {
        Draws draws(address(Purpose::kNoise));
        if (!draws.bernoulli(settings.noise_p)) break;
        parameters.noise =
            settings.noise_colours.at(static_cast<size_t>(draws.below(std::ssize(settings.noise_colours))));
        parameters.snr_dB = draws.uniform(settings.noise_snr_dB[0], settings.noise_snr_dB[1]);
        break;
      }
      case Operation::kGain:
        parameters.gain_dB = Draws(address(Purpose::kGain)).uniform(settings.gain_dB[0], settings.gain_dB[1]);
        break;
      case Operation::kTimeMask: {
        Draws draws(address(Purpose::kTimeMask));
        parameters.mask_share = draws.uniform(0, settings.time_mask_share);
        parameters.mask_first = draws.uniform(0, 1.0 - parameters.mask_share);
        break;
      }
      case Operation::kBandMask: {
        Draws draws(address(Purpose::kBandMask));
        parameters.band_mask_share = draws.uniform(0, settings.band_mask_share);
        parameters.band_mask_first = draws.uniform(0, 1.0 - parameters.band_mask_share);
        break;
      }
      default:
        throw PreconditionError("draw: an operation on pictures for a sound");
    }
  }
  return parameters;
}

void apply(const FixedSetting& fixed, SoundParameters& parameters) {
  if (fixed.pitch_semitones != 0.0) parameters.semitones = fixed.pitch_semitones;
  if (fixed.rate != 1.0) parameters.rate = fixed.rate;
  if (fixed.shift != 0.0) parameters.shift = fixed.shift;
  if (fixed.fade != 0.0) {
    parameters.fade_in = parameters.fade_out = fixed.fade;
    parameters.fade_shape = FadeShape::kLinear;
  }
  if (fixed.noise) {
    parameters.noise = fixed.noise;
    parameters.snr_dB = fixed.noise_snr_dB;
  }
  if (fixed.gain_dB != 0.0) parameters.gain_dB = fixed.gain_dB;
  if (fixed.time_mask) {
    parameters.mask_first = (*fixed.time_mask)[0];
    parameters.mask_share = (*fixed.time_mask)[1];
  }
  if (fixed.band_mask) {
    parameters.band_mask_first = (*fixed.band_mask)[0];
    parameters.band_mask_share = (*fixed.band_mask)[1];
  }
}

int64_t share_of(int64_t n, double share) {
  return std::clamp<int64_t>(std::llround(share * static_cast<double>(n)), 0, n);
}

std::pair<int64_t, int64_t> stretch_of(int64_t n, double first_share, double share) {
  const int64_t first = share_of(n, first_share);
  return {first, std::min(share_of(n, share), n - first)};
}

at::Tensor altered_sounds(const std::vector<at::Tensor>& sounds, const std::vector<SoundParameters>& parameters,
                          const SoundAugmentSettings& settings) {
  check_counts(sounds, parameters);
  at::Tensor waves_BN = at::empty({std::ssize(sounds), sounds.front().size(0)}, at::kFloat);
  at::parallel_for(0, std::ssize(sounds), 1, [&](int64_t begin, int64_t end) {
    const at::NoGradGuard no_grad;
    for (int64_t n = begin; n < end; ++n) {
      const auto view = static_cast<size_t>(n);
      waves_BN[n].copy_(altered(sounds[view], parameters[view], settings));
    }
  });
  return waves_BN;
}

at::Tensor render_sounds_slowly(const std::vector<at::Tensor>& sounds, const std::vector<SoundParameters>& parameters,
                                const SoundAugmentSettings& settings, const MelSettings& mel, int64_t rate) {
  check_counts(sounds, parameters);
  const int64_t n_frames = sounds.front().size(0) / mel.hop;
  std::vector<at::Tensor> views;
  for (size_t view = 0; view < sounds.size(); ++view) {
    const SoundParameters& one = parameters[view];
    const at::Tensor sound_N = altered(sounds[view], one, settings);
    const at::Tensor filters_FM = mel_filters(mel, rate, filter_semitones(one, settings));
    const at::Tensor transform_FT = transformed(sound_N.unsqueeze(0), mel)[0].narrow(1, 0, n_frames);
    std::vector<at::Tensor> channels;
    for (const at::Tensor& value_FT : channels_of(transform_FT, mel)) {
      const at::Tensor band_MT = changed_bands_slowly(at::matmul(filters_FM.t(), value_FT), one, settings);
      channels.push_back(scaled_channel(channels.size(), band_MT, mel));
    }
    views.push_back(at::stack(channels));
  }
  return at::stack(views);
}

at::Tensor render_sounds(const std::vector<at::Tensor>& sounds, const std::vector<SoundParameters>& parameters,
                         const SoundAugmentSettings& settings, const MelSettings& mel, int64_t rate) {
  check_counts(sounds, parameters);
  const int64_t n_frames = sounds.front().size(0) / mel.hop;
  const at::Tensor views_BCMT = at::empty({std::ssize(sounds), mel.n_channels(), mel.bands, n_frames}, at::kFloat);
  const BandedFilters plain = banded_mel_filters(mel, rate);
  const int64_t share = (std::ssize(sounds) + at::get_num_threads() - 1) / at::get_num_threads();
  at::parallel_for(0, std::ssize(sounds), std::min(share, kViewsAtOnce), [&](int64_t begin, int64_t end) {
    const at::NoGradGuard no_grad;
    for (int64_t first = begin; first < end; first += kViewsAtOnce) {
      const int64_t count = std::min(kViewsAtOnce, end - first);
      std::vector<at::Tensor> waves;
      std::vector<BandedFilters> own(static_cast<size_t>(count));  // of views whose filters are moved
      for (int64_t n = 0; n < count; ++n) {
        const SoundParameters& one = parameters[static_cast<size_t>(first + n)];
        waves.push_back(altered(sounds[static_cast<size_t>(first + n)], one, settings));
        const double semitones = filter_semitones(one, settings);
        if (semitones != 0.0) own[static_cast<size_t>(n)] = banded_mel_filters(mel, rate, semitones);
      }
      const BandChanges changes =
          band_changes(std::span(parameters).subspan(static_cast<size_t>(first), static_cast<size_t>(count)), settings,
                       mel.bands, n_frames);
      const std::vector<at::Tensor> channels = channels_of(framed_transform(at::stack(waves), mel, n_frames), mel);
      for (size_t channel = 0; channel < channels.size(); ++channel) {
        const at::Tensor values_BTF = channels[channel].contiguous();
        const at::Tensor views_BMT = views_BCMT.narrow(0, first, count).select(1, static_cast<int64_t>(channel));
        std::vector<at::Tensor> bands;
        for (int64_t n = 0; n < count; ++n) {
          const BandedFilters& moved_filters = own[static_cast<size_t>(n)];
          bands.push_back(in_bands(values_BTF[n], moved_filters.first.empty() ? plain : moved_filters));
        }
        const at::Tensor bands_BMT = changed_bands(at::stack(bands), changes);
        views_BMT.copy_(scaled_channel(channel, bands_BMT, mel));
      }
    }
  });
  return views_BCMT;
}

}  // namespace invaria::augment

#pragma once
/// @file
/// Views of sounds: what is done to one sound to make one view of it, drawn first, rendered later, as for pictures
/// (view_parameters.hpp).
///
/// Shape legend: B views, N samples of a sound, M bands, T frames.

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "augment/axes.hpp"
#include "augment/mel.hpp"
#include "augment/sound_operations.hpp"
#include "config/setting.hpp"
#include "core/philox.hpp"

namespace invaria::augment {

/// Where pitch and time are altered and masked: in the waveform, by phase vocoder and resampling before all else, the
/// mask after it; or, at a hundredth of the cost, in the mel spectrogram, after all that happens to the waveform, by
/// filters that stand lower where the sound shall be higher, a map of its frames, and a mask of them.
enum class SoundMethod { kWaveform, kSpectrogram };

}  // namespace invaria::augment

template <>
struct invaria::config::EnumNames<invaria::augment::SoundMethod> {
  using E = augment::SoundMethod;
  static constexpr std::array<std::pair<E, const char*>, 2> kNames{
      {{E::kWaveform, "waveform"}, {E::kSpectrogram, "spectrogram"}}};
};

namespace invaria::augment {

/// How strongly sounds are altered. Defaults: spoken digits of 0.64 s, in small.
struct SoundAugmentSettings {
  SoundMethod method = SoundMethod::kSpectrogram;
  double pitch_semitones = 6.0;
  std::vector<double> stretch = {0.5488, 1.8221};
  double shift = 0.25;
  bool shift_wraps = false;
  double fade_p = 0.5;
  double fade_share = 0.5;
  double noise_p = 1.0;
  std::vector<NoiseColour> noise_colours = {NoiseColour::kWhite, NoiseColour::kPink, NoiseColour::kBrown,
                                            NoiseColour::kBlue};
  std::vector<double> noise_snr_dB = {3.0, 30.0};
  std::vector<double> gain_dB = {-12.0, 6.0};
  double time_mask_share = 0.125;
  double band_mask_share = 0.125;
  int64_t vocoder_n_fft = 512;

  static auto settings() {
    using S = SoundAugmentSettings;
    using config::between;
    using config::setting;
    return std::tuple{
        setting("method", &S::method, "where pitch and time are altered: in the waveform, or in its mel spectrogram"),
        setting("pitch_semitones", &S::pitch_semitones, "largest shift of pitch, up or down", between(0, 48)),
        setting("stretch", &S::stretch, "[low, high]: times as fast, drawn log-uniformly", between(0.05, 20)),
        setting("shift", &S::shift, "largest shift in time, earlier or later, as a share of the sound", between(0, 1)),
        setting("shift_wraps", &S::shift_wraps,
                "whether what is shifted out at one end comes in at the other; else there is silence"),
        setting("fade_p", &S::fade_p, "probability of a fade", between(0, 1)),
        setting("fade_share", &S::fade_share, "longest fade at either end, as a share of the sound", between(0, 0.5)),
        setting("noise_p", &S::noise_p, "probability of noise", between(0, 1)),
        setting("noise_colours", &S::noise_colours, "of which one is drawn"),
        setting("noise_snr_dB", &S::noise_snr_dB, "[low, high]: how far below the sound noise lies, in mean power",
                between(-60, 120)),
        setting("gain_dB", &S::gain_dB, "[low, high]: louder by that much", between(-120, 120)),
        setting("time_mask_share", &S::time_mask_share, "longest silence, as a share of the sound", between(0, 1)),
        setting("band_mask_share", &S::band_mask_share, "most bands that are silenced, as a share of all",
                between(0, 1)),
        setting("vocoder_n_fft", &S::vocoder_n_fft, "samples of the phase vocoder's transform", between(16, 1 << 16))};
  }
  void validate(const std::string& path, config::Problems& problems) const;
};

/// How sounds become views.
struct SoundViewSettings {
  MelSettings mel;
  SoundAugmentSettings augment;

  static auto settings() {
    using S = SoundViewSettings;
    return std::tuple{config::setting("mel", &S::mel, "from a waveform to the picture that an encoder sees"),
                      config::setting("augment", &S::augment, "strength of each operation on sounds")};
  }
};

/// Applied in the order of the members, but for what SoundMethod says. Defaults leave the sound alone.
struct SoundParameters {
  double semitones = 0.0;
  double rate = 1.0;      ///< times as fast
  double shift = 0.0;     ///< later by this share of the sound; what is left is silent
  double fade_in = 0.0;   ///< share of the sound
  double fade_out = 0.0;  ///< likewise
  FadeShape fade_shape = FadeShape::kLinear;
  std::optional<NoiseColour> noise;
  double snr_dB = 0.0;
  DrawAddress noise_address;  ///< where the noise is drawn
  double gain_dB = 0.0;
  double mask_first = 0.0, mask_share = 0.0;            ///< silence in time, shares of the sound
  double band_mask_first = 0.0, band_mask_share = 0.0;  ///< and in frequency, shares of all bands
};

/// Draw the parameters of one view, each operation from a stream of its own; those that are not in `active` leave the
/// sound alone. Arguments as augment::draw().
SoundParameters draw(const SoundAugmentSettings& settings, std::span<const Operation> active, uint64_t seed,
                     uint64_t epoch, uint64_t sample, uint32_t view);

/// Impose what `fixed` alters on `parameters`; what it leaves alone keeps its value.
void apply(const FixedSetting& fixed, SoundParameters& parameters);

/// So many of `n` as a share of them is, and where a stretch of them, given in shares, begins and how many it has.
int64_t share_of(int64_t n, double share);
std::pair<int64_t, int64_t> stretch_of(int64_t n, double first_share, double share);

/// What happens to the waveforms of views before their transform: [B, N]. Arguments as render_sounds().
at::Tensor altered_sounds(const std::vector<at::Tensor>& sounds, const std::vector<SoundParameters>& parameters,
                          const SoundAugmentSettings& settings);

/// Views of sounds as an encoder sees them: log-mel pictures [B, C, M, T], T = N / hop, C as the settings' channels
/// say.
/// @param sounds  [N] float each, all of one length, on the CPU
at::Tensor render_sounds(const std::vector<at::Tensor>& sounds, const std::vector<SoundParameters>& parameters,
                         const SoundAugmentSettings& settings, const MelSettings& mel, int64_t rate);

/// The same by the functions of sound_operations.hpp and mel.hpp, one after the other: the oracle, within 1e-4.
at::Tensor render_sounds_slowly(const std::vector<at::Tensor>& sounds, const std::vector<SoundParameters>& parameters,
                                const SoundAugmentSettings& settings, const MelSettings& mel, int64_t rate);

}  // namespace invaria::augment

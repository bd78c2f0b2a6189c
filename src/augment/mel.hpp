#pragma once
/// @file
/// The front end of sounds: from waveforms to pictures of loudness over time and frequency.
///
/// Shape legend: B sounds, N samples of each, F frequencies of the transform (n_fft / 2 + 1), M bands, T frames.

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "config/setting.hpp"

namespace invaria::augment {

/// How frequencies become mel: 2595 log10(1 + f / 700) of HTK, or linear up to 1 kHz and logarithmic above (Slaney's
/// Auditory Toolbox, as librosa has it).
enum class MelScale { kHtk, kSlaney };
/// Heights of the triangles: one, or such that each has the same area.
enum class MelNorm { kNone, kArea };
/// What an encoder sees of each band: its power; or power, magnitude and phase, a channel each.
enum class MelChannels { kPower, kPowerMagnitudePhase };
/// What the logarithms are brought to the scale of an encoder by: two numbers for all sounds, or each sound's own mean
/// and standard deviation.
enum class MelNormalisation { kGlobal, kSample };
/// What the transform sees beyond a sound's ends: its mirror image, or silence.
enum class Padding { kReflect, kSilence };

}  // namespace invaria::augment

template <>
struct invaria::config::EnumNames<invaria::augment::MelScale> {
  using E = augment::MelScale;
  static constexpr std::array<std::pair<E, const char*>, 2> kNames{{{E::kHtk, "htk"}, {E::kSlaney, "slaney"}}};
};
template <>
struct invaria::config::EnumNames<invaria::augment::MelNorm> {
  using E = augment::MelNorm;
  static constexpr std::array<std::pair<E, const char*>, 2> kNames{{{E::kNone, "none"}, {E::kArea, "area"}}};
};
template <>
struct invaria::config::EnumNames<invaria::augment::MelChannels> {
  using E = augment::MelChannels;
  static constexpr std::array<std::pair<E, const char*>, 2> kNames{
      {{E::kPower, "power"}, {E::kPowerMagnitudePhase, "power-magnitude-phase"}}};
};
template <>
struct invaria::config::EnumNames<invaria::augment::MelNormalisation> {
  using E = augment::MelNormalisation;
  static constexpr std::array<std::pair<E, const char*>, 2> kNames{{{E::kGlobal, "global"}, {E::kSample, "sample"}}};
};
template <>
struct invaria::config::EnumNames<invaria::augment::Padding> {
  using E = augment::Padding;
  static constexpr std::array<std::pair<E, const char*>, 2> kNames{
      {{E::kReflect, "reflect"}, {E::kSilence, "silence"}}};
};

namespace invaria::augment {

/// Defaults: the small setting of spoken digits, at 8 kHz. torchaudio's MelSpectrogram is htk, none, reflect; librosa's
/// slaney, area, silence.
struct MelSettings {
  int64_t n_fft = 512;
  int64_t window = 400;
  int64_t hop = 160;
  int64_t bands = 64;
  double lowest_Hz = 0.0;
  double highest_Hz = 0.0;
  MelScale scale = MelScale::kHtk;
  MelNorm norm = MelNorm::kNone;
  Padding padding = Padding::kReflect;
  MelChannels channels = MelChannels::kPower;
  double floor = 1e-4;
  MelNormalisation normalisation = MelNormalisation::kGlobal;
  double offset = 5.0;
  double divisor = 4.0;

  static auto settings() {
    using S = MelSettings;
    using config::at_least;
    using config::between;
    using config::setting;
    return std::tuple{
        setting("n_fft", &S::n_fft, "samples of a transform", between(16, 1 << 16)),
        setting("window", &S::window, "samples of the Hann window, in the middle of a transform; n_fft at most",
                between(2, 1 << 16)),
        setting("hop", &S::hop, "samples from frame to frame", between(1, 1 << 16)),
        setting("bands", &S::bands, "mel triangles", between(1, 1024)),
        setting("lowest_Hz", &S::lowest_Hz, "where the first triangle begins", at_least(0)),
        setting("highest_Hz", &S::highest_Hz, "where the last one ends; 0: at half the sounds' rate", at_least(0)),
        setting("scale", &S::scale, "how frequencies become mel"),
        setting("norm", &S::norm, "heights of the triangles: 1, or of one area"),
        setting("padding", &S::padding, "what lies beyond a sound's ends"),
        setting("channels", &S::channels,
                "what is seen of each band: its power; or power, magnitude and phase, as three channels"),
        setting("floor", &S::floor, "added to the power, or magnitude, of a band before its logarithm",
                at_least(1e-12)),
        setting("normalisation", &S::normalisation,
                "global: by offset and divisor; sample: each sound's logarithms less their mean, over their standard "
                "deviation, so that loudness does not count"),
        setting("offset", &S::offset, "global: added to the logarithm"),
        setting("divisor", &S::divisor, "global: and what it is divided by then", at_least(1e-6))};
  }
  /// The window fits the transform, the highest frequency lies above the lowest, and what nothing reads is not given.
  void validate(const std::string& path, config::Problems& problems) const;

  int64_t n_channels() const { return channels == MelChannels::kPower ? 1 : 3; }
};

/// [F, M], float: how much each frequency counts in each band.
/// @param semitones  the triangles stand on frequencies 2^(semitones / 12) times as high and are as many times as tall:
///                   what the bands of a sound shifted down by that much would hold, at the length it has
/// @throws PreconditionError unless lowest_Hz < highest_Hz <= rate / 2
at::Tensor mel_filters(const MelSettings& settings, int64_t rate, double semitones = 0.0);

/// The same filters by what is not 0: band m counts frequencies first[m], first[m] + 1, ... with
/// weights[begin[m]], ..., weights[begin[m + 1] - 1].
struct BandedFilters {
  std::vector<int64_t> first;
  std::vector<int64_t> begin{0};
  std::vector<float> weights;
};
BandedFilters banded_mel_filters(const MelSettings& settings, int64_t rate, double semitones = 0.0);

/// The STFT, complex [B, F, T] with T = N / hop + 1: frames centred on every hop-th sample, a periodic Hann window.
/// @param sounds_BN  float, N > n_fft / 2 where padding is reflect
at::Tensor transformed(const at::Tensor& sounds_BN, const MelSettings& settings);

/// transformed() with its frames outside, [B, T, F], the first `n_frames` of them: a batch of transforms at once. One
/// frame more than N / hop would be centred on the end, half of it beyond.
at::Tensor framed_transform(const at::Tensor& sounds_BN, const MelSettings& settings, int64_t n_frames);

/// What the channels are gathered from: |X|^2; and where the settings say so |X|, and its angle in shares of pi.
std::vector<at::Tensor> channels_of(const at::Tensor& transform, const MelSettings& settings);

/// A channel of bands [..., M, T] as an encoder sees it: scaled_log(), of each sound by itself where the settings say
/// so, but the phase as it is.
at::Tensor scaled_channel(size_t channel, const at::Tensor& mel, const MelSettings& settings);

/// |STFT|^2, [B, F, T], of transformed().
at::Tensor power_spectrogram(const at::Tensor& sounds_BN, const MelSettings& settings);

/// (ln(mel + floor) + offset) / divisor, of a mel spectrogram of any shape.
at::Tensor scaled_log(const at::Tensor& mel, const MelSettings& settings);

/// The scaled_log() of the mel spectrogram, [B, M, T], of powers [B, F, T] and filters [F, M], or of each sound its own
/// [B, F, M].
at::Tensor log_mel(const at::Tensor& power_BFT, const at::Tensor& filters, const MelSettings& settings);

}  // namespace invaria::augment

#pragma once
/// @file
/// Operations on waveforms, each a function of explicit parameters: nothing is drawn here but noise, from an address.
///
/// Shape legend: N samples of one sound, float, on the CPU.

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "config/setting.hpp"
#include "core/philox.hpp"

namespace invaria::augment {

/// How loudness goes from 0 to 1 over a fade, t from 0 to 1: t; log10(0.1 + t) + 1; 2^(t - 1) t (as torchaudio's Fade).
enum class FadeShape { kLinear, kLogarithmic, kExponential };
/// Power over frequency f: flat, 1 / f, 1 / f^2, f.
enum class NoiseColour { kWhite, kPink, kBrown, kBlue };
/// What keeps the phases of neighbouring frequencies together in a phase vocoder: nothing, as in torchaudio, where
/// tones may cancel themselves; or each frequency follows the nearest peak (identity phase locking: Laroche and Dolson,
/// 1999).
enum class PhaseLocking { kNone, kPeaks };

}  // namespace invaria::augment

template <>
struct invaria::config::EnumNames<invaria::augment::FadeShape> {
  using E = augment::FadeShape;
  static constexpr std::array<std::pair<E, const char*>, 3> kNames{
      {{E::kLinear, "linear"}, {E::kLogarithmic, "logarithmic"}, {E::kExponential, "exponential"}}};
};
template <>
struct invaria::config::EnumNames<invaria::augment::NoiseColour> {
  using E = augment::NoiseColour;
  static constexpr std::array<std::pair<E, const char*>, 4> kNames{
      {{E::kWhite, "white"}, {E::kPink, "pink"}, {E::kBrown, "brown"}, {E::kBlue, "blue"}}};
};

namespace invaria::augment {

/// Loudness over the `samples` of a rise: its shape's values from t = 0 to t = 1.
at::Tensor fade_values(int64_t samples, FadeShape shape);

/// The first `in_samples` rise from silence, the last `out_samples` fall to it. Values are held in [0, 1] of the shape.
at::Tensor faded(const at::Tensor& sound_N, int64_t in_samples, int64_t out_samples, FadeShape shape);

/// Noise whose spectrum has a colour down to one cycle in n samples, of mean power 1 over many sounds: a window, drawn,
/// of a table that is made once a process for each n and colour. It must not be written to.
at::Tensor noise(int64_t n, NoiseColour colour, Draws& draws);

/// Sound and noise, the noise `snr_dB` below the sound in mean power. A silent sound stays as it is.
at::Tensor with_noise(const at::Tensor& sound_N, const at::Tensor& noise_N, double snr_dB);

/// Louder by `gain_dB`, in amplitude 20 dB for each factor of 10.
at::Tensor amplified(const at::Tensor& sound_N, double gain_dB);

/// Silence from `first` on, `count` samples.
at::Tensor masked(const at::Tensor& sound_N, int64_t first, int64_t count);

/// Later by `samples`; what leaves at one end comes in at the other.
at::Tensor rolled(const at::Tensor& sound_N, int64_t samples);

/// `rate` times as fast at its own pitch: round(N / rate) samples, by a phase vocoder (Flanagan and Golden, 1966).
/// @param n_fft  of its transform, a Hann window as long, moved on by a quarter
/// @throws PreconditionError unless rate > 0 and N > n_fft / 2
at::Tensor stretched(const at::Tensor& sound_N, double rate, int64_t n_fft,
                     PhaseLocking locking = PhaseLocking::kPeaks);

/// Higher by `semitones` at its own length: stretched at a rate of 2^(-semitones / 12), then resampled to as many
/// samples as before. @throws PreconditionError as stretched()
at::Tensor pitch_shifted(const at::Tensor& sound_N, double semitones, int64_t n_fft);

}  // namespace invaria::augment

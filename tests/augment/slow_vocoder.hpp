#pragma once
/// @file
/// The phase vocoder by angles, in double precision: the oracle of augment::stretched().

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "augment/sound_operations.hpp"

namespace invaria::augment {

/// The frequency whose peak each one belongs to: peaks are greater than two neighbours on either side, and reach
/// halfway to the next. Without a peak all belong to the greatest.
inline void nearest_peaks(const double* size, int64_t n, std::vector<int64_t>& peaks, std::vector<int64_t>& peak_of) {
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
inline at::Tensor locked(const at::Tensor& size_TF, const at::Tensor& heard_TF, const at::Tensor& moved_TF) {
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
inline at::Tensor vocoded(const at::Tensor& transform_FT, double rate, int64_t hop, PhaseLocking locking) {
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

inline at::Tensor stretched_slowly(const at::Tensor& sound_N, double rate, int64_t n_fft, PhaseLocking locking) {
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

}  // namespace invaria::augment

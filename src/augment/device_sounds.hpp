#pragma once
/// @file
/// Views of sounds finished where an encoder is: the host alters waveforms, whose noise is drawn there; transform,
/// filters and all that happens to bands follow on the device.
///
/// Equal to render_sounds() within 1e-4, on CUDA 1e-3, but for phases near half a turn, whose sign rounding decides.
///
/// Shape legend: B views, N samples of a sound, F frequencies, M bands, T frames.

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <vector>

#include "augment/sound_bands.hpp"
#include "augment/sound_views.hpp"

namespace invaria::augment {

/// What a device needs to finish a batch. On the host; pinned for a CUDA device, so that copies need nobody to wait.
struct PackedSounds {
  at::Tensor waves_BN{};      ///< float, altered
  at::Tensor filter_index{};  ///< int64, into filters [B, F, M], or [1, F, M] of all views: what is not 0
  at::Tensor filter_weight{};
  int64_t n_filters = 0;  ///< B or 1
  BandChanges changes{};
  MelSettings mel;
};

/// Arguments as render_sounds().
PackedSounds pack_sounds(const std::vector<at::Tensor>& sounds, const std::vector<SoundParameters>& parameters,
                         const SoundAugmentSettings& settings, const MelSettings& mel, int64_t rate,
                         c10::Device device);

/// @return float [B, C, M, T] on `device`; on CUDA by the current stream, which nobody waits for
at::Tensor render_packed(const PackedSounds& packed, c10::Device device);

}  // namespace invaria::augment

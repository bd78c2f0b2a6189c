#pragma once
/// @file
/// What happens to views of sounds once they are bands over time: pitch by filters that stand elsewhere, a map of the
/// frames, masks.
///
/// Shape legend: B views, M bands, T frames.

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <span>
#include <vector>

#include "augment/sound_views.hpp"

namespace invaria::augment {

/// By how much a view's filters are moved: down where the sound shall seem higher, where the method says so.
double filter_semitones(const SoundParameters& parameters, const SoundAugmentSettings& settings);

/// Each frame of a view read between two of its frames: (1 - share) times the first and share times the next.
struct FrameMap {
  at::Tensor first_BT, next_BT;  ///< int64; where `has_silence`, frame k is k + 1, and 0 and T + 1 are silent
  at::Tensor share_BT;           ///< float
  bool has_silence = false;
};

/// What becomes of the bands of some views.
struct BandChanges {
  std::vector<FrameMap> maps;     ///< one after the other, then masks
  at::Tensor heard_BT, heard_BM;  ///< bool; undefined where nothing is silenced

  /// Of views first, first + 1, ..., first + count - 1.
  BandChanges of(int64_t first, int64_t count) const;
  BandChanges to(c10::Device device) const;
  /// In pinned memory: then to() a CUDA device needs nobody to wait.
  BandChanges pinned() const;
};

/// Time of the bands, where the method says so, and masks. @param parameters  one a view
BandChanges band_changes(std::span<const SoundParameters> parameters, const SoundAugmentSettings& settings,
                         int64_t n_bands, int64_t n_frames);

/// @param bands_BMT  float, where `changes` are
at::Tensor changed_bands(const at::Tensor& bands_BMT, const BandChanges& changes);

/// The same of one view [M, T], one step after the other: the oracle, equal to the bit.
at::Tensor changed_bands_slowly(at::Tensor band_MT, const SoundParameters& parameters,
                                const SoundAugmentSettings& settings);

}  // namespace invaria::augment

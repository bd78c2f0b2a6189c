#pragma once
/// @file
/// What happens to views of sounds once they are bands over time: pitch by filters that stand elsewhere, a map of the
/// frames, masks.
///
/// Shape legend: B views, M bands, T frames.

#include <ATen/core/Tensor.h>

#include <span>

#include "augment/sound_views.hpp"

namespace invaria::augment {

/// By how much a view's filters are moved: down where the sound shall seem higher, where the method says so.
double filter_semitones(const SoundParameters& parameters, const SoundAugmentSettings& settings);

/// Time of the bands, where the method says so, and masks: of all views at once, on any device.
/// @param bands_BMT  float; view n by parameters n
at::Tensor finished_bands(const at::Tensor& bands_BMT, std::span<const SoundParameters> parameters,
                          const SoundAugmentSettings& settings);

/// The same of one view [M, T], one step after the other: the oracle, equal to the bit.
at::Tensor finished_bands_slowly(at::Tensor band_MT, const SoundParameters& parameters,
                                 const SoundAugmentSettings& settings);

}  // namespace invaria::augment

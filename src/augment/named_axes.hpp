#pragma once
/// @file
/// Groupings of operations that suites ask for by name: `"axes": "k5"`.

#include <vector>

#include "augment/axes.hpp"

namespace invaria::augment {

/// Of pictures, the groupings of arXiv:2302.12712.
enum class NamedAxes {
  kK2,      ///< default_axes(): spatial and appearance
  kK5,      ///< crop, jitter, grayscale, blur and flip, one axis each; solarization in none
  kSound3,  ///< pitch; time (stretch, shift, mask); noise (fades, noise, gain)
  kSound4,  ///< pitch; time; noise; amplitude (fades, gain)
  kSound7,  ///< pitch shift, time stretch, time shift, fade, noise, time mask, band mask, one axis each
};

/// Its axes, with the fixed settings of the known tasks: every setting shows a coloured picture, or a sound,
/// differently.
std::vector<Axis> named_axes(NamedAxes which);

}  // namespace invaria::augment

template <>
struct invaria::config::EnumNames<invaria::augment::NamedAxes> {
  using enum invaria::augment::NamedAxes;
  static constexpr std::array<std::pair<invaria::augment::NamedAxes, const char*>, 5> kNames{
      {{kK2, "k2"}, {kK5, "k5"}, {kSound3, "sound-k3"}, {kSound4, "sound-k4"}, {kSound7, "sound-k7"}}};
};

#pragma once
/// @file
/// Groupings of operations that suites ask for by name: `"axes": "k5"`.

#include <vector>

#include "augment/axes.hpp"

namespace invaria::augment {

/// The groupings of arXiv:2302.12712.
enum class NamedAxes {
  kK2,  ///< default_axes(): spatial and appearance
  kK5,  ///< crop, jitter, grayscale, blur and flip, one axis each; solarization in none
};

/// Its axes, with the fixed settings of the known tasks: every setting shows a coloured picture differently.
std::vector<Axis> named_axes(NamedAxes which);

}  // namespace invaria::augment

template <>
struct invaria::config::EnumNames<invaria::augment::NamedAxes> {
  using enum invaria::augment::NamedAxes;
  static constexpr std::array<std::pair<invaria::augment::NamedAxes, const char*>, 2> kNames{
      {{kK2, "k2"}, {kK5, "k5"}}};
};

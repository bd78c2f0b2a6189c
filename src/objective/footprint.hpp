#pragma once
/// @file
/// What an objective adds to the memory of a step, for estimates before anything runs.

#include <cstdint>

#include "objective/settings.hpp"

namespace invaria::objective {

struct Footprint {
  int64_t views_kept = 2;         ///< views of a picture whose activations the backward pass needs
  bool momentum_encoder = false;  ///< a second set of weights
  int64_t keys_per_corner = 0;    ///< embeddings remembered for each corner
};

Footprint footprint(const ObjectiveSettings& settings);

}  // namespace invaria::objective

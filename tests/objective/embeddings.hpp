#pragma once
/// @file
/// Made embeddings, shared by the tests of the losses.

#include <ATen/ATen.h>

#include "core/philox.hpp"
#include "objective/contrast.hpp"

namespace invaria::objective::testing {

inline at::Tensor random_embeddings(int64_t n, int64_t channels, uint64_t sample) {
  at::Tensor values = at::empty({n, channels}, at::kDouble);
  Draws draws({.seed = 3, .sample = sample});
  for (int64_t index = 0; index < values.numel(); ++index) values.data_ptr<double>()[index] = draws.normal();
  return values;
}

inline BatchPlace alone(int64_t n) {
  return {.first = 0, .total = n, .n_ranks = 1};
}

}  // namespace invaria::objective::testing

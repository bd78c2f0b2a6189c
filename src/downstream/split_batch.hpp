#pragma once
/// @file
/// The stratified batch that `projected` looks at, in two halves P and Q: what is fitted on one is judged on the other.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "downstream/samples.hpp"

namespace invaria::downstream {

/// A stratified batch: which samples, and the half of each, 0 for P and 1 for Q.
struct SplitBatch {
  std::vector<int64_t> index;
  std::vector<int64_t> half;

  at::Tensor index_B() const;
  at::Tensor half_B() const;
};

/// Whether some class has one training sample, or sound of several parts, alone: halves of different samples would not
/// both know it.
bool has_lone_sample(const Samples& train, int64_t n_classes);

/// Halves of different samples: about `limit` in all, at least two of every class that has two. Drawn by the address
/// (seed, draw): equal addresses draw nested batches, a smaller one within a larger one, each sample in the same half,
/// all parts of a sound in one.
SplitBatch draw_samples(const Samples& train, int64_t n_classes, int64_t limit, uint64_t seed, int64_t draw);

/// Halves of the same samples, each to be drawn as a view of its own: at most `limit` views in all, but all classes.
/// First all of P, then the same of Q.
SplitBatch draw_views(const Samples& train, int64_t n_classes, int64_t limit, uint64_t seed, int64_t draw);

/// The views of a batch that draw_views() gave: P by view 32, Q by view 33.
at::Tensor images_of_views(const Samples& train, const SplitBatch& batch, uint64_t seed, int64_t draw);

}  // namespace invaria::downstream

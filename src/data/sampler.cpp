#include "data/sampler.hpp"

#include <algorithm>
#include <numeric>
#include <span>

#include "core/errors.hpp"
#include "core/philox.hpp"

namespace invaria::data {

EpochSampler::EpochSampler(int64_t n, int64_t global_batch, uint64_t seed)
    : n_(n), global_batch_(global_batch), seed_(seed) {
  require(global_batch >= 1 && global_batch <= n, "EpochSampler: a batch of {} from {} samples, expected 1 to all",
          global_batch, n);
}

std::vector<int64_t> EpochSampler::batch(int64_t step) {
  require(step >= 0, "EpochSampler: step {}, expected 0 or more", step);
  if (epoch_of(step) != epoch_) {
    epoch_ = epoch_of(step);
    order_.resize(static_cast<size_t>(n_));
    std::iota(order_.begin(), order_.end(), 0);
    Draws draws({.seed = seed_, .purpose = Purpose::kShuffle, .epoch = static_cast<uint64_t>(epoch_)});
    draws.shuffle(std::span(order_));
  }
  const auto first = order_.begin() + step % steps_per_epoch() * global_batch_;
  return {first, first + global_batch_};
}

Share local_share(int64_t global_batch, int rank, int world) {
  require(rank >= 0 && rank < world, "local_share: rank {} of {}", rank, world);
  const int64_t base = global_batch / world;
  const int64_t larger = global_batch % world;
  return {rank * base + std::min<int64_t>(rank, larger), base + (rank < larger ? 1 : 0)};
}

}  // namespace invaria::data

#pragma once
/// @file
/// Which samples a training step uses: the same global batch whatever the number of ranks.

#include <cstdint>
#include <vector>

namespace invaria::data {

/// Shuffled epochs of whole batches: what is left over at the end of an epoch is dropped.
class EpochSampler {
 public:
  /// @param n             samples
  /// @param global_batch  samples a step on all ranks together, in [1, n]
  /// @throws PreconditionError if the batch does not fit
  EpochSampler(int64_t n, int64_t global_batch, uint64_t seed);

  int64_t steps_per_epoch() const { return n_ / global_batch_; }
  int64_t epoch_of(int64_t step) const { return step / steps_per_epoch(); }
  /// The [global_batch] sample indices of a step, a function of (seed, step) alone. Keeps the order of one epoch: cheap
  /// for steps in order, O(n) when the epoch changes. Not for several threads at once.
  std::vector<int64_t> batch(int64_t step);

 private:
  int64_t n_;
  int64_t global_batch_;
  uint64_t seed_;
  int64_t epoch_ = -1;
  std::vector<int64_t> order_;
};

/// The part of a global batch that one rank does.
struct Share {
  int64_t first = 0;
  int64_t count = 0;
};

/// Contiguous shares in rank order that differ by at most one, larger ones first: 256 over 3 ranks is 86, 85, 85.
/// @throws PreconditionError unless 0 <= rank < world
Share local_share(int64_t global_batch, int rank, int world);

}  // namespace invaria::data

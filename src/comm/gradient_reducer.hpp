#pragma once
/// @file
/// The two-call seam between training and transport: hand gradients over as they become ready, then wait for all.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "comm/communicator.hpp"
#include "comm/overlap.hpp"

namespace invaria::comm {

/// Averages gradients over ranks, in buckets: a bucket is reduced when the gradients added since the last one fill
/// `bucket_bytes`.
class GradientReducer {
 public:
  virtual ~GradientReducer() = default;
  /// Collective, in the same order on all ranks. Takes a contiguous float tensor; it must not be touched until
  /// finish().
  /// @throws PreconditionError if it is not contiguous or not float
  virtual void add(const at::Tensor& gradient) = 0;
  /// Collective. Afterwards every tensor added since the last call holds its sum over ranks, divided by the number of
  /// ranks (the MEAN).
  virtual void finish() = 0;
};

/// Over MPI, for tensors on the CPU, or staged through it: a CUDA tensor is copied to the host by add() and back by
/// finish(). Sums in rank order: bit-equal whatever the transport, the buckets and the overlap. Collective, and so is
/// dropping it.
/// @throws PreconditionError if bucket_bytes < 1
std::unique_ptr<GradientReducer> make_mpi_reducer(const Communicator& communicator, int64_t bucket_bytes,
                                                  Overlap overlap = Overlap::kAutomatic);

/// Over NCCL on this rank's current CUDA device, on a stream of its own beside the caller's. finish() orders the
/// caller's current stream behind the reduction and does not block the host. NCCL chooses the order of its sums: equal
/// runs on equal machines give equal bits, another layout may differ in the last ones. Collective, and so is dropping
/// it.
/// @throws EnvironmentError on all ranks without a GPU on some rank, or if NCCL refuses; PreconditionError if
/// bucket_bytes < 1
std::unique_ptr<GradientReducer> make_nccl_reducer(const Communicator& communicator, int64_t bucket_bytes);

}  // namespace invaria::comm

#pragma once
/// @file
/// The two-call seam between training and transport: hand gradients over as they become ready, then wait for all.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "comm/communicator.hpp"

namespace invaria::comm {

/// Sums gradients over ranks, in buckets.
class GradientReducer {
 public:
  virtual ~GradientReducer() = default;
  /// Collective, in the same order on all ranks. Takes a contiguous float tensor; it must not be touched until finish().
  virtual void add(const at::Tensor& gradient) = 0;
  /// Collective. Afterwards every tensor added since the last call holds its sum over ranks, divided by the number of ranks (the MEAN).
  virtual void finish() = 0;
};

/// Over MPI, for tensors on the CPU (or staged through it).
std::unique_ptr<GradientReducer> make_mpi_reducer(const Communicator& communicator, int64_t bucket_bytes);

/// Over NCCL on this rank's current CUDA device. Collective. @throws EnvironmentError without a GPU, or if NCCL refuses
std::unique_ptr<GradientReducer> make_nccl_reducer(const Communicator& communicator, int64_t bucket_bytes);

}  // namespace invaria::comm

#pragma once
/// @file
/// Fresh weights, drawn by address: a tensor's values depend on the seed and its place alone, never on threads or the
/// device.

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace invaria::model {

/// Which family of tensors an index counts. Values are part of the reproducibility contract: append only.
enum class TensorFamily : uint32_t { kDense = 0, kFactored = 1, kProjector = 2, kPredictor = 3 };

/// Where a tensor's draws live.
struct InitAddress {
  uint64_t seed = 0;
  TensorFamily family = TensorFamily::kDense;
  uint64_t index = 0;  ///< of the tensor in its family
};

/// Fill a contiguous float CPU tensor with N(0, standard_deviation^2).
void fill_normal(const at::Tensor& values, double standard_deviation, const InitAddress& address);
/// Fill a contiguous float CPU tensor with U[low, high).
void fill_uniform(const at::Tensor& values, double low, double high, const InitAddress& address);

}  // namespace invaria::model

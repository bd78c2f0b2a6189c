#pragma once
/// @file
/// One optimiser step of one number, written once per algorithm for the CPU and CUDA, dense and factored parameters
/// alike.
///
/// A rule holds what is the same for all numbers of a parameter in this step, and is called with (weight, gradient,
/// moments). Scalars are computed in double and rounded once, in the order of operations of torch.optim, so that both
/// agree to a few units in the last place. Free of LibTorch, and of what nvcc in C++17 cannot read.

#include <cmath>
#include <cstdint>
#include <variant>

#include "core/host_device.hpp"

namespace invaria::train {

/// SGD with momentum as torch.optim.SGD (dampening 0): g += decay w; m = momentum m + g; w -= lr m.
struct SgdRule {
  static constexpr bool kHasMoment2 = false;
  float learning_rate, momentum, decay;

  INVARIA_HOST_DEVICE void operator()(float& weight, float gradient, float& moment, float&) const {
    moment = momentum * moment + (gradient + decay * weight);
    weight -= learning_rate * moment;
  }
};

/// LARS (arXiv:1708.03888, Alg. 1): m = momentum m + lr local_rate (g + decay w); w -= m.
struct LarsRule {
  static constexpr bool kHasMoment2 = false;
  float rate;  ///< lr times the layer's local rate
  float momentum, decay;

  INVARIA_HOST_DEVICE void operator()(float& weight, float gradient, float& moment, float&) const {
    moment = momentum * moment + rate * (gradient + decay * weight);
    weight -= moment;
  }
};

/// Adam (arXiv:1412.6980, Alg. 1) as torch.optim.Adam, and AdamW (arXiv:1711.05101, Alg. 2) as torch.optim.AdamW:
/// w -= lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon).
struct AdamRule {
  static constexpr bool kHasMoment2 = true;
  float step_size;        ///< lr / (1 - beta1^t)
  float one_minus_beta1;  ///< rounded from double, as torch.lerp's weight
  float beta2, one_minus_beta2;
  float inverse_root;  ///< 1 / sqrt(1 - beta2^t)
  float epsilon;
  float decay;   ///< Adam: added to the gradient, times the weight; AdamW: 0
  float shrink;  ///< AdamW: 1 - lr decay, applied first; Adam: 1

  INVARIA_HOST_DEVICE void operator()(float& weight, float gradient, float& moment_1, float& moment_2) const {
    const float shrunk = weight * shrink;
    gradient += decay * weight;
    moment_1 += one_minus_beta1 * (gradient - moment_1);
    moment_2 = beta2 * moment_2 + one_minus_beta2 * gradient * gradient;
    weight = shrunk - step_size * moment_1 / (sqrtf(moment_2) * inverse_root + epsilon);
  }
};

using UpdateRule = std::variant<SgdRule, LarsRule, AdamRule>;

/// The exponential moving average of a momentum encoder (arXiv:1911.05722, Eq. 2), a = m a + (1 - m) w, written so that
/// a rate of 0 leaves it alone to the bit. @param rate  1 - m
INVARIA_HOST_DEVICE void move_average(float& average, float weight, float rate) {
  average += rate * (weight - average);
}

/// Where one parameter lies in memory. Its gradient is `gradient[row]` (dense: columns = 1) or, with `hidden`, the
/// outer product `gradient[row] * hidden[column]`.
struct UpdateOperands {
  float* weight = nullptr;  ///< [rows, columns] contiguous, as are the moments
  float* moment_1 = nullptr;
  float* moment_2 = nullptr;        ///< null for a rule without a second moment
  const float* gradient = nullptr;  ///< [rows]
  const float* hidden = nullptr;    ///< [columns], or null
  double* squared_norms = nullptr;  ///< [n_chunks] or null: receives the sum of squares of each chunk's new weights
  float* average = nullptr;         ///< as `weight`, or null: moves towards the new weights
  float average_rate = 0.0F;        ///< how far, see move_average()
  int64_t rows = 0;
  int64_t columns = 1;

  /// Work is cut into chunks of about 64 KiB of weights by the shape alone, so that neither weights nor norms depend on
  /// the number of threads.
  INVARIA_HOST_DEVICE int64_t chunk_rows() const { return columns >= kChunkNumbers ? 1 : kChunkNumbers / columns; }
  INVARIA_HOST_DEVICE int64_t n_chunks() const { return (rows + chunk_rows() - 1) / chunk_rows(); }

  static constexpr int64_t kChunkNumbers = 16384;
};

/// Update one chunk on the CPU, 0 <= chunk < n_chunks. Subnormal results are zero (x86-64).
void update_chunk(const UpdateRule& rule, const UpdateOperands& operands, int64_t chunk);

/// Sum of the squares of `count` numbers, in double, in a fixed order.
double squared_norm(const float* values, int64_t count);

/// Update all chunks on the current CUDA device, without waiting; all pointers are device memory, `stream` is a
/// cudaStream_t.
/// @throws EnvironmentError if the kernel cannot be launched
void update_cuda(const UpdateRule& rule, const UpdateOperands& operands, void* stream);

}  // namespace invaria::train

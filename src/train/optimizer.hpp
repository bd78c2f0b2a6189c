#pragma once
/// @file
/// SGD with momentum, Adam (arXiv:1412.6980), AdamW (arXiv:1711.05101) and LARS (arXiv:1708.03888), for dense parameters and for
/// factored ones, whose gradient g h^T is formed on the fly in the one pass that reads and writes the matrix and its moments.
///
/// One rule, written once per algorithm as a function of (weight, gradient, moments), serves both kinds, on the CPU and in CUDA.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "config/setting.hpp"
#include "model/parameters.hpp"

namespace invaria::train {

enum class Algorithm { kSgd, kAdam, kAdamW, kLars };

struct OptimizerSettings {
  Algorithm algorithm = Algorithm::kAdamW;
  double weight_decay = 1e-5;
  double momentum = 0.9;             ///< sgd, lars
  double beta1 = 0.9;                ///< adam, adamw
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double trust_coefficient = 1e-3;   ///< lars

  static auto settings();
};

/// One factored parameter's part in a step.
struct FactoredUpdate {
  const model::FactoredParameter* parameter;
  model::FactoredGradient gradient;
};

/// Holds moments and a step counter per parameter name. Only parameters that are handed to a step are touched by it: no decay, no
/// moments, no counter for the others.
class Optimizer {
 public:
  explicit Optimizer(const OptimizerSettings& settings);

  /// Update every given parameter once. Dense gradients are read from `value.grad()` (undefined: PreconditionError).
  /// Adam: decay added to the gradient; AdamW: weight shrunk by lr * decay first; LARS: local rate trust * |w| / (|g| + decay |w|) for
  /// parameters that decay, 1 for the others; SGD as torch.optim.SGD. |A| for LARS is carried out of the previous pass in double.
  void step(double learning_rate, std::span<const model::Parameter* const> dense, std::span<const FactoredUpdate> factored);

  /// Moments and counters by name, for the checkpoint.
  model::StateDict state() const;
  void load_state(const model::StateDict& state);

 private:
  OptimizerSettings settings_;
  struct Slot {
    int64_t steps = 0;
    at::Tensor moment_1;
    at::Tensor moment_2;
    double squared_norm = -1.0;  ///< |w|^2 after the last pass; negative: not known yet
  };
  std::map<std::string, Slot> slots_;
};

}  // namespace invaria::train

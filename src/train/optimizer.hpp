#pragma once
/// @file
/// SGD with momentum, Adam (arXiv:1412.6980), AdamW (arXiv:1711.05101) and LARS (arXiv:1708.03888), for dense
/// parameters and for factored ones, whose gradient g h^T is formed on the fly in the one pass that reads and writes
/// the matrix and its moments.
///
/// One rule, written once per algorithm as a function of (weight, gradient, moments), serves both kinds, on the CPU and
/// in CUDA (update_rules.hpp). Results do not depend on the number of threads.

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "config/setting.hpp"
#include "model/parameters.hpp"

namespace invaria::train {

enum class Algorithm { kSgd, kAdam, kAdamW, kLars };

}  // namespace invaria::train

template <>
struct invaria::config::EnumNames<invaria::train::Algorithm> {
  using enum invaria::train::Algorithm;
  static constexpr std::array<std::pair<invaria::train::Algorithm, const char*>, 4> kNames{
      {{kSgd, "sgd"}, {kAdam, "adam"}, {kAdamW, "adamw"}, {kLars, "lars"}}};
};

namespace invaria::train {

/// Defaults: setting A of the quickstart. The learning rate comes from the schedule.
struct OptimizerSettings {
  Algorithm algorithm = Algorithm::kAdamW;
  double weight_decay = 1e-5;
  double momentum = 0.9;            ///< sgd, lars
  double beta1 = 0.9;               ///< adam, adamw
  double beta2 = 0.999;             ///< adam, adamw
  double epsilon = 1e-8;            ///< adam, adamw
  double trust_coefficient = 1e-3;  ///< lars

  static auto settings() {
    using S = OptimizerSettings;
    using config::above, config::at_least, config::between, config::setting;
    return std::tuple{
        setting("algorithm", &S::algorithm, "sgd, adam (decay in the gradient), adamw (decay on the weight) or lars"),
        setting("weight_decay", &S::weight_decay, "not on BatchNorm, linear biases and the hypernetwork's c",
                at_least(0)),
        setting("momentum", &S::momentum, "of sgd and lars", between(0, 0.9999)),
        setting("beta1", &S::beta1, "decay of adam's first moment", between(0, 0.9999)),
        setting("beta2", &S::beta2, "decay of adam's second moment", between(0, 0.999999)),
        setting("epsilon", &S::epsilon, "added to the root of adam's second moment", above(0)),
        setting("trust_coefficient", &S::trust_coefficient, "of lars's local rate", above(0))};
  }
};

/// One factored parameter's part in a step.
struct FactoredUpdate {
  const model::FactoredParameter* parameter;
  model::FactoredGradient gradient;
};

/// Moving averages of weights, such as a momentum encoder's, that the same pass moves along: a = m a + (1 - m) w with
/// the new w. Those of parameters that are not handed to the step stay.
struct WeightAverages {
  double momentum = 1.0;    ///< m in [0, 1]
  model::StateDict values;  ///< by parameter name; may lack parameters that nobody averages
};

/// Holds moments and a step counter per parameter name. Only parameters that are handed to a step are touched by it: no
/// decay, no moments, no counter for the others.
class Optimizer {
 public:
  explicit Optimizer(const OptimizerSettings& settings);

  /// Update every given parameter once. Not collective: all ranks call it with the same, already reduced gradients.
  ///
  /// Adam: decay added to the gradient; AdamW: weight shrunk by lr * decay first; SGD as torch.optim.SGD; LARS: m =
  /// momentum m + lr local (g + decay w), w -= m, with local rate trust |w| / (|g| + decay |w|) for parameters that
  /// decay (1 if |w| or |g| is 0) and 1 for the others. Factored parameters decay. |g h^T| = |g| |h|; |w| is carried
  /// out of the previous pass in double, so between two steps nobody else may write a weight (after loading a model,
  /// load the optimiser's state of the same moment too).
  ///
  /// The learning rate of a dense parameter is `learning_rate` times its own `rate`.
  /// Dense gradients are read from `value.grad()`. Weights are float and contiguous; gradients and averages of the same
  /// device and size.
  /// @throws PreconditionError naming the parameter, before anything was changed, if a gradient is undefined or a shape
  /// disagrees
  /// @throws ConfigError if a loaded state does not fit a parameter
  void step(double learning_rate, std::span<const model::Parameter* const> dense,
            std::span<const FactoredUpdate> factored, const WeightAverages& averages = {});

  /// Moments and counters for the checkpoint: `<parameter>.steps`, `.moment_1`, `.moment_2` (Adam) and `.squared_norms`
  /// (LARS). Tensors are shared: the next step changes them.
  model::StateDict state() const;
  /// Replace all moments and counters by copies; continuing from them is bit-equal.
  /// @throws ConfigError naming an entry that is unknown, missing or belongs to another algorithm
  void load_state(const model::StateDict& state);

 private:
  struct Slot {
    int64_t steps = 0;
    at::Tensor moment_1;
    at::Tensor moment_2;       ///< Adam and AdamW only
    at::Tensor squared_norms;  ///< LARS only: |w|^2 of each chunk after the last pass, double
  };
  struct Update;
  Update prepare(const std::string& name, const at::Tensor& weight, bool decays, const at::Tensor& gradient,
                 const at::Tensor& hidden) const;
  void make_slot_ready(Update& update);
  std::vector<double> local_rates(const std::vector<Update>& updates) const;

  OptimizerSettings settings_;
  std::map<std::string, Slot> slots_;
};

}  // namespace invaria::train

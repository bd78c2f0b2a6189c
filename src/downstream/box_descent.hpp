#pragma once
/// @file
/// Minimising a function of the few numbers of i within [0, 1]^K.

#include <cstdint>
#include <functional>
#include <vector>

#include "config/invariance.hpp"

namespace invaria::downstream {

/// Adam (arXiv:1412.6980) with the projection onto [0, 1]^K after every step.
class ProjectedAdam {
 public:
  ProjectedAdam(size_t n, double learning_rate, double beta1, double beta2);

  /// @param share  of the learning rate
  void step(config::Invariance& invariance, const std::vector<double>& gradient, double share = 1.0);

 private:
  double learning_rate_, beta1_, beta2_;
  int64_t steps_ = 0;
  std::vector<double> moment_1_, moment_2_;
};

/// A function to minimise: its value at i, and its gradient there, [K].
struct PointValue {
  double value = 0.0;
  std::vector<double> gradient;
};
using BoxFunction = std::function<PointValue(const config::Invariance&)>;

/// A box-constrained quasi-Newton method, sequential least-squares quadratic programming (D. Kraft, DFVLR-FB 88-28,
/// 1988; by NLopt): from `start`, in at most `max_evaluations` of the function, or until a step is shorter than 0.01 on
/// every axis. The first trial step moves the steepest axis by half the box, whatever the function's scale.
/// @return the best point that was evaluated
/// What the function throws is thrown on.
config::Invariance descend_quasi_newton(const config::Invariance& start, const BoxFunction& function,
                                        int64_t max_evaluations);

}  // namespace invaria::downstream

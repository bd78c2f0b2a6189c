#pragma once
/// @file
/// Logistic regression by L-BFGS: mean negative log-likelihood + l2/2 |W|^2, the bias free of penalty.
///
/// Shape legend: B samples, D features, C outputs.

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace invaria::downstream {

/// How scores become probabilities.
enum class Likelihood {
  kSoftmax,  ///< of classes: one of the C is true
  kSigmoid,  ///< of attributes: each of the C is true or not, log-likelihoods are summed
};

struct LogisticProblem {
  at::Tensor features_BD;  ///< double, contiguous
  at::Tensor truth_BC;     ///< double, 0 or 1
  Likelihood likelihood = Likelihood::kSoftmax;
  double l2 = 0.0;
  int64_t max_iterations = 500;
};

/// Minimise in place from where `weight_DC` and `bias_C` (double, contiguous) are; returns the objective there. Ends
/// within 1e-6 of it, relative, by the gradient's norm, l2 and an estimate of the curvature along the bias; at the
/// iteration limit; or where double precision finds nothing better.
/// @throws PreconditionError if the objective is not finite
double minimise_logistic(const LogisticProblem& problem, at::Tensor& weight_DC, at::Tensor& bias_C);

}  // namespace invaria::downstream

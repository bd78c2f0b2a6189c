#pragma once
/// @file
/// Logistic regression: mean negative log-likelihood + l2/2 |W|^2, the bias free of penalty.
///
/// Minimised by Newton's method, each step solved for by conjugate gradients as far as it pays (J. Nocedal, S. Wright,
/// "Numerical Optimization", 2006, Alg. 7.1), in the features' principal axes: with probabilities p that depend little
/// on the sample, the Hessian of an output is there nearly the diagonal mean(p (1 - p)) moment + l2, by which the
/// conjugate gradients are preconditioned.
///
/// Shape legend: B samples, D features, C outputs (classes or attributes), R principal axes.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "downstream/principal_axes.hpp"

namespace invaria::downstream {

/// How scores become probabilities.
enum class Likelihood {
  kSoftmax,  ///< of classes: one of the C is true
  kSigmoid,  ///< of attributes: each of the C is true or not, log-likelihoods are summed
};

/// Of scores whose dimension `outputs` is the classes or attributes, [B, C] unless it is said.
at::Tensor probabilities(const at::Tensor& scores, Likelihood likelihood, int64_t outputs = 1);

/// The Jacobian of the probabilities in the scores, which is symmetric, times a direction of the scores.
at::Tensor jacobian_times(const at::Tensor& probability, const at::Tensor& direction, Likelihood likelihood,
                          int64_t outputs = 1);

/// Summed over samples (and attributes).
double negative_log_likelihood(const at::Tensor& scores, const at::Tensor& truth, Likelihood likelihood,
                               int64_t outputs = 1);

/// A linear readout's parameters, or a slope in them. Double.
struct LinearParameters {
  at::Tensor weight_DC, bias_C;

  static LinearParameters zeros(int64_t n_features, int64_t n_outputs);

  at::Tensor scores(const at::Tensor& features_BD) const;
};

/// When to stop minimising.
struct LogisticEnd {
  /// Of the objective, relative: what is left is below it, as Newton's quadratic model has it where that model holds
  /// (no score moves by more than a half).
  double tolerance = 1e-6;
  /// Times that the features are read: for scores, for a gradient, for a product of the Hessian and a direction.
  int64_t max_passes = 1000;
};

/// A training set made ready once for fits at several penalties.
class LogisticRegression {
 public:
  /// @param features_BD  double
  /// @param truth_BC  double, 0 or 1
  LogisticRegression(const at::Tensor& features_BD, const at::Tensor& truth_BC, Likelihood likelihood);

  /// Parameters in principal axes, with the scores that they give the training samples. Outputs first: features lie in
  /// memory sample by sample, and the products with them are several times as fast so. Double.
  struct Point {
    at::Tensor weight_CR, bias_C1, scores_CB;

    /// This and `factor` times the way from `other` to here: scores are linear in parameters.
    Point onward_from(const Point& other, double factor) const;
  };

  Point point(const LinearParameters& parameters) const;
  LinearParameters parameters(const Point& point) const;

  /// Minimise in place from where `point` is; returns the objective there.
  /// @throws PreconditionError if the objective is not finite
  double minimise(double l2, Point& point, const LogisticEnd& end = {}) const;
  double minimise(double l2, LinearParameters& parameters, const LogisticEnd& end = {}) const;

  /// All zero: from where a minimum is looked for if nothing better is known.
  LinearParameters zeros() const;

  /// H^-1 g with the objective's Hessian at `parameters`. The bias of classes has a direction that changes nothing; g
  /// must have no part in it.
  LinearParameters inverse_hessian_times(const LinearParameters& g, double l2,
                                         const LinearParameters& parameters) const;

 private:
  PrincipalAxes axes_;
  at::Tensor single_BR_;  ///< the axes' features, float
  at::Tensor truth_CB_;
  Likelihood likelihood_;
};

/// Minima at one penalty after the other, from the largest. Between neighbours they move nearly along a line in
/// log(l2): each fit starts where the line through the last two leads.
class LogisticPath {
 public:
  /// @param regression  must outlive the path
  explicit LogisticPath(const LogisticRegression& regression, const LogisticEnd& end = {});

  /// Minimise at the next penalty. Returns the objective there.
  /// @throws PreconditionError if the penalty is not below the last
  double fit(double l2);

  /// Of the last minimum.
  LinearParameters parameters() const { return regression_.parameters(minima_.back().at); }

 private:
  struct Minimum {
    double log_l2;
    LogisticRegression::Point at;
  };

  const LogisticRegression& regression_;
  LogisticEnd end_;
  std::vector<Minimum> minima_;  ///< the last two
};

}  // namespace invaria::downstream

#include "downstream/logistic.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <utility>

#include "core/errors.hpp"

namespace invaria::downstream {
namespace {

/// The objective's second derivatives at one point, in principal axes.
class Hessian {
 public:
  Hessian(const PrincipalAxes& axes, at::Tensor probability_BC, Likelihood likelihood, double l2)
      : axes_(axes), probability_BC_(std::move(probability_BC)), likelihood_(likelihood), l2_(l2) {
    // No less than rounding leaves of it where every sample is sure.
    const at::Tensor curvature_C = (probability_BC_ * (1 - probability_BC_)).mean(0).clamp_min(1e-15);
    diagonal_.weight_DC = at::outer(axes.moment_R, curvature_C) + l2;
    diagonal_.bias_C = curvature_C;
  }

  /// @param direction_BC  what the direction does to the scores
  LinearParameters times(const LinearParameters& direction, const at::Tensor& direction_BC) const {
    const at::Tensor curved_BC =
        jacobian_times(probability_BC_, direction_BC, likelihood_) / static_cast<double>(axes_.features_BR.size(0));
    return {at::addmm(direction.weight_DC, axes_.features_BR.t(), curved_BC, l2_), curved_BC.sum(0)};
  }

  /// A direction, and what it does to the scores.
  struct Solution {
    LinearParameters direction;
    at::Tensor direction_BC;
    int64_t passes = 0;
  };

  /// H^-1 g by preconditioned conjugate gradients (Nocedal and Wright, Alg. 5.3).
  /// @param tolerance  of the residual, relative, in the preconditioner's norm
  Solution solve(const LinearParameters& g, double tolerance, int64_t max_passes) const {
    Solution found{LinearParameters::zeros(g.weight_DC.size(0), g.weight_DC.size(1)), at::zeros_like(probability_BC_)};
    LinearParameters residual = g, preconditioned = divided(residual), direction = preconditioned;
    double squared = residual.dot(preconditioned);
    const double enough = tolerance * tolerance * squared;
    while (found.passes < max_passes && squared > enough) {
      const at::Tensor direction_BC = direction.scores(axes_.features_BR);
      const LinearParameters image = times(direction, direction_BC);
      ++found.passes;
      const double curvature = direction.dot(image);
      if (!(curvature > 0)) break;  // rounding
      const double step = squared / curvature;
      found.direction = found.direction.plus(direction, step);
      found.direction_BC = found.direction_BC + step * direction_BC;
      residual = residual.plus(image, -step);
      preconditioned = divided(residual);
      const double next = residual.dot(preconditioned);
      direction = preconditioned.plus(direction, next / squared);
      squared = next;
    }
    return found;
  }

 private:
  LinearParameters divided(const LinearParameters& g) const {
    return {g.weight_DC / diagonal_.weight_DC, g.bias_C / diagonal_.bias_C};
  }

  const PrincipalAxes& axes_;
  at::Tensor probability_BC_;
  Likelihood likelihood_;
  double l2_;
  LinearParameters diagonal_;
};

}  // namespace

at::Tensor probabilities(const at::Tensor& scores_BC, Likelihood likelihood) {
  return likelihood == Likelihood::kSoftmax ? at::softmax(scores_BC, 1) : at::sigmoid(scores_BC);
}

at::Tensor jacobian_times(const at::Tensor& probability_BC, const at::Tensor& direction_BC, Likelihood likelihood) {
  if (likelihood == Likelihood::kSigmoid) return probability_BC * (1 - probability_BC) * direction_BC;
  return probability_BC * (direction_BC - (probability_BC * direction_BC).sum(1, /*keepdim=*/true));
}

double negative_log_likelihood(const at::Tensor& scores_BC, const at::Tensor& truth_BC, Likelihood likelihood) {
  if (likelihood == Likelihood::kSoftmax) return -(at::log_softmax(scores_BC, 1) * truth_BC).sum().item<double>();
  // -log sigma(s) = softplus(s) - s, and -log(1 - sigma(s)) = softplus(s).
  return (at::logaddexp(scores_BC, at::zeros_like(scores_BC)) - truth_BC * scores_BC).sum().item<double>();
}

LinearParameters LinearParameters::zeros(int64_t n_features, int64_t n_outputs) {
  return {at::zeros({n_features, n_outputs}, at::kDouble), at::zeros({n_outputs}, at::kDouble)};
}

at::Tensor LinearParameters::scores(const at::Tensor& features_BD) const {
  return at::addmm(bias_C, features_BD, weight_DC);
}

double LinearParameters::dot(const LinearParameters& other) const {
  return ((weight_DC * other.weight_DC).sum() + (bias_C * other.bias_C).sum()).item<double>();
}

LinearParameters LinearParameters::plus(const LinearParameters& other, double factor) const {
  return {at::add(weight_DC, other.weight_DC, factor), at::add(bias_C, other.bias_C, factor)};
}

LogisticRegression::LogisticRegression(const at::Tensor& features_BD, at::Tensor truth_BC, Likelihood likelihood)
    : axes_(features_BD), truth_BC_(std::move(truth_BC)), likelihood_(likelihood) {}

double LogisticRegression::minimise(double l2, LinearParameters& parameters, const LogisticEnd& end) const {
  const double n = static_cast<double>(truth_BC_.size(0));
  const auto objective = [&](const at::Tensor& scores_BC, double squared_weights) {
    return negative_log_likelihood(scores_BC, truth_BC_, likelihood_) / n + 0.5 * l2 * squared_weights;
  };
  LinearParameters at{at::mm(axes_.axis_DR.t(), parameters.weight_DC), parameters.bias_C};
  at::Tensor scores_BC = at.scores(axes_.features_BR);
  double value = objective(scores_BC, at.weight_DC.square().sum().item<double>());
  require(std::isfinite(value), "readout: the objective of a logistic regression is {}", value);
  for (int64_t passes = 1; passes < end.max_passes;) {
    const at::Tensor probability_BC = probabilities(scores_BC, likelihood_);
    const at::Tensor error_BC = (probability_BC - truth_BC_) / n;
    const LinearParameters slope{at::addmm(at.weight_DC, axes_.features_BR.t(), error_BC, l2), error_BC.sum(0)};
    // A tenth of the slope is left to the next step, whose Hessian is a better one.
    constexpr double kForcing = 0.1;
    const Hessian hessian(axes_, probability_BC, likelihood_, l2);
    const Hessian::Solution newton = hessian.solve(slope, kForcing, end.max_passes - passes);
    passes += newton.passes + 1;
    const double decrease = slope.dot(newton.direction);  // twice what the quadratic model promises
    if (!(decrease > 0)) break;

    // Scores are linear in the step: looking along the line reads no features. Backtracking to sufficient decrease
    // (Nocedal and Wright, Alg. 3.1), but for rounding of the objective.
    const double across = (at.weight_DC * newton.direction.weight_DC).sum().item<double>();
    const double along = newton.direction.weight_DC.square().sum().item<double>();
    const double squared = at.weight_DC.square().sum().item<double>();
    constexpr double kSufficient = 1e-4, kRounding = 1e-14, kShortest = 1e-10;
    double step = 1.0, next = 0.0;
    for (; step > kShortest; step /= 2) {
      next =
          objective(at::add(scores_BC, newton.direction_BC, -step), squared - 2 * step * across + step * step * along);
      if (next <= value - kSufficient * step * decrease + kRounding * value) break;
    }
    if (step <= kShortest) break;
    at = at.plus(newton.direction, -step);
    scores_BC = at::add(scores_BC, newton.direction_BC, -step);
    value = next;
    constexpr double kModelHolds = 0.5;
    const bool is_near = newton.direction_BC.abs().max().item<double>() < kModelHolds;
    if (step == 1.0 && is_near && decrease / 2 < end.tolerance * value) break;
  }
  parameters = {at::mm(axes_.axis_DR, at.weight_DC), at.bias_C};
  return value;
}

LinearParameters LogisticRegression::inverse_hessian_times(const LinearParameters& g, double l2,
                                                           const LinearParameters& parameters) const {
  constexpr double kTolerance = 1e-8;
  constexpr int64_t kMaxPasses = 500;
  const at::Tensor weight_RC = at::mm(axes_.axis_DR.t(), g.weight_DC);
  const at::Tensor scores_BC =
      at::addmm(parameters.bias_C, axes_.features_BR, at::mm(axes_.axis_DR.t(), parameters.weight_DC));
  const LinearParameters inside = Hessian(axes_, probabilities(scores_BC, likelihood_), likelihood_, l2)
                                      .solve({weight_RC, g.bias_C}, kTolerance, kMaxPasses)
                                      .direction;
  // Across the axes the Hessian is the penalty's.
  const at::Tensor across_DC = g.weight_DC - at::mm(axes_.axis_DR, weight_RC);
  return {at::mm(axes_.axis_DR, inside.weight_DC) + across_DC / l2, inside.bias_C};
}

}  // namespace invaria::downstream

#include "downstream/logistic.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <utility>

#include "core/errors.hpp"

namespace invaria::downstream {
namespace {

/// A step or a slope in the parameters of a point.
struct Turned {
  at::Tensor weight_CR, bias_C1;

  at::Tensor scores(const at::Tensor& features_BR) const { return at::addmm(bias_C1, weight_CR, features_BR.t()); }
  double dot(const Turned& other) const {
    return ((weight_CR * other.weight_CR).sum() + (bias_C1 * other.bias_C1).sum()).item<double>();
  }
  Turned plus(const Turned& other, double factor) const {
    return {at::add(weight_CR, other.weight_CR, factor), at::add(bias_C1, other.bias_C1, factor)};
  }
  Turned to(at::ScalarType type) const { return {weight_CR.to(type), bias_C1.to(type)}; }
};

Turned turned(const LinearParameters& parameters, const at::Tensor& axis_DR) {
  return {at::mm(parameters.weight_DC.t(), axis_DR), parameters.bias_C.unsqueeze(1)};
}

/// The objective's second derivatives at one point.
class Hessian {
 public:
  /// @param features_BR  in principal axes, of the type that all is computed in
  Hessian(const at::Tensor& features_BR, const at::Tensor& moment_R, const at::Tensor& probability_CB,
          Likelihood likelihood, double l2)
      : features_BR_(features_BR),
        probability_CB_(probability_CB.to(features_BR.scalar_type())),
        likelihood_(likelihood),
        l2_(l2) {
    // No less than rounding leaves of it where every sample is sure.
    const at::Tensor curvature_C1 = (probability_CB * (1 - probability_CB)).mean(1, /*keepdim=*/true).clamp_min(1e-15);
    diagonal_ = Turned{curvature_C1 * moment_R + l2, curvature_C1}.to(features_BR.scalar_type());
  }

  /// H^-1 g by preconditioned conjugate gradients (Nocedal and Wright, Alg. 5.3).
  /// @param tolerance  of the residual, relative, in the preconditioner's norm
  /// @param passes     products with the features' Hessian are added
  Turned solve(const Turned& g, double tolerance, int64_t max_passes, int64_t& passes) const {
    Turned found{at::zeros_like(g.weight_CR), at::zeros_like(g.bias_C1)};
    Turned residual = g, preconditioned = divided(residual), direction = preconditioned;
    double squared = residual.dot(preconditioned);
    const double enough = tolerance * tolerance * squared;
    for (int64_t pass = 0; pass < max_passes && squared > enough; ++pass) {
      const Turned image = times(direction);
      ++passes;
      const double curvature = direction.dot(image);
      if (!(curvature > 0)) break;  // rounding
      const double step = squared / curvature;
      found = found.plus(direction, step);
      residual = residual.plus(image, -step);
      preconditioned = divided(residual);
      const double next = residual.dot(preconditioned);
      direction = preconditioned.plus(direction, next / squared);
      squared = next;
    }
    return found;
  }

 private:
  Turned times(const Turned& direction) const {
    const at::Tensor curved_CB = jacobian_times(probability_CB_, direction.scores(features_BR_), likelihood_, 0) /
                                 static_cast<double>(features_BR_.size(0));
    return {at::addmm(direction.weight_CR, curved_CB, features_BR_, l2_), curved_CB.sum(1, /*keepdim=*/true)};
  }
  Turned divided(const Turned& g) const { return {g.weight_CR / diagonal_.weight_CR, g.bias_C1 / diagonal_.bias_C1}; }

  const at::Tensor& features_BR_;
  at::Tensor probability_CB_;
  Likelihood likelihood_;
  double l2_;
  Turned diagonal_;
};

}  // namespace

at::Tensor probabilities(const at::Tensor& scores, Likelihood likelihood, int64_t outputs) {
  return likelihood == Likelihood::kSoftmax ? at::softmax(scores, outputs) : at::sigmoid(scores);
}

at::Tensor jacobian_times(const at::Tensor& probability, const at::Tensor& direction, Likelihood likelihood,
                          int64_t outputs) {
  if (likelihood == Likelihood::kSigmoid) return probability * (1 - probability) * direction;
  return probability * (direction - (probability * direction).sum(outputs, /*keepdim=*/true));
}

double negative_log_likelihood(const at::Tensor& scores, const at::Tensor& truth, Likelihood likelihood,
                               int64_t outputs) {
  if (likelihood == Likelihood::kSoftmax) return -(at::log_softmax(scores, outputs) * truth).sum().item<double>();
  // -log sigma(s) = softplus(s) - s, and -log(1 - sigma(s)) = softplus(s).
  return (at::logaddexp(scores, at::zeros_like(scores)) - truth * scores).sum().item<double>();
}

LinearParameters LinearParameters::zeros(int64_t n_features, int64_t n_outputs) {
  return {at::zeros({n_features, n_outputs}, at::kDouble), at::zeros({n_outputs}, at::kDouble)};
}

at::Tensor LinearParameters::scores(const at::Tensor& features_BD) const {
  return at::addmm(bias_C, features_BD, weight_DC);
}

LogisticRegression::LogisticRegression(const at::Tensor& features_BD, const at::Tensor& truth_BC, Likelihood likelihood)
    : axes_(features_BD),
      single_BR_(axes_.features_BR.to(at::kFloat)),
      truth_CB_(truth_BC.t().contiguous()),
      likelihood_(likelihood) {}

LogisticRegression::Point LogisticRegression::Point::onward_from(const Point& other, double factor) const {
  const auto onward = [&](const at::Tensor& here, const at::Tensor& there) { return here + factor * (here - there); };
  return {onward(weight_CR, other.weight_CR), onward(bias_C1, other.bias_C1), onward(scores_CB, other.scores_CB)};
}

LogisticRegression::Point LogisticRegression::point(const LinearParameters& parameters) const {
  const Turned at = turned(parameters, axes_.axis_DR);
  return {at.weight_CR, at.bias_C1, at.scores(axes_.features_BR)};
}

LinearParameters LogisticRegression::parameters(const Point& point) const {
  return {at::mm(axes_.axis_DR, point.weight_CR.t()), point.bias_C1.squeeze(1).contiguous()};
}

double LogisticRegression::minimise(double l2, LinearParameters& parameters, const LogisticEnd& end) const {
  Point at = point(parameters);
  const double value = minimise(l2, at, end);
  parameters = this->parameters(at);
  return value;
}

double LogisticRegression::minimise(double l2, Point& at, const LogisticEnd& end) const {
  const double n = static_cast<double>(truth_CB_.size(1));
  const auto objective = [&](const at::Tensor& scores_CB, double squared_weights) {
    return negative_log_likelihood(scores_CB, truth_CB_, likelihood_, 0) / n + 0.5 * l2 * squared_weights;
  };
  // Single precision leaves a slope of 1e-7 of its terms, which is the square of that in the objective. (Products of
  // double precision with a few outputs take 2.6 times as long.)
  constexpr double kSingleReaches = 1e-8;
  const at::Tensor& features_BR = end.tolerance < kSingleReaches ? axes_.features_BR : single_BR_;
  const auto type = features_BR.scalar_type();
  double value = objective(at.scores_CB, at.weight_CR.square().sum().item<double>());
  require(std::isfinite(value), "readout: the objective of a logistic regression is {}", value);
  for (int64_t passes = 1; passes < end.max_passes;) {
    const at::Tensor probability_CB = probabilities(at.scores_CB, likelihood_, 0);
    const at::Tensor error_CB = (probability_CB - truth_CB_) / n;
    const Turned slope{at::mm(error_CB.to(type), features_BR).to(at::kDouble).add_(at.weight_CR, l2),
                       error_CB.sum(1, /*keepdim=*/true)};
    ++passes;
    // Three tenths of the slope are left to the next step, whose Hessian is a better one: single precision is enough.
    constexpr double kForcing = 0.3;
    const Turned newton_single = Hessian(single_BR_, axes_.moment_R, probability_CB, likelihood_, l2)
                                     .solve(slope.to(at::kFloat), kForcing, end.max_passes - passes, passes);
    const Turned newton = newton_single.to(at::kDouble);
    const double decrease = slope.dot(newton);  // twice what the quadratic model promises
    if (!(decrease > 0)) break;

    // Scores are linear in the step: looking along the line reads the features once. Backtracking to sufficient
    // decrease (Nocedal and Wright, Alg. 3.1), but for rounding of the objective.
    const at::Tensor newton_CB = newton_single.to(type).scores(features_BR).to(at::kDouble);
    ++passes;
    const double across = (at.weight_CR * newton.weight_CR).sum().item<double>();
    const double along = newton.weight_CR.square().sum().item<double>();
    const double squared = at.weight_CR.square().sum().item<double>();
    constexpr double kSufficient = 1e-4, kRounding = 1e-14, kShortest = 1e-10;
    double step = 1.0, next = 0.0;
    for (; step > kShortest; step /= 2) {
      next = objective(at::add(at.scores_CB, newton_CB, -step), squared - 2 * step * across + step * step * along);
      if (next <= value - kSufficient * step * decrease + kRounding * value) break;
    }
    if (step <= kShortest) break;
    at = {at::add(at.weight_CR, newton.weight_CR, -step), at::add(at.bias_C1, newton.bias_C1, -step),
          at::add(at.scores_CB, newton_CB, -step)};
    value = next;
    constexpr double kModelHolds = 0.5;
    const bool is_near = newton_CB.abs().max().item<double>() < kModelHolds;
    if (step == 1.0 && is_near && decrease / 2 < end.tolerance * value) break;
  }
  if (type == at::kFloat) {  // what rounding has left in the scores
    at.scores_CB = Turned{at.weight_CR, at.bias_C1}.scores(axes_.features_BR);
    value = objective(at.scores_CB, at.weight_CR.square().sum().item<double>());
  }
  return value;
}

LinearParameters LogisticRegression::inverse_hessian_times(const LinearParameters& g, double l2,
                                                           const LinearParameters& parameters) const {
  constexpr double kTolerance = 1e-8;
  constexpr int64_t kMaxPasses = 500;
  const at::Tensor probability_CB = probabilities(point(parameters).scores_CB, likelihood_, 0);
  const Turned g_turned = turned(g, axes_.axis_DR);
  int64_t passes = 0;
  const Turned inside = Hessian(axes_.features_BR, axes_.moment_R, probability_CB, likelihood_, l2)
                            .solve(g_turned, kTolerance, kMaxPasses, passes);
  // Across the axes the Hessian is the penalty's.
  const at::Tensor across_DC = g.weight_DC - at::mm(axes_.axis_DR, g_turned.weight_CR.t());
  return {at::mm(axes_.axis_DR, inside.weight_CR.t()) + across_DC / l2, inside.bias_C1.squeeze(1)};
}

LinearParameters LogisticRegression::zeros() const {
  return LinearParameters::zeros(axes_.axis_DR.size(0), truth_CB_.size(0));
}

LogisticPath::LogisticPath(const LogisticRegression& regression, const LogisticEnd& end)
    : regression_(regression), end_(end) {}

double LogisticPath::fit(double l2) {
  const double log_l2 = std::log(l2);
  require(minima_.empty() || log_l2 < minima_.back().log_l2, "readout: penalties of a path must fall, {} does not", l2);
  Minimum next{log_l2, minima_.empty() ? regression_.point(regression_.zeros()) : minima_.back().at};
  if (minima_.size() == 2) {
    const Minimum& before = minima_.front();
    const Minimum& last = minima_.back();
    next.at = last.at.onward_from(before.at, (log_l2 - last.log_l2) / (last.log_l2 - before.log_l2));
    minima_.erase(minima_.begin());
  }
  const double value = regression_.minimise(l2, next.at, end_);
  minima_.push_back(std::move(next));
  return value;
}

}  // namespace invaria::downstream

#include "downstream/logistic.hpp"

#include <ATen/ATen.h>
#include <lbfgs.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/errors.hpp"

namespace invaria::downstream {
namespace {

/// Negative log-likelihood, summed over samples, and its slope in the scores.
struct Fit {
  double loss;
  at::Tensor slope_BC;
};

Fit fit_of(const at::Tensor& scores_BC, const LogisticProblem& problem) {
  if (problem.likelihood == Likelihood::kSoftmax) {
    const at::Tensor log_probability_BC = at::log_softmax(scores_BC, 1);
    return {-(log_probability_BC * problem.truth_BC).sum().item<double>(), log_probability_BC.exp() - problem.truth_BC};
  }
  // -log sigma(s) = softplus(s) - s, and -log(1 - sigma(s)) = softplus(s).
  const at::Tensor loss_BC = at::logaddexp(scores_BC, at::zeros_like(scores_BC)) - problem.truth_BC * scores_BC;
  return {loss_BC.sum().item<double>(), at::sigmoid(scores_BC) - problem.truth_BC};
}

/// The objective at the parameters [W (D x C), b (C)], its gradient written to `gradient`.
double objective(const LogisticProblem& problem, const double* parameters, double* gradient) {
  const int64_t n_features = problem.features_BD.size(1);
  const int64_t n_outputs = problem.truth_BC.size(1);
  const double n = static_cast<double>(problem.features_BD.size(0));
  const at::Tensor weight_DC = at::from_blob(const_cast<double*>(parameters), {n_features, n_outputs}, at::kDouble);
  const at::Tensor bias_C =
      at::from_blob(const_cast<double*>(parameters) + n_features * n_outputs, {n_outputs}, at::kDouble);
  const Fit fit = fit_of(at::addmm(bias_C, problem.features_BD, weight_DC), problem);
  at::Tensor weight_gradient_DC = at::from_blob(gradient, {n_features, n_outputs}, at::kDouble);
  at::Tensor bias_gradient_C = at::from_blob(gradient + n_features * n_outputs, {n_outputs}, at::kDouble);
  at::addmm_out(weight_gradient_DC, weight_DC, problem.features_BD.t(), fit.slope_BC, problem.l2, 1.0 / n);
  bias_gradient_C.copy_(fit.slope_BC.sum(0) / n);
  return fit.loss / n + 0.5 * problem.l2 * weight_DC.square().sum().item<double>();
}

double evaluate_for_lbfgs(void* problem, const double* parameters, double* gradient, int, double) {
  return objective(*static_cast<const LogisticProblem*>(problem), parameters, gradient);
}

/// Of the objective, relative: far below what a metric could see.
constexpr double kTolerance = 1e-6;
/// Curvature along the bias, which no penalty bounds: p (1 - p) of a rare class, and where features separate the
/// classes, p (1 - p) of every sample, which is about its loss.
constexpr double kBiasCurvature = 1e-2;

/// A gradient g of a function whose curvature is at least m leaves at most |g|^2 / (2 m) to its minimum.
int is_close_enough(void* problem, const double*, const double*, double value, double, double gradient_norm, double,
                    int, int, int) {
  const auto& given = *static_cast<const LogisticProblem*>(problem);
  const bool is_sum = given.likelihood == Likelihood::kSigmoid;  // over outputs
  const double of_an_output = is_sum ? value / static_cast<double>(given.truth_BC.size(1)) : value;
  const double curvature = std::min(given.l2, kBiasCurvature * std::min(1.0, of_an_output));
  return gradient_norm * gradient_norm < 2.0 * curvature * kTolerance * value ? LBFGS_STOP : 0;
}

/// Where a line search finds nothing better in double precision, and at the user's iteration limit, libLBFGS leaves the
/// best point so far. Anything else is a misuse.
bool is_usable(int code) {
  return code == LBFGS_SUCCESS || code == LBFGS_STOP || code == LBFGS_ALREADY_MINIMIZED ||
         code == LBFGSERR_MAXIMUMITERATION || code == LBFGSERR_ROUNDING_ERROR || code == LBFGSERR_MAXIMUMLINESEARCH ||
         code == LBFGSERR_MINIMUMSTEP || code == LBFGSERR_INCREASEGRADIENT || code == LBFGSERR_WIDTHTOOSMALL;
}

}  // namespace

double minimise_logistic(const LogisticProblem& problem, at::Tensor& weight_DC, at::Tensor& bias_C) {
  // libLBFGS (Okazaki; after Nocedal's L-BFGS).
  lbfgs_parameter_t settings;
  lbfgs_parameter_init(&settings);
  settings.max_iterations = static_cast<int>(problem.max_iterations);
  settings.epsilon = 1e-12;  // is_close_enough() stops earlier
  settings.m = 10;
  at::Tensor parameters = at::cat({weight_DC.flatten(), bias_C});
  double minimum = 0.0;
  const int code = lbfgs(static_cast<int>(parameters.numel()), parameters.mutable_data_ptr<double>(), &minimum,
                         evaluate_for_lbfgs, is_close_enough, const_cast<LogisticProblem*>(&problem), &settings);
  require(is_usable(code) && std::isfinite(minimum), "readout: L-BFGS returned {} at objective {}", code, minimum);
  weight_DC = parameters.narrow(0, 0, weight_DC.numel()).reshape(weight_DC.sizes()).contiguous();
  bias_C = parameters.narrow(0, weight_DC.numel(), bias_C.numel()).contiguous();
  return minimum;
}

}  // namespace invaria::downstream

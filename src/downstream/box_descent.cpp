#include "downstream/box_descent.hpp"

#include <nlopt.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <memory>

#include "core/errors.hpp"

namespace invaria::downstream {
namespace {

struct NloptDelete {
  void operator()(nlopt_opt_s* optimiser) const { nlopt_destroy(optimiser); }
};

/// What NLopt's callback needs. Exceptions wait here until NLopt, which is C, has returned.
struct Search {
  const BoxFunction& function;
  nlopt_opt optimiser;
  config::Invariance best_at;
  PointValue at_start;
  config::Invariance start;
  double scale = 1.0;
  double best = std::numeric_limits<double>::infinity();
  std::exception_ptr thrown{};

  PointValue evaluate(const config::Invariance& at) {
    const PointValue found = at == start && !at_start.gradient.empty() ? at_start : function(at);
    if (found.value < best) {
      best = found.value;
      best_at = at;
    }
    return found;
  }
};

double evaluate_for_nlopt(unsigned n, const double* at, double* gradient, void* data) {
  Search& search = *static_cast<Search*>(data);
  try {
    const PointValue found = search.evaluate({at, at + n});
    if (gradient != nullptr) {
      for (unsigned axis = 0; axis < n; ++axis) gradient[axis] = search.scale * found.gradient[axis];
    }
    return search.scale * found.value;
  } catch (...) {
    search.thrown = std::current_exception();
    nlopt_force_stop(search.optimiser);
    return 0.0;
  }
}

}  // namespace

ProjectedAdam::ProjectedAdam(size_t n, double learning_rate, double beta1, double beta2)
    : learning_rate_(learning_rate), beta1_(beta1), beta2_(beta2), moment_1_(n, 0.0), moment_2_(n, 0.0) {}

void ProjectedAdam::step(config::Invariance& invariance, const std::vector<double>& gradient, double share) {
  ++steps_;
  for (size_t axis = 0; axis < invariance.size(); ++axis) {
    moment_1_[axis] = beta1_ * moment_1_[axis] + (1 - beta1_) * gradient[axis];
    moment_2_[axis] = beta2_ * moment_2_[axis] + (1 - beta2_) * gradient[axis] * gradient[axis];
    const double mean = moment_1_[axis] / (1 - std::pow(beta1_, steps_));
    const double spread = std::sqrt(moment_2_[axis] / (1 - std::pow(beta2_, steps_)));
    invariance[axis] = std::clamp(invariance[axis] - share * learning_rate_ * mean / (spread + 1e-12), 0.0, 1.0);
  }
}

config::Invariance descend_quasi_newton(const config::Invariance& start, const BoxFunction& function,
                                        int64_t max_evaluations) {
  constexpr double kShortStep = 0.01;
  constexpr double kFirstStep = 0.5;
  const std::unique_ptr<nlopt_opt_s, NloptDelete> optimiser(
      nlopt_create(NLOPT_LD_SLSQP, static_cast<unsigned>(start.size())));
  require(optimiser != nullptr, "descend_quasi_newton: NLopt gives no optimiser of {} numbers", start.size());
  Search search{.function = function, .optimiser = optimiser.get(), .best_at = start, .at_start = {}, .start = start};
  search.at_start = search.evaluate(start);
  double steepest = 0.0;
  for (double slope : search.at_start.gradient) steepest = std::max(steepest, std::abs(slope));
  if (steepest == 0.0) return start;
  search.scale = kFirstStep / steepest;

  nlopt_set_lower_bounds1(optimiser.get(), 0.0);
  nlopt_set_upper_bounds1(optimiser.get(), 1.0);
  nlopt_set_min_objective(optimiser.get(), evaluate_for_nlopt, &search);
  nlopt_set_xtol_abs1(optimiser.get(), kShortStep);
  nlopt_set_maxeval(optimiser.get(), static_cast<int>(max_evaluations));
  std::vector<double> at = start;
  double value = 0.0;
  const nlopt_result code = nlopt_optimize(optimiser.get(), at.data(), &value);
  if (search.thrown) std::rethrow_exception(search.thrown);
  require(code > 0 || code == NLOPT_ROUNDOFF_LIMITED, "descend_quasi_newton: NLopt returned {}",
          static_cast<int>(code));
  return search.best_at;
}

}  // namespace invaria::downstream

#include "downstream/readout.hpp"

#include <ATen/ATen.h>
#include <lbfgs.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/errors.hpp"

namespace invaria::downstream {
namespace {

/// Mean cross-entropy + l2/2 |W|^2 and its gradient, at the parameters [W (D x C), b (C)].
class SoftmaxObjective {
 public:
  SoftmaxObjective(at::Tensor features_BD, const at::Tensor& labels_B, int64_t n_classes, double l2)
      : features_BD_(std::move(features_BD)), one_hot_BC_(at::one_hot(labels_B, n_classes).to(at::kDouble)), l2_(l2) {}

  int64_t n_parameters() const { return (features_BD_.size(1) + 1) * one_hot_BC_.size(1); }

  double operator()(const double* parameters, double* gradient) const {
    const int64_t n_features = features_BD_.size(1);
    const int64_t n_classes = one_hot_BC_.size(1);
    const double n = static_cast<double>(features_BD_.size(0));
    const at::Tensor weight_DC = at::from_blob(const_cast<double*>(parameters), {n_features, n_classes}, at::kDouble);
    const at::Tensor bias_C =
        at::from_blob(const_cast<double*>(parameters) + n_features * n_classes, {n_classes}, at::kDouble);
    const at::Tensor log_probability_BC = at::log_softmax(at::addmm(bias_C, features_BD_, weight_DC), 1);
    const at::Tensor slope_BC = (log_probability_BC.exp() - one_hot_BC_) / n;
    at::Tensor weight_gradient_DC = at::from_blob(gradient, {n_features, n_classes}, at::kDouble);
    at::Tensor bias_gradient_C = at::from_blob(gradient + n_features * n_classes, {n_classes}, at::kDouble);
    at::addmm_out(weight_gradient_DC, weight_DC, features_BD_.t(), slope_BC, l2_);
    bias_gradient_C.copy_(slope_BC.sum(0));
    return -(log_probability_BC * one_hot_BC_).sum().item<double>() / n +
           0.5 * l2_ * weight_DC.square().sum().item<double>();
  }

 private:
  at::Tensor features_BD_;
  at::Tensor one_hot_BC_;
  double l2_;
};

double evaluate_for_lbfgs(void* objective, const double* parameters, double* gradient, int, double) {
  return (*static_cast<SoftmaxObjective*>(objective))(parameters, gradient);
}

/// Minimise by libLBFGS (Okazaki; after Nocedal's L-BFGS), in place.
void minimise(SoftmaxObjective& objective, std::vector<double>& parameters, int64_t max_iterations) {
  lbfgs_parameter_t settings;
  lbfgs_parameter_init(&settings);
  settings.max_iterations = static_cast<int>(max_iterations);
  settings.epsilon = 1e-5;
  settings.m = 10;
  double minimum = 0.0;
  const int code = lbfgs(static_cast<int>(parameters.size()), parameters.data(), &minimum, evaluate_for_lbfgs, nullptr,
                         &objective, &settings);
  // At the end of double precision a line search may find nothing better, and the iteration limit is the user's: both
  // leave the best point so far. Anything else is a misuse.
  const bool usable = code == LBFGS_SUCCESS || code == LBFGS_STOP || code == LBFGS_ALREADY_MINIMIZED ||
                      code == LBFGSERR_MAXIMUMITERATION || code == LBFGSERR_ROUNDING_ERROR ||
                      code == LBFGSERR_MAXIMUMLINESEARCH || code == LBFGSERR_MINIMUMSTEP ||
                      code == LBFGSERR_INCREASEGRADIENT || code == LBFGSERR_WIDTHTOOSMALL;
  require(usable && std::isfinite(minimum), "readout: L-BFGS returned {} at objective {}", code, minimum);
}

void fit_classification(Readout& readout, const at::Tensor& scaled_BD, const LabelledFeatures& train,
                        int64_t max_iterations, const Readout* start) {
  SoftmaxObjective objective(scaled_BD, train.labels_B, train.n_classes, readout.l2);
  std::vector<double> parameters(static_cast<size_t>(objective.n_parameters()), 0.0);
  const int64_t n_features = scaled_BD.size(1);
  if (start != nullptr) {
    std::copy_n(start->weight_DC.const_data_ptr<double>(), n_features * train.n_classes, parameters.begin());
    std::copy_n(start->bias_C.const_data_ptr<double>(), train.n_classes,
                parameters.begin() + n_features * train.n_classes);
  }
  minimise(objective, parameters, max_iterations);
  const at::Tensor all = at::tensor(parameters, at::kDouble);
  readout.weight_DC =
      all.narrow(0, 0, n_features * train.n_classes).reshape({n_features, train.n_classes}).contiguous();
  readout.bias_C = all.narrow(0, n_features * train.n_classes, train.n_classes).contiguous();
}

void fit_regression(Readout& readout, const at::Tensor& scaled_BD, const LabelledFeatures& train) {
  const double n = static_cast<double>(scaled_BD.size(0));
  const at::Tensor centre_T = train.targets_BT.mean(0);
  const at::Tensor spread_T = (train.targets_BT - centre_T).square().mean(0).sqrt().clamp_min(1e-12);
  const at::Tensor standardised_BT = (train.targets_BT - centre_T) / spread_T;
  const at::Tensor gram_DD =
      at::mm(scaled_BD.t(), scaled_BD) / n + readout.l2 * at::eye(scaled_BD.size(1), at::kDouble);
  const at::Tensor weight_DT = at::linalg_solve(gram_DD, at::mm(scaled_BD.t(), standardised_BT) / n);
  readout.weight_DC = (weight_DT * spread_T).contiguous();
  readout.bias_C = centre_T.contiguous();
}

}  // namespace

at::Tensor Readout::predict(const at::Tensor& features_BD) const {
  return at::addmm(bias_C, (features_BD.to(at::kDouble) - centre_D) / scale, weight_DC);
}

Readout fit_readout(const LabelledFeatures& train, double l2, int64_t max_iterations, const Readout* start) {
  const at::NoGradGuard no_grad;
  const at::Tensor& expected = train.n_classes > 0 ? train.labels_B : train.targets_BT;
  require(train.features_BD.dim() == 2 && expected.defined() && expected.size(0) == train.features_BD.size(0),
          "fit_readout: features and labels or targets disagree");
  Readout readout;
  readout.l2 = l2;
  const at::Tensor features_BD = train.features_BD.to(at::kDouble);
  readout.centre_D = features_BD.mean(0);
  const at::Tensor centred_BD = features_BD - readout.centre_D;
  readout.scale = std::max(std::sqrt(centred_BD.square().mean().item<double>()), 1e-12);
  const at::Tensor scaled_BD = (centred_BD / readout.scale).contiguous();
  if (train.n_classes > 0) {
    fit_classification(readout, scaled_BD, train, max_iterations, start);
  } else {
    fit_regression(readout, scaled_BD, train);
  }
  return readout;
}

Readout choose_readout(const LabelledFeatures& train, const LabelledFeatures& validation,
                       const ReadoutSettings& settings, Metric metric) {
  std::vector<double> penalties = settings.l2;
  std::sort(penalties.rbegin(), penalties.rend());  // from the smoothest, each a warm start for the next
  Readout best;
  double best_value = -std::numeric_limits<double>::infinity();
  Readout previous;
  for (size_t index = 0; index < penalties.size(); ++index) {
    previous = fit_readout(train, penalties[index], settings.max_iterations, index > 0 ? &previous : nullptr);
    const double value = evaluate(previous, validation, metric);
    if (value > best_value) {
      best_value = value;
      best = previous;
    }
  }
  require(best.weight_DC.defined(), "choose_readout: no penalty gave a finite validation metric");
  return best;
}

double evaluate(const Readout& readout, const LabelledFeatures& on, Metric metric) {
  return evaluate(readout.predict(on.features_BD), on, metric);
}

double evaluate(const at::Tensor& scores_BC, const LabelledFeatures& on, Metric metric) {
  switch (metric) {
    case Metric::kTop1:
      return top1(scores_BC, on.labels_B);
    case Metric::kMeanPerClass:
      return mean_per_class(scores_BC, on.labels_B);
    case Metric::kR2:
      return r2(scores_BC, on.targets_BT);
    case Metric::kR2Flat:
      return r2_flat(scores_BC, on.targets_BT);
  }
  throw PreconditionError("evaluate: unknown metric");
}

}  // namespace invaria::downstream

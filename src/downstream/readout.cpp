#include "downstream/readout.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/errors.hpp"
#include "downstream/logistic.hpp"

namespace invaria::downstream {
namespace {

/// Features centred and divided by one scalar, and by which.
struct Scaled {
  at::Tensor centre_D;
  double scale;
  at::Tensor features_BD;  ///< double
};

Scaled scaled(const at::Tensor& raw_BD) {
  const at::Tensor features_BD = raw_BD.to(at::kDouble);
  const at::Tensor centre_D = features_BD.mean(0);
  const at::Tensor centred_BD = features_BD - centre_D;
  const double scale = std::max(std::sqrt(centred_BD.square().mean().item<double>()), 1e-12);
  return {centre_D, scale, (centred_BD / scale).contiguous()};
}

/// Ridge regression of standardised targets on scaled features: one eigendecomposition serves every penalty.
class RidgePath {
 public:
  RidgePath(const Scaled& x, const at::Tensor& targets_BT) : centre_T_(targets_BT.mean(0)) {
    const double n = static_cast<double>(x.features_BD.size(0));
    spread_T_ = (targets_BT - centre_T_).square().mean(0).sqrt().clamp_min(1e-12);
    const at::Tensor standardised_BT = (targets_BT - centre_T_) / spread_T_;
    std::tie(value_D_, vector_DD_) = at::linalg_eigh(at::mm(x.features_BD.t(), x.features_BD) / n);
    projected_DT_ = at::mm(vector_DD_.t(), at::mm(x.features_BD.t(), standardised_BT) / n);
  }

  void fit(Readout& readout) const {
    const at::Tensor damped_D1 = (value_D_.clamp_min(0) + readout.l2).unsqueeze(1);
    readout.weight_DC = (at::mm(vector_DD_, projected_DT_ / damped_D1) * spread_T_).contiguous();
    readout.bias_C = centre_T_.contiguous();
  }

 private:
  at::Tensor centre_T_, spread_T_, value_D_, vector_DD_, projected_DT_;
};

/// A training set made ready once for fits at several penalties.
class Fitter {
 public:
  Fitter(const LabelledFeatures& train, int64_t max_iterations) : x_(scaled(train.features_BD)) {
    const at::Tensor& expected = train.n_classes > 0 ? train.labels_B : train.targets_BT;
    require(train.features_BD.dim() == 2 && expected.defined() && expected.size(0) == train.features_BD.size(0),
            "readout: features and labels or targets disagree");
    if (train.n_classes == 0 && train.target_kind == TargetKind::kNumbers) {
      ridge_.emplace(x_, train.targets_BT);
      return;
    }
    logistic_.features_BD = x_.features_BD;
    logistic_.truth_BC =
        train.n_classes > 0 ? at::one_hot(train.labels_B, train.n_classes).to(at::kDouble) : train.targets_BT;
    logistic_.likelihood = train.n_classes > 0 ? Likelihood::kSoftmax : Likelihood::kSigmoid;
    logistic_.max_iterations = max_iterations;
  }

  Readout fit(double l2, const Readout* start) {
    Readout readout{x_.centre_D, x_.scale, {}, {}, l2};
    if (ridge_) {
      ridge_->fit(readout);
      return readout;
    }
    const int64_t n_outputs = logistic_.truth_BC.size(1);
    readout.weight_DC =
        start != nullptr ? start->weight_DC : at::zeros({x_.features_BD.size(1), n_outputs}, at::kDouble);
    readout.bias_C = start != nullptr ? start->bias_C : at::zeros({n_outputs}, at::kDouble);
    logistic_.l2 = l2;
    minimise_logistic(logistic_, readout.weight_DC, readout.bias_C);
    return readout;
  }

 private:
  Scaled x_;
  std::optional<RidgePath> ridge_;
  LogisticProblem logistic_;
};

at::Tensor joined(const at::Tensor& first, const at::Tensor& second) {
  return first.defined() ? at::cat({first, second}) : at::Tensor();
}

}  // namespace

LabelledFeatures labelled(at::Tensor features_BD, const Samples& part, const TaskData& task) {
  return {std::move(features_BD), part.labels_B, part.targets_BT, task.n_classes,
          task.target_kind,       part.norm_B,   part.sounds_B};
}

LabelledFeatures concatenated(const LabelledFeatures& first, const LabelledFeatures& second) {
  return {joined(first.features_BD, second.features_BD),
          joined(first.labels_B, second.labels_B),
          joined(first.targets_BT, second.targets_BT),
          first.n_classes,
          first.target_kind,
          joined(first.norm_B, second.norm_B),
          joined(first.sounds_B, second.sounds_B)};
}

at::Tensor Readout::predict(const at::Tensor& features_BD) const {
  return at::addmm(bias_C, (features_BD.to(at::kDouble) - centre_D) / scale, weight_DC);
}

Readout fit_readout(const LabelledFeatures& train, double l2, int64_t max_iterations, const Readout* start) {
  const at::NoGradGuard no_grad;
  return Fitter(train, max_iterations).fit(l2, start);
}

ChosenReadout choose_readout(const LabelledFeatures& train, const LabelledFeatures& validation,
                             const ReadoutSettings& settings, Metric metric) {
  const at::NoGradGuard no_grad;
  std::vector<double> penalties = settings.l2;
  std::sort(penalties.rbegin(), penalties.rend());
  const double sign = less_is_better(metric) ? -1.0 : 1.0;
  Fitter fitter(train, settings.max_iterations);
  ChosenReadout chosen;
  double best_value = -std::numeric_limits<double>::infinity();
  Readout previous;
  for (size_t index = 0; index < penalties.size(); ++index) {
    previous = fitter.fit(penalties[index], index > 0 ? &previous : nullptr);
    const double value = sign * evaluate(previous, validation, metric);
    if (value > best_value) {
      best_value = value;
      chosen.on_train = previous;
    }
  }
  require(chosen.on_train.weight_DC.defined(), "choose_readout: no penalty gave a finite validation metric");
  chosen.final = chosen.on_train;
  if (settings.refit == Refit::kTrainAndValidation) {
    chosen.final =
        fit_readout(concatenated(train, validation), chosen.on_train.l2, settings.max_iterations, &chosen.on_train);
  }
  return chosen;
}

double evaluate(const Readout& readout, const LabelledFeatures& on, Metric metric) {
  return evaluate(metric, readout.predict(on.features_BD), on.truth());
}

}  // namespace invaria::downstream

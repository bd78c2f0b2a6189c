#include "downstream/readout.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <functional>
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

/// Ridge regression of standardised targets on scaled features: their principal axes serve every penalty.
class RidgePath {
 public:
  RidgePath(const at::Tensor& features_BD, const at::Tensor& targets_BT)
      : axes_(features_BD), centre_T_(targets_BT.mean(0)) {
    spread_T_ = (targets_BT - centre_T_).square().mean(0).sqrt().clamp_min(1e-12);
    const at::Tensor standardised_BT = (targets_BT - centre_T_) / spread_T_;
    projected_RT_ = at::mm(axes_.features_BR.t(), standardised_BT) / static_cast<double>(features_BD.size(0));
  }

  LinearParameters fit(double l2) const {
    const at::Tensor damped_R1 = (axes_.moment_R + l2).unsqueeze(1);
    return {at::mm(axes_.axis_DR, projected_RT_ / damped_R1) * spread_T_, centre_T_};
  }

 private:
  PrincipalAxes axes_;
  at::Tensor centre_T_, spread_T_, projected_RT_;
};

/// A training set made ready once for fits at several penalties.
class Fitter {
 public:
  Fitter(const LabelledFeatures& train, int64_t max_passes) : x_(scaled(train.features_BD)) {
    end_.max_passes = max_passes;
    const at::Tensor& expected = train.n_classes > 0 ? train.labels_B : train.targets_BT;
    require(train.features_BD.dim() == 2 && expected.defined() && expected.size(0) == train.features_BD.size(0),
            "readout: features and labels or targets disagree");
    if (train.n_classes > 0) {
      logistic_.emplace(x_.features_BD, at::one_hot(train.labels_B, train.n_classes).to(at::kDouble),
                        Likelihood::kSoftmax);
    } else if (train.target_kind == TargetKind::kAttributes) {
      logistic_.emplace(x_.features_BD, train.targets_BT, Likelihood::kSigmoid);
    } else {
      ridge_.emplace(x_.features_BD, train.targets_BT);
    }
  }

  Readout fit(double l2, const Readout* start) const {
    if (ridge_) return readout(ridge_->fit(l2), l2);
    LinearParameters found = start != nullptr ? LinearParameters{start->weight_DC, start->bias_C} : logistic_->zeros();
    logistic_->minimise(l2, found, end_);
    return readout(found, l2);
  }

  /// At each penalty, from the largest: `visit` sees one readout after the other, which may be large.
  void fit_path(const std::vector<double>& penalties, const std::function<void(const Readout&)>& visit) const {
    if (ridge_) {
      for (const double l2 : penalties) visit(readout(ridge_->fit(l2), l2));
      return;
    }
    LogisticPath path(*logistic_, end_);
    for (const double l2 : penalties) {
      path.fit(l2);
      visit(readout(path.parameters(), l2));
    }
  }

 private:
  Readout readout(const LinearParameters& found, double l2) const {
    return {x_.centre_D, x_.scale, found.weight_DC, found.bias_C, l2};
  }

  Scaled x_;
  LogisticEnd end_;
  std::optional<RidgePath> ridge_;
  std::optional<LogisticRegression> logistic_;
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

Readout fit_readout(const LabelledFeatures& train, double l2, int64_t max_passes, const Readout* start) {
  const at::NoGradGuard no_grad;
  return Fitter(train, max_passes).fit(l2, start);
}

ChosenReadout choose_readout(const LabelledFeatures& train, const LabelledFeatures& validation,
                             const ReadoutSettings& settings, Metric metric) {
  const at::NoGradGuard no_grad;
  std::vector<double> penalties = settings.l2;
  std::sort(penalties.rbegin(), penalties.rend());
  penalties.erase(std::unique(penalties.begin(), penalties.end()), penalties.end());
  const double sign = less_is_better(metric) ? -1.0 : 1.0;
  const Fitter fitter(train, settings.max_passes);
  ChosenReadout chosen;
  double best_value = -std::numeric_limits<double>::infinity();
  fitter.fit_path(penalties, [&](const Readout& readout) {
    const double value = sign * evaluate(readout, validation, metric);
    if (value > best_value) {
      best_value = value;
      chosen.on_train = readout;
    }
  });
  require(chosen.on_train.weight_DC.defined(), "choose_readout: no penalty gave a finite validation metric");
  chosen.final = chosen.on_train;
  if (settings.refit == Refit::kTrainAndValidation) {
    chosen.final =
        fit_readout(concatenated(train, validation), chosen.on_train.l2, settings.max_passes, &chosen.on_train);
  }
  return chosen;
}

double evaluate(const Readout& readout, const LabelledFeatures& on, Metric metric) {
  return evaluate(metric, readout.predict(on.features_BD), on.truth());
}

}  // namespace invaria::downstream

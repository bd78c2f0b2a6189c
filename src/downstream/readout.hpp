#pragma once
/// @file
/// The linear readout on frozen features, the same for every arm.
///
/// Features are centred and divided by one scalar (the root mean feature variance of the training set: per-feature
/// division would blow up nearly dead features). Classes: mean cross-entropy + l2/2 |W|^2. Attributes: a logistic
/// regression each, mean over samples of the sum over attributes of binary cross-entropies + l2/2 |W|^2. Both by
/// Newton's method (logistic.hpp), the bias free of penalty. Numbers: 1/2 mean |x W + b - y|^2 + l2/2 |W|^2 on
/// standardised targets, in closed form. l2 is chosen on validation. scikit-learn's LogisticRegression has this
/// objective with C = 1 / (l2 n), its Ridge with alpha = l2 n.
///
/// Shape legend: B samples, D features, C outputs (classes or targets).

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "downstream/metrics.hpp"
#include "downstream/samples.hpp"
#include "downstream/settings.hpp"

namespace invaria::downstream {

/// What a readout learns from: features [n, D] and the samples' labels or targets.
struct LabelledFeatures {
  at::Tensor features_BD;
  at::Tensor labels_B;    ///< with classes
  at::Tensor targets_BT;  ///< without
  int64_t n_classes = 0;
  TargetKind target_kind = TargetKind::kNumbers;
  at::Tensor norm_B = {};    ///< see Truth
  at::Tensor sounds_B = {};  ///< likewise

  Truth truth() const { return {labels_B, targets_BT, norm_B, sounds_B}; }
};

/// The features of a part of a task, with what the part says.
LabelledFeatures labelled(at::Tensor features_BD, const Samples& part, const TaskData& task);

/// One after the other.
LabelledFeatures concatenated(const LabelledFeatures& first, const LabelledFeatures& second);

/// A fitted readout.
struct Readout {
  at::Tensor centre_D;
  double scale = 1.0;
  at::Tensor weight_DC;
  at::Tensor bias_C;
  double l2 = 0.0;

  /// Scores, or predicted targets in their own units: [n, C] double.
  at::Tensor predict(const at::Tensor& features_BD) const;
};

/// Fit at one penalty. A `start` of the same shape is a warm start. @throws PreconditionError if shapes
/// disagree
Readout fit_readout(const LabelledFeatures& train, double l2, int64_t max_passes, const Readout* start = nullptr);

/// A choice among penalties.
struct ChosenReadout {
  Readout on_train;  ///< fitted on the training set alone: it has not seen the validation set that it was chosen by
  Readout final;     ///< what reads the test set: on_train, or refitted at its penalty on train + validation
};

/// Fit at every penalty, from the largest, each from where the last lead (LogisticPath), and keep the one with the best
/// validation metric; ties go to the larger penalty. Refit if the settings say so.
/// @throws PreconditionError if no penalty gives a finite validation metric
ChosenReadout choose_readout(const LabelledFeatures& train, const LabelledFeatures& validation,
                             const ReadoutSettings& settings, Metric metric);

/// A metric of a readout on labelled features.
double evaluate(const Readout& readout, const LabelledFeatures& on, Metric metric);

}  // namespace invaria::downstream

#pragma once
/// @file
/// The linear readout on frozen features, the same for every arm.
///
/// Features are centred and divided by one scalar (the root mean feature variance of the training set: per-feature
/// division would blow up nearly dead features). Classification: mean cross-entropy + l2/2 |W|^2, bias free of penalty,
/// by L-BFGS. Regression: 1/2 mean |x W + b - y|^2 + l2/2 |W|^2 on standardised targets, in closed form. l2 is chosen
/// on validation.
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
  at::Tensor labels_B;    ///< classification
  at::Tensor targets_BT;  ///< regression
  int64_t n_classes = 0;
};

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

/// Fit at one penalty. A `start` of the same shape is a warm start for L-BFGS. @throws PreconditionError if shapes
/// disagree
Readout fit_readout(const LabelledFeatures& train, double l2, int64_t max_iterations, const Readout* start = nullptr);

/// Fit at every penalty and keep the one with the best validation metric; ties go to the larger penalty.
Readout choose_readout(const LabelledFeatures& train, const LabelledFeatures& validation,
                       const ReadoutSettings& settings, Metric metric);

/// A metric of a readout on labelled features.
double evaluate(const Readout& readout, const LabelledFeatures& on, Metric metric);

/// A metric of scores or predictions against what the set says.
double evaluate(const at::Tensor& scores_BC, const LabelledFeatures& on, Metric metric);

}  // namespace invaria::downstream

#pragma once
/// @file
/// What `projected` descends on: the loss, on one half of a batch, of the readout that is best on the other half.
///
/// With halves P and Q, W*(F_P) the readout fitted on P, the loss is L(F_Q, W*(F_P)) plus the same with P and Q
/// exchanged. It is a function of the features alone, since the readout is solved for, and so is its gradient:
///
///     dL/dF_P = -(d/dF_P) <grad_W J_P(F_P, W*), v>,    H_P v = grad_W L(F_Q, W*)
///
/// by the implicit function theorem at the optimum of the fitted objective J_P, whose Hessian is H_P (J. Domke,
/// "Generic methods for optimization-based modeling", AISTATS 2012; arXiv:1602.02355). Of ridge regression W* has a
/// closed form, and automatic differentiation goes through it.
///
/// Shape legend: B samples, D features, C outputs (classes, attributes or numbers); P, Q samples of a half.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "config/invariance.hpp"
#include "downstream/box_descent.hpp"
#include "downstream/logistic.hpp"
#include "downstream/samples.hpp"
#include "downstream/settings.hpp"
#include "model/encoder.hpp"

namespace invaria::downstream {

/// What the readout inside is asked for.
struct InnerTargets {
  at::Tensor target_BC;                    ///< double: 0 or 1 for a logistic readout, else see regression_targets()
  std::optional<Likelihood> likelihood{};  ///< of a logistic readout; without: ridge regression

  InnerTargets select(const at::Tensor& index_B) const;
};

/// @param n_classes  0 without classes. Numbers are predicted by ridge regression in any case.
InnerTargets inner_targets(const Samples& samples, int64_t n_classes, TargetKind kind, InnerReadout readout);

/// Targets of ridge regression: centred one-hot [B, C], or coordinates standardised. Double.
at::Tensor regression_targets(const Samples& samples, int64_t n_classes);

/// The held-out loss of ridge regression, differentiable in the features.
///
/// Features are centred, divided by the root mean feature variance and by sqrt(D). W = F_P^T (F_P F_P^T + ridge I)^-1
/// Y_P, loss = mean |F_Q W - Y_Q|^2, plus P and Q exchanged.
/// @param half_B  int64 [B], 0 for P and 1 for Q
at::Tensor projected_loss(const at::Tensor& features_BD, const at::Tensor& targets_BC, const at::Tensor& half_B,
                          double ridge);

/// A held-out loss, and how it changes with the features.
struct HeldOutLoss {
  double value = 0.0;
  at::Tensor gradient_BD;  ///< double
};

/// The held-out loss of a logistic readout: features scaled as the final readout scales them (readout.hpp), mean
/// negative log-likelihood + l2/2 |W|^2 minimised on P, mean negative log-likelihood on Q, plus P and Q exchanged.
HeldOutLoss logistic_loss(const at::Tensor& features_BD, const InnerTargets& targets, const at::Tensor& half_B,
                          double l2);

/// Of the readout that the targets ask for, under that one of the penalties that gives the lowest loss; the gradient is
/// that penalty's.
HeldOutLoss held_out_loss(const at::Tensor& features_BD, const InnerTargets& targets, const at::Tensor& half_B,
                          const ProjectedSettings& settings);

/// A batch at which i is judged.
struct HeldOutBatch {
  at::Tensor images_BCHW;
  InnerTargets targets;
  at::Tensor half_B;
};

/// The held-out loss of a frozen encoder's features at an i, under running statistics, and dL/di.
///
/// Larger batches than `images_at_once` go through the encoder twice, first for the loss and then piece by piece for
/// the gradient, so that activations of one piece are kept at most: the same numbers, since running statistics tie no
/// images together.
/// @param encoder_passes  the images that were sent through the encoder are added
PointValue held_out_at(const model::Encoder& encoder, model::FrozenGenerator& generator, const HeldOutBatch& batch,
                       const ProjectedSettings& settings, const config::Invariance& at, int64_t& encoder_passes,
                       int64_t images_at_once);

/// Images whose activations an encoder keeps at once while i is learned: as many as fit about 4 GiB, 1,024 at most.
int64_t images_kept_at_once(const model::EncoderSettings& settings, const config::ViewShape& view);

}  // namespace invaria::downstream

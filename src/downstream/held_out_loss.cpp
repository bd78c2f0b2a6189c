#include "downstream/held_out_loss.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/errors.hpp"
#include "downstream/features.hpp"
#include "model/cost.hpp"

namespace invaria::downstream {
namespace {

/// Held-out loss of the ridge regression fitted on one half.
at::Tensor one_way_loss(const at::Tensor& features_P, const at::Tensor& targets_P, const at::Tensor& features_Q,
                        const at::Tensor& targets_Q, double ridge) {
  const at::Tensor gram_PP =
      at::mm(features_P, features_P.t()) + ridge * at::eye(features_P.size(0), features_P.options());
  const at::Tensor dual_PT = at::linalg_solve(gram_PP, targets_P);
  return (at::mm(features_Q, at::mm(features_P.t(), dual_PT)) - targets_Q).square().sum(1).mean();
}

/// Centred, and divided by the root mean feature variance.
at::Tensor scaled(const at::Tensor& features_BD) {
  const at::Tensor centred_BD = features_BD - features_BD.mean(0);
  return centred_BD / centred_BD.square().mean().sqrt().clamp_min(1e-12);
}

at::Tensor rows_of_half(const at::Tensor& half_B, int64_t half) {
  return half_B.eq(half).nonzero().flatten();
}

/// The logistic readout fitted on P and judged on Q, with gradients in the scaled features of both.
struct OneWay {
  double loss;
  at::Tensor gradient_PD, gradient_QD;
};

OneWay one_way_logistic(const at::Tensor& features_PD, const at::Tensor& truth_PC, const at::Tensor& features_QD,
                        const at::Tensor& truth_QC, Likelihood likelihood, double l2) {
  const double n_P = static_cast<double>(features_PD.size(0)), n_Q = static_cast<double>(features_QD.size(0));
  const LogisticRegression regression(features_PD, truth_PC, likelihood);
  LinearParameters fitted = LinearParameters::zeros(features_PD.size(1), truth_PC.size(1));
  // The implicit function theorem holds at the optimum, which Newton's steps find far more closely than a metric needs.
  regression.minimise(l2, fitted, {.tolerance = 1e-16, .max_passes = 2000});

  const at::Tensor scores_QC = fitted.scores(features_QD);
  const at::Tensor slope_QC = (probabilities(scores_QC, likelihood) - truth_QC) / n_Q;
  const LinearParameters v =
      regression.inverse_hessian_times({at::mm(features_QD.t(), slope_QC), slope_QC.sum(0)}, l2, fitted);
  const at::Tensor probability_PC = probabilities(fitted.scores(features_PD), likelihood);
  const at::Tensor curved_PC = jacobian_times(probability_PC, v.scores(features_PD), likelihood);
  const at::Tensor gradient_PD =
      -(at::mm(probability_PC - truth_PC, v.weight_DC.t()) + at::mm(curved_PC, fitted.weight_DC.t())) / n_P;
  return {negative_log_likelihood(scores_QC, truth_QC, likelihood) / n_Q, gradient_PD,
          at::mm(slope_QC, fitted.weight_DC.t())};
}

HeldOutLoss ridge_loss(const at::Tensor& features_BD, const InnerTargets& targets, const at::Tensor& half_B,
                       double ridge) {
  const at::AutoGradMode with_grad(true);
  const at::Tensor leaf_BD = features_BD.detach().to(at::kDouble).set_requires_grad(true);
  const at::Tensor loss = projected_loss(leaf_BD, targets.target_BC, half_B, ridge);
  loss.backward();
  return {loss.item<double>(), leaf_BD.grad()};
}

}  // namespace

InnerTargets InnerTargets::select(const at::Tensor& index_B) const {
  return {target_BC.index_select(0, index_B), likelihood};
}

at::Tensor regression_targets(const Samples& samples, int64_t n_classes) {
  if (n_classes > 0) {
    const at::Tensor one_hot_BC = at::one_hot(samples.labels_B, n_classes).to(at::kDouble);
    return one_hot_BC - one_hot_BC.mean(0);
  }
  const at::Tensor centred_BC = samples.targets_BT - samples.targets_BT.mean(0);
  return centred_BC / centred_BC.square().mean(0).sqrt().clamp_min(1e-12);
}

InnerTargets inner_targets(const Samples& samples, int64_t n_classes, TargetKind kind, InnerReadout readout) {
  const bool is_numbers = n_classes == 0 && kind == TargetKind::kNumbers;
  if (readout == InnerReadout::kRidge || is_numbers) return {regression_targets(samples, n_classes), {}};
  if (n_classes == 0) return {samples.targets_BT, Likelihood::kSigmoid};
  return {at::one_hot(samples.labels_B, n_classes).to(at::kDouble), Likelihood::kSoftmax};
}

at::Tensor projected_loss(const at::Tensor& features_BD, const at::Tensor& targets_BC, const at::Tensor& half_B,
                          double ridge) {
  const at::Tensor scaled_BD = scaled(features_BD) / std::sqrt(static_cast<double>(features_BD.size(1)));
  const at::Tensor index_P = rows_of_half(half_B, 0), index_Q = rows_of_half(half_B, 1);
  const at::Tensor features_P = scaled_BD.index_select(0, index_P), features_Q = scaled_BD.index_select(0, index_Q);
  const at::Tensor targets_P = targets_BC.index_select(0, index_P), targets_Q = targets_BC.index_select(0, index_Q);
  return one_way_loss(features_P, targets_P, features_Q, targets_Q, ridge) +
         one_way_loss(features_Q, targets_Q, features_P, targets_P, ridge);
}

HeldOutLoss logistic_loss(const at::Tensor& features_BD, const InnerTargets& targets, const at::Tensor& half_B,
                          double l2) {
  require(targets.likelihood.has_value(), "logistic_loss: these targets are regressed");
  const at::AutoGradMode with_grad(true);
  const at::Tensor leaf_BD = features_BD.detach().to(at::kDouble).set_requires_grad(true);
  const at::Tensor scaled_BD = scaled(leaf_BD);
  at::Tensor gradient_BD = at::zeros_like(scaled_BD);
  double total = 0.0;
  {
    const at::NoGradGuard no_grad;
    for (int64_t fitted : {0, 1}) {
      const at::Tensor index_P = rows_of_half(half_B, fitted), index_Q = rows_of_half(half_B, 1 - fitted);
      const OneWay way = one_way_logistic(
          scaled_BD.index_select(0, index_P), targets.target_BC.index_select(0, index_P),
          scaled_BD.index_select(0, index_Q), targets.target_BC.index_select(0, index_Q), *targets.likelihood, l2);
      total += way.loss;
      gradient_BD.index_add_(0, index_P, way.gradient_PD).index_add_(0, index_Q, way.gradient_QD);
    }
  }
  scaled_BD.backward(gradient_BD);
  return {total, leaf_BD.grad()};
}

HeldOutLoss held_out_loss(const at::Tensor& features_BD, const InnerTargets& targets, const at::Tensor& half_B,
                          const ProjectedSettings& settings) {
  HeldOutLoss best{std::numeric_limits<double>::infinity(), {}};
  for (double penalty : targets.likelihood ? settings.l2 : settings.ridge) {
    const HeldOutLoss loss = targets.likelihood ? logistic_loss(features_BD, targets, half_B, penalty)
                                                : ridge_loss(features_BD, targets, half_B, penalty);
    if (loss.value < best.value) best = loss;
  }
  require(std::isfinite(best.value), "held_out_loss: no penalty gives a finite loss");
  return best;
}

PointValue held_out_at(const model::Encoder& encoder, model::FrozenGenerator& generator, const HeldOutBatch& batch,
                       const ProjectedSettings& settings, const config::Invariance& at, int64_t& encoder_passes,
                       int64_t images_at_once) {
  const model::Generated generated = generator.at(at);
  const at::Device device = device_of(encoder);
  const int64_t n = batch.images_BCHW.size(0);
  const auto features_of = [&](int64_t first, int64_t count) {
    return encoder.forward(batch.images_BCHW.narrow(0, first, count).to(device), generated,
                           model::BatchNormPass::running());
  };
  const auto loss_of = [&](const at::Tensor& features_BD) {
    return held_out_loss(features_BD.detach().cpu(), batch.targets, batch.half_B, settings);
  };
  encoder_passes += n;
  if (n <= images_at_once) {
    const at::Tensor features_BD = features_of(0, n);
    const HeldOutLoss loss = loss_of(features_BD);
    features_BD.backward(loss.gradient_BD.to(features_BD.options()));
    return {loss.value, generator.gradient(generated.gradients())};
  }
  encoder_passes += n;
  const HeldOutLoss loss =
      loss_of(extract_features(encoder, generated, model::BatchNormPass::running(), batch.images_BCHW, images_at_once));
  for (int64_t first = 0; first < n; first += images_at_once) {
    const int64_t count = std::min(images_at_once, n - first);
    const at::Tensor features_BD = features_of(first, count);
    features_BD.backward(loss.gradient_BD.narrow(0, first, count).to(features_BD.options()));
  }
  return {loss.value, generator.gradient(generated.gradients())};
}

int64_t images_kept_at_once(const model::EncoderSettings& settings, const config::ViewShape& view) {
  constexpr double kBytes = 4.0 * (int64_t{1} << 30);
  const double each = model::activation_bytes_per_image(settings, view, model::Precision::kFloat32);
  return std::clamp(static_cast<int64_t>(kBytes / each), int64_t{16}, int64_t{1024});
}

}  // namespace invaria::downstream

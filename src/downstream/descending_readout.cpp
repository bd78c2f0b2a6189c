#include "downstream/descending_readout.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "core/errors.hpp"
#include "core/philox.hpp"

namespace invaria::downstream {

DescendingReadout::DescendingReadout(const LabelledFeatures& train, int64_t feature_dim, double learning_rate)
    : learning_rate_(learning_rate), n_classes_(train.n_classes), target_kind_(train.target_kind) {
  int64_t n_outputs = n_classes_;
  if (n_classes_ > 0) {
    expected_ = train.labels_B;
  } else if (target_kind_ == TargetKind::kAttributes) {
    n_outputs = train.targets_BT.size(1);
    expected_ = train.targets_BT.to(at::kFloat);
  } else {
    n_outputs = train.targets_BT.size(1);
    centre_T_ = train.targets_BT.mean(0);
    spread_T_ = (train.targets_BT - centre_T_).square().mean(0).sqrt().clamp_min(1e-12);
    expected_ = ((train.targets_BT - centre_T_) / spread_T_).to(at::kFloat);
  }
  weight_DC_ = at::zeros({feature_dim, n_outputs}).set_requires_grad(true);
  bias_C_ = at::zeros({n_outputs}).set_requires_grad(true);
  for (const at::Tensor* parameter : {&weight_DC_, &bias_C_})
    moments_.push_back({at::zeros(parameter->sizes()), at::zeros(parameter->sizes())});
}

at::Tensor DescendingReadout::loss(const at::Tensor& features_BD, const at::Tensor& index_B) const {
  const at::Tensor scores_BC = at::addmm(bias_C_, features_BD, weight_DC_);
  const at::Tensor expected = expected_.index_select(0, index_B);
  if (n_classes_ > 0) return at::cross_entropy_loss(scores_BC, expected);
  if (target_kind_ == TargetKind::kNumbers) return at::l1_loss(scores_BC, expected);
  return at::binary_cross_entropy_with_logits(scores_BC, expected);
}

void DescendingReadout::step(double share) {
  ++steps_;
  const at::NoGradGuard no_grad;
  size_t slot = 0;
  for (at::Tensor* parameter : {&weight_DC_, &bias_C_}) {
    const at::Tensor gradient = parameter->grad();
    Moments& moments = moments_[slot++];
    moments.first.mul_(0.9).add_(gradient, 0.1);
    moments.second.mul_(0.999).addcmul_(gradient, gradient, 0.001);
    const double correction_1 = 1 - std::pow(0.9, steps_), correction_2 = 1 - std::pow(0.999, steps_);
    parameter->addcdiv_(moments.first, (moments.second / correction_2).sqrt() + 1e-8,
                        -share * learning_rate_ / correction_1);
    parameter->mutable_grad().reset();
  }
}

Readout DescendingReadout::readout() const {
  Readout readout{at::zeros({weight_DC_.size(0)}, at::kDouble), 1.0, weight_DC_.detach().to(at::kDouble).clone(),
                  bias_C_.detach().to(at::kDouble).clone(), 0.0};
  if (n_classes_ == 0 && target_kind_ == TargetKind::kNumbers) {
    readout.weight_DC = readout.weight_DC * spread_T_;
    readout.bias_C = readout.bias_C * spread_T_ + centre_T_;
  }
  return readout;
}

void DescentScaling::fix(const at::Tensor& features_BD) {
  n_ = 0;
  square_ = 0.0;
  is_fixed_ = false;
  scaled(features_BD.detach());
  is_fixed_ = true;
}

at::Tensor DescentScaling::scaled(const at::Tensor& features_BD) {
  if (kind_ == JointScaling::kNone) return features_BD;
  if (is_fixed_) return (features_BD - centre_D_) / std::sqrt(square_);
  const at::Tensor centre_D = features_BD.mean(0);
  const at::Tensor centred_BD = features_BD - centre_D;
  const at::Tensor square = centred_BD.square().mean().clamp_min(1e-24);
  centre_D_ = n_ == 0 ? centre_D.detach() : centre_D_ + centre_D.detach();
  square_ += square.item<double>();
  ++n_;
  return centred_BD / square.sqrt();
}

void DescentScaling::complete(Readout& readout) {
  if (kind_ == JointScaling::kNone) return;
  const auto n = static_cast<double>(n_);
  readout.centre_D = centre_D_.to(at::kDouble) / n;
  readout.scale = std::sqrt(square_ / n);
  if (is_fixed_) return;
  n_ = 0;
  square_ = 0.0;
}

double descent_share(JointSchedule schedule, int64_t step, int64_t n_steps) {
  if (schedule == JointSchedule::kConstant) return 1.0;
  return 0.5 * (1.0 + std::cos(std::numbers::pi * static_cast<double>(step) / static_cast<double>(n_steps)));
}

at::Tensor descent_order(int64_t n, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  Draws({.seed = seed, .purpose = Purpose::kReadout, .epoch = static_cast<uint64_t>(epoch)}).shuffle(std::span(order));
  return at::tensor(order, at::kLong);
}

Readout fit_by_descent(const LabelledFeatures& train, const LabelledFeatures& validation, const JointSettings& settings,
                       Metric metric, uint64_t seed) {
  const int64_t n = train.features_BD.size(0);
  DescentScaling scaling(settings.scaling);
  if (settings.scaling != JointScaling::kNone) scaling.fix(train.features_BD.to(at::kFloat));
  const at::Tensor features_BD = scaling.scaled(train.features_BD.to(at::kFloat));
  const auto readout_now = [&](const DescendingReadout& descending) {
    Readout readout = descending.readout();
    scaling.complete(readout);
    return readout;
  };
  const int64_t steps_an_epoch = (n + settings.batch - 1) / settings.batch;
  const double sign = less_is_better(metric) ? -1.0 : 1.0;
  DescendingReadout descending(train, features_BD.size(1), settings.readout_learning_rate);
  Readout kept;
  double best = -std::numeric_limits<double>::infinity();
  for (int64_t epoch = 0; epoch < settings.epochs; ++epoch) {
    const at::Tensor order_B = descent_order(n, seed, epoch);
    for (int64_t first = 0; first < n; first += settings.batch) {
      const at::Tensor index_B = order_B.narrow(0, first, std::min(settings.batch, n - first));
      descending.loss(features_BD.index_select(0, index_B), index_B).backward();
      descending.step(descent_share(settings.schedule, epoch * steps_an_epoch + first / settings.batch,
                                    settings.epochs * steps_an_epoch));
    }
    if (settings.keep == KeptEpoch::kLast) continue;
    const Readout readout = readout_now(descending);
    const double value = sign * evaluate(readout, validation, metric);
    if (!(value > best)) continue;
    best = value;
    kept = readout;
  }
  if (settings.keep == KeptEpoch::kLast) return readout_now(descending);
  require(kept.weight_DC.defined(), "fit_by_descent: no epoch gave a finite validation metric");
  return kept;
}

}  // namespace invaria::downstream

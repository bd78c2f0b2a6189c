#pragma once
/// @file
/// A linear readout that descends by Adam (arXiv:1412.6980, its default betas) in batches, as published: from
/// zero, without a penalty, on features as they are or scaled. Cross-entropy of classes, mean binary cross-entropy of
/// attributes, L1 of standardised numbers.

#include <cstdint>
#include <vector>

#include "downstream/readout.hpp"

namespace invaria::downstream {

class DescendingReadout {
 public:
  /// @param train  what it learns to say; its features are not looked at
  DescendingReadout(const LabelledFeatures& train, int64_t feature_dim, double learning_rate);

  /// Mean loss over some training samples, differentiable in the features and the readout.
  /// @param features_BD  float, on the CPU
  /// @param index_B      which samples they are of
  at::Tensor loss(const at::Tensor& features_BD, const at::Tensor& index_B) const;

  /// One step of Adam along the gradients of the losses since the last step.
  /// @param share  of the learning rate
  void step(double share = 1.0);

  /// As it is now, in the targets' own units.
  Readout readout() const;

 private:
  struct Moments {
    at::Tensor first, second;
  };
  double learning_rate_;
  int64_t steps_ = 0;
  int64_t n_classes_;
  TargetKind target_kind_;
  at::Tensor expected_;             ///< labels, attributes, or standardised numbers
  at::Tensor centre_T_, spread_T_;  ///< of numbers
  at::Tensor weight_DC_, bias_C_;   ///< float
  std::vector<Moments> moments_;
};

/// How a descending readout's features are centred and divided by one scalar, see JointScaling.
class DescentScaling {
 public:
  explicit DescentScaling(JointScaling kind) : kind_(kind) {}

  /// Take the moments of features for all that follow.
  void fix(const at::Tensor& features_BD);
  /// The features as the readout sees them; differentiable. Of kBatch the moments are remembered.
  at::Tensor scaled(const at::Tensor& features_BD);
  /// A readout of scaled features made one of features: with the fixed moments, or the means since it was last asked.
  void complete(Readout& readout);

 private:
  JointScaling kind_;
  bool is_fixed_ = false;
  at::Tensor centre_D_;  ///< of kBatch: summed over batches
  double square_ = 0.0;  ///< mean feature variance; of kBatch: summed over batches
  int64_t n_ = 0;
};

/// The share of its rates that a descent has at step `step` of `n_steps`.
double descent_share(JointSchedule schedule, int64_t step, int64_t n_steps);

/// The order of a training set in one epoch of a descent, drawn from (seed, epoch): int64 [n].
at::Tensor descent_order(int64_t n, uint64_t seed, int64_t epoch);

/// A readout that descends on cached features, as learned-joint's does at an i that stays: `settings.epochs` epochs in
/// batches; of them the best by the validation metric is kept, or the last. Scaling, if any, is by the training set's
/// moments.
Readout fit_by_descent(const LabelledFeatures& train, const LabelledFeatures& validation, const JointSettings& settings,
                       Metric metric, uint64_t seed);

}  // namespace invaria::downstream

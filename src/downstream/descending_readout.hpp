#pragma once
/// @file
/// A linear readout that descends by Adam (arXiv:1412.6980, its default betas) in batches, as published: on features as
/// they are, from zero, without a penalty. Cross-entropy of classes, mean binary cross-entropy of attributes, L1 of
/// standardised numbers.

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
  void step();

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

/// The order of a training set in one epoch of a descent, drawn from (seed, epoch): int64 [n].
at::Tensor descent_order(int64_t n, uint64_t seed, int64_t epoch);

/// A readout that descends on cached features, as learned-joint's does at an i that stays: `settings.epochs` epochs in
/// batches; of them the best by the validation metric is kept, or the last.
Readout fit_by_descent(const LabelledFeatures& train, const LabelledFeatures& validation, const JointSettings& settings,
                       Metric metric, uint64_t seed);

}  // namespace invaria::downstream

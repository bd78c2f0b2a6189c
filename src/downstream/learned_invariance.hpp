#pragma once
/// @file
/// The arms that learn i by gradient descent on a frozen encoder: `projected` (the readout solved for at every step)
/// and `joint` (the readout descends beside i, as published in arXiv:2302.12712, Sec. 3.3). i stays in [0, 1]^K by
/// clamping after every step.

#include <cstdint>
#include <functional>

#include "config/invariance.hpp"
#include "downstream/metrics.hpp"
#include "downstream/readout.hpp"
#include "downstream/samples.hpp"
#include "downstream/settings.hpp"
#include "io/records.hpp"
#include "model/encoder.hpp"

namespace invaria::downstream {

/// Where i went.
struct LearnedInvariance {
  config::Invariance invariance;
  io::Trajectory trajectory;   ///< the points that were visited, the start first
  int64_t encoder_passes = 0;  ///< images sent through the encoder
};

/// Thrown by a long arm when it is asked to stop: its work is given up and done again by the run that continues.
struct StoppedError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
using StopRequested = std::function<bool()>;

/// The held-out ridge loss of features, as `projected` descends on it, differentiable in the features.
///
/// Features are centred, divided by the root mean feature variance and by sqrt(D); targets are one-hot and centred, or
/// standardised per coordinate. With halves P, Q: W = F_P^T (F_P F_P^T + lambda I)^-1 Y_P, loss = mean |F_Q W - Y_Q|^2,
/// plus P and Q exchanged.
/// @param half_B  int64 [B], 0 for P and 1 for Q
at::Tensor projected_loss(const at::Tensor& features_BD, const at::Tensor& targets_BT, const at::Tensor& half_B,
                          double ridge);

/// Learn i from the centre of [0, 1]^K under running statistics, in `settings.steps` steps of Adam.
///
/// With fewer than two samples of some class the halves would not both know it: refused.
/// @throws ConfigError in that case, naming the class
LearnedInvariance learn_projected(const model::Encoder& encoder, const Samples& train, int64_t n_classes,
                                  const ProjectedSettings& settings, uint64_t seed, const StopRequested& stop);

/// What `joint` ends with: besides i, the readout that descended with it.
struct JointResult {
  LearnedInvariance learned;
  Readout readout;
  double validation_value = 0.0;
};

/// Learn i and a linear readout together by Adam, in batches, under running statistics; the epoch with the best
/// validation metric is kept.
JointResult learn_joint(const model::Encoder& encoder, const TaskData& task, const JointSettings& settings,
                        Metric metric, uint64_t seed, const StopRequested& stop);

/// i rounded to the nearest corner: 0.5 and above is 1.
config::Invariance discretised(const config::Invariance& invariance);

/// Targets as `projected` sees them: centred one-hot [B, C], or coordinates standardised [B, T]. Double.
at::Tensor regression_targets(const Samples& samples, int64_t n_classes);

}  // namespace invaria::downstream

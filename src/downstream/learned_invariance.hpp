#pragma once
/// @file
/// The arms that learn i by gradient descent on a frozen encoder: `projected` (the readout solved for at every step)
/// and `joint` (the readout descends beside i, as published in arXiv:2302.12712, Sec. 3.3). i stays in [0, 1]^K by
/// clamping after every step.
///
/// dL/di is taken in reverse mode, to the generated tensors and on to i. Forward mode (K tangents stacked in one pass,
/// no activations kept) gave the same numbers in 1.05 to 1.3 times the time for K = 1 and 1.8 to 2.0 times for K = 2
/// (ResNet-18 of width 16, 160 views of 32 pixels, PyTorch on one core), so it is not here.

#include <cstdint>
#include <functional>
#include <string>

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
  io::Trajectory trajectory;   ///< the points that were visited, the start first, the last one last
  int64_t encoder_passes = 0;  ///< images sent through the encoder
  std::string halves;          ///< of learned-projected: "samples" or "views"; else empty
  /// Of learned-projected: where the descents ended, each once, the lowest held-out loss first.
  std::vector<config::Invariance> valleys;
};

/// Thrown by a long arm when it is asked to stop: its work is given up and done again by the run that continues.
struct StoppedError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
using StopRequested = std::function<bool()>;

/// Learn i under running statistics by descending on the held-out loss (held_out_loss.hpp), from the centre of
/// [0, 1]^K or from several points, see the settings.
///
/// Where some class has a single sample, which one half would not know, the halves are two random views of the same
/// samples instead, drawn by `train.draw_views` at the address (seed, draw, sample, half); `halves` of the result says
/// which. The trajectory has the points of the descent that ended best, each with the loss at it, and where it ended,
/// whose loss is NaN.
/// @param kind  of targets, without classes
/// @throws PreconditionError if views are needed and `train` cannot draw any
LearnedInvariance learn_projected(const model::Encoder& encoder, const Samples& train, int64_t n_classes,
                                  const ProjectedSettings& settings, uint64_t seed, const StopRequested& stop,
                                  TargetKind kind = TargetKind::kNumbers);

/// Images that learn_projected() sends through the encoder, for estimates: views of lone samples are up to two each,
/// and with very many classes a batch may be larger than the settings say.
struct ProjectedImages {
  int64_t with_gradient = 0;
  int64_t forward_only = 0;
};
/// @param images_at_once  larger batches go through it twice (held_out_loss.hpp)
ProjectedImages projected_images(const ProjectedSettings& settings, int64_t n_train, int64_t n_axes,
                                 int64_t images_at_once);

/// What `joint` ends with: besides i, the readout that descended with it.
struct JointResult {
  LearnedInvariance learned;
  Readout readout;
  double validation_value = 0.0;
};

/// Learn i and a linear readout together by Adam, in batches, under running statistics; the epoch with the best
/// validation metric is kept, or the last one. The loss is the cross-entropy of classes, the binary cross-entropy of
/// attributes, L1 of standardised numbers.
///
/// The trajectory has the start (loss and validation NaN) and a point an epoch: i at its end, the validation metric
/// there (NaN where the task has no validation set), and the mean loss of the steps that led there.
JointResult learn_joint(const model::Encoder& encoder, const TaskData& task, const JointSettings& settings,
                        Metric metric, uint64_t seed, const StopRequested& stop);

/// i rounded to the nearest corner: 0.5 and above is 1.
config::Invariance discretised(const config::Invariance& invariance);

}  // namespace invaria::downstream

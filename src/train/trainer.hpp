#pragma once
/// @file
/// One optimiser step of amortised contrastive pretraining (arXiv:2302.12712, Alg. 1), data-parallel over ranks.
///
/// Shape legend: B views on this rank, C embedding channels, H W pixels, D features.

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "comm/gradient_reducer.hpp"
#include "comm/overlap.hpp"
#include "data/dataset.hpp"
#include "data/sampler.hpp"
#include "model/encoder.hpp"
#include "model/projection_heads.hpp"
#include "train/objective.hpp"
#include "train/optimizer.hpp"
#include "train/pretrain_settings.hpp"
#include "train/view_loader.hpp"

namespace invaria::train {

/// Of how many pictures of a batch the spread of embeddings is watched.
inline constexpr int64_t kHealthPictures = 256;

/// Gradients travel in buckets of this size.
inline constexpr int64_t kBucketBytes = int64_t{8} << 20;

/// One step as it is logged. Waits are this rank's.
struct StepReport {
  double loss = 0.0;  ///< over the global batch, in nats
  double top1 = 0.0;
  double alignment = 0.0;  ///< these three: objective/embedding_health.hpp, of the batch's first kHealthPictures
  double uniformity = 0.0;
  double deviation = 0.0;
  double data_wait_s = 0.0;
  double comm_wait_s = 0.0;
};

/// Everything that steps change.
struct TrainState {
  model::Encoder encoder;
  model::ProjectionHeads heads;
  std::unique_ptr<Objective> objective;
  Optimizer optimizer;
  int64_t step = 0;

  /// Fresh, from the plan's seed, on the CPU; the backbone from `init_from` if the plan names one. @throws ConfigError
  /// if that file does not fit
  explicit TrainState(const EncoderPlan& plan);
  /// Encoder, heads and objective.
  void to(c10::Device device);
};

/// Runs steps. References must outlive it.
class Trainer {
 public:
  /// Collective. @param overlap  whether the next views are made (on CUDA: the host's part of them), and gradients
  /// travel, while a step computes; changes no number. A GPU always leaves the host free for both. @throws
  /// PreconditionError if a batch does not fit the pictures
  Trainer(const EncoderPlan& plan, const data::DataSplit& pictures, const comm::Communicator& comm, c10::Device device,
          TrainState& state, comm::Overlap overlap = comm::Overlap::kAutomatic);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// One optimiser step over the global batch. Collective. Does not count `state.step` up. Returns before the update if
  /// the loss is not finite (on all ranks alike).
  StepReport step(double learning_rate);

  /// Collective. Which ranks hold what that is not finite: "rank 2: weight layer1.0.conv1.weight"; empty if all is
  /// finite. For after a loss that is not, and before weights are kept.
  std::string what_is_not_finite() const;

 private:
  void reduce_when_complete(const at::Tensor& leaf);
  void read_numbers(const Evaluation& evaluation, StepReport& report);
  model::Generated generate(const std::vector<CornerBlock>& blocks, const std::vector<ViewPlace>& places) const;
  std::vector<const model::Parameter*> trained(const std::vector<int64_t>& heads) const;
  void update(double learning_rate, const std::vector<int64_t>& heads, const model::Generated& generated);

  const EncoderPlan& plan_;
  const comm::Communicator& comm_;
  TrainState& state_;
  double comm_wait_s_ = 0.0;  ///< of this step
  Ranks ranks_;
  ViewLoader loader_;
  std::unique_ptr<comm::GradientReducer> reducer_;
  at::Tensor bad_views_BCHW_;       ///< of a step whose loss was not finite
  std::vector<at::Tensor> hooked_;  ///< parameters that hand their gradients to reducer_
};

}  // namespace invaria::train

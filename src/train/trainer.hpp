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
#include "objective/nt_xent.hpp"
#include "train/optimizer.hpp"
#include "train/pretrain_settings.hpp"
#include "train/view_loader.hpp"

namespace invaria::train {

/// One step as it is logged. Waits are this rank's.
struct StepReport {
  double loss = 0.0;  ///< over the global batch, in nats
  double top1 = 0.0;
  double data_wait_s = 0.0;
  double comm_wait_s = 0.0;
};

/// Everything that steps change.
struct TrainState {
  model::Encoder encoder;
  model::ProjectionHeads heads;
  Optimizer optimizer;
  int64_t step = 0;

  /// Fresh, from the plan's seed, on the CPU; the backbone from `init_from` if the plan names one. @throws ConfigError
  /// if that file does not fit
  explicit TrainState(const EncoderPlan& plan);
};

/// Runs steps. References must outlive it.
class Trainer {
 public:
  /// Collective. @param overlap  whether the next views are made, and gradients travel, while a step computes; changes
  /// no number. A GPU always leaves the host free for both. @throws PreconditionError if a batch does not fit the
  /// pictures
  Trainer(const EncoderPlan& plan, const data::ImageSplit& pictures, const comm::Communicator& comm, c10::Device device,
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
  void clear_gradients(int64_t head);
  void update(double learning_rate, int64_t head, const model::Generated& generated);

  const EncoderPlan& plan_;
  const comm::Communicator& comm_;
  TrainState& state_;
  data::Share share_;
  ViewLoader loader_;
  objective::GatherRows gather_;
  std::unique_ptr<comm::GradientReducer> reducer_;
  model::SumOverRanks sum_over_ranks_;
  at::Tensor bad_views_BCHW_;       ///< of a step whose loss was not finite
  std::vector<at::Tensor> hooked_;  ///< parameters that hand their gradients to reducer_
  double comm_wait_s_ = 0.0;
};

}  // namespace invaria::train

#pragma once
/// @file
/// One optimiser step of amortised contrastive pretraining (arXiv:2302.12712, Alg. 1), data-parallel over ranks.
///
/// Shape legend: B views on this rank, C embedding channels, H W pixels, D features.

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <memory>

#include "comm/communicator.hpp"
#include "comm/gradient_reducer.hpp"
#include "data/dataset.hpp"
#include "data/sampler.hpp"
#include "model/encoder.hpp"
#include "model/projection_heads.hpp"
#include "objective/nt_xent.hpp"
#include "train/optimizer.hpp"
#include "train/pretrain_settings.hpp"

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

  /// Fresh, from the plan's seed, on the CPU.
  explicit TrainState(const EncoderPlan& plan);
};

/// Runs steps. References must outlive it.
class Trainer {
 public:
  /// Collective. @throws PreconditionError if a batch does not fit the pictures
  Trainer(const EncoderPlan& plan, const data::ImageSplit& pictures, const comm::Communicator& comm, c10::Device device,
          TrainState& state);

  /// Index of the corner of a step: drawn from the shared seed, the same on every rank.
  int64_t corner_index(int64_t step) const;

  /// One optimiser step over the global batch. Collective. Does not count `state.step` up. Returns before the update if
  /// the loss is not finite (on all ranks alike).
  StepReport step(double learning_rate);

 private:
  at::Tensor make_local_views(const config::Invariance& corner);
  void clear_gradients(int64_t head);
  void update(double learning_rate, int64_t head, const model::Kernels& kernels);

  const EncoderPlan& plan_;
  const data::ImageSplit& pictures_;
  const comm::Communicator& comm_;
  c10::Device device_;
  TrainState& state_;
  data::EpochSampler sampler_;
  data::Share share_;
  objective::GatherRows gather_;
  std::unique_ptr<comm::GradientReducer> reducer_;
  model::SumOverRanks sum_over_ranks_;
  double comm_wait_s_ = 0.0;
};

}  // namespace invaria::train

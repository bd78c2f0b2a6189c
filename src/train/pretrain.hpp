#pragma once
/// @file
/// Data-parallel pretraining of one encoder: draw i, make two views with the groups that i switches on, contrast them
/// (arXiv:2302.12712, Alg. 1). One loop, the same for the amortised encoder and for the baselines, which know a single
/// corner.
///
/// Draws depend on neither ranks nor threads. Sums over the batch do, in their last bits, and training multiplies small
/// differences (a ReLU that flips, BatchNorm over few samples): step-1 gradients of any number of ranks agree to 1e-4
/// of their norm; after ten SGD steps at a rate of 1e-5 every tensor lies within kRankTolerance of the way that it has
/// gone. In bfloat16 the trained tensors of a ViT lie together within kBfloat16RankTolerance; of a ResNet nothing is
/// promised, whose ReLUs flip by rounding (its first gradients are a third off those in float, as those of PyTorch's
/// autocast are). At larger rates trajectories part within a few steps, as they would after any change of rounding;
/// from weights under which hardly a ReLU flips, ten steps at a rate of 0.01 agree to kSmoothRankTolerance.

#include <c10/core/Device.h>

#include <functional>
#include <optional>
#include <string>

#include "comm/communicator.hpp"
#include "core/log.hpp"
#include "data/dataset.hpp"
#include "io/files.hpp"
#include "io/records.hpp"
#include "model/encoder.hpp"
#include "train/checkpoint.hpp"
#include "train/pretrain_settings.hpp"

namespace invaria::train {

inline constexpr double kRankTolerance = 0.1;
inline constexpr double kBfloat16RankTolerance = 0.5;
inline constexpr double kSmoothRankTolerance = 1e-3;

/// What a pretraining needs beside its plan.
struct PretrainContext {
  const comm::Communicator& comm;
  c10::Device device;
  io::fs::path output;             ///< the run's directory
  double checkpoint_every_s = 60;  ///< wall time between checkpoints
  EventLog* log = nullptr;         ///< may be null
  /// Asked before each step on every rank; true on any rank stops all of them after a checkpoint.
  std::function<bool()> stop_requested;
  const data::DataSplit* monitored = nullptr;  ///< what settings.monitor names; null unless it asks for it
};

/// How a pretraining ended.
enum class PretrainEnd { kFinished, kStopped, kFailed };

struct PretrainOutcome {
  PretrainEnd end = PretrainEnd::kFinished;
  std::string error;  ///< kFailed: what happened, with step and rank
};

/// Pretrain `plan` to its end, continuing a checkpoint of the same settings if there is one; finished encoders return
/// at once.
///
/// Collective: all ranks. Afterwards, unless stopped or failed, `encoder.safetensors` is complete in its folder.
/// Numbers are bit-equal whether or not the run was interrupted.
/// @throws ConfigError if the data set has fewer pictures than a batch, or a checkpoint is damaged
PretrainOutcome pretrain(const EncoderPlan& plan, const data::DataSplit& pictures, const PretrainContext& context);

/// A finished encoder, read back. @throws ConfigError if the file is damaged
struct TrainedEncoder {
  model::Encoder encoder;
  io::EncoderRecord record;
  std::string hash;  ///< of all parameters and buffers, as stored when it was written
};
TrainedEncoder load_encoder(const EncoderPlan& plan, const io::fs::path& output);

}  // namespace invaria::train

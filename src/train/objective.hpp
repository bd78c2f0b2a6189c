#pragma once
/// @file
/// The seam between the training step and what it minimises: which views a rank makes, the loss, what else is trained
/// or averaged beside encoder and projectors, and what moves after the update.
///
/// Shape legend: N pictures of the global batch, n of this rank's share, B views on this rank, C embedding channels, H
/// W pixels.

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/sampler.hpp"
#include "model/batch_norm.hpp"
#include "model/encoder.hpp"
#include "model/forward_pass.hpp"
#include "model/projection_heads.hpp"
#include "objective/contrast.hpp"
#include "train/optimizer.hpp"
#include "train/pretrain_settings.hpp"

namespace invaria::train {

/// One view of one picture of the global batch.
struct ViewPlace {
  int64_t position = 0;  ///< of the picture in the global batch
  uint32_t view = 0;     ///< which of its two views
  bool operator==(const ViewPlace&) const = default;
};

/// A step as its objective sees it. References live as long as the step.
struct StepInputs {
  const EncoderPlan& plan;
  int64_t step = 0;
  const std::vector<CornerBlock>& blocks;  ///< of the global batch
  const at::Tensor& views_BCHW;            ///< in the order of Objective::views(), on the device
  const std::vector<ViewPlace>& places;    ///< [B] which views these are
  const std::vector<int64_t>& pictures;    ///< [N] each picture's index in its data set
  const model::Encoder& encoder;
  const model::ProjectionHeads& heads;
  const model::Generated& generated;  ///< the encoder's, at the corners of these views

  /// The only corner of a step of one. @throws PreconditionError if corners are mixed
  size_t corner() const;
  /// How the encoder sees `count` of the views from row `first` on, in the plan's precision; what is drawn for a view
  /// depends on its place alone.
  model::ForwardPass pass(const model::BatchNormPass& batch_norm, int64_t first, int64_t count) const;
};

/// How the ranks act together in a step.
struct Ranks {
  size_t rank = 0;
  std::vector<data::Share> shares;      ///< each rank's pictures in the global batch
  objective::GatherRows gather;         ///< with gradient
  objective::GatherRows gather_values;  ///< without
  model::SumOverRanks sum_over_ranks;   ///< empty for one rank

  const data::Share& share() const { return shares[rank]; }
  /// As losses take it.
  objective::BatchPlace place() const {
    return {.first = share().first,
            .total = shares.back().first + shares.back().count,
            .n_ranks = static_cast<int64_t>(shares.size())};
  }
};

/// What a step's objective comes to.
struct Evaluation {
  objective::Contrast contrast;  ///< the loss carries the graph
  at::Tensor first_nC;           ///< unit embeddings of this rank's pictures in two views, without gradient
  at::Tensor second_nC;
};

/// What pretraining minimises, and the state of its own that goes with it. Made by make_objective().
class Objective {
 public:
  virtual ~Objective() = default;

  /// The views that a rank makes in a step, out of all 2 N of them. Called from the thread that loads ahead: depends on
  /// its arguments alone.
  virtual std::vector<ViewPlace> views(int64_t step, const std::vector<CornerBlock>& blocks,
                                       const data::Share& share) const = 0;

  /// Encode the views and compare them. Collective, forward and backward.
  virtual Evaluation evaluate(const StepInputs& inputs, const Ranks& ranks) = 0;

  /// What a step with this head trains beside the encoder and the projector.
  virtual std::vector<const model::Parameter*> parameters(int64_t head) const;

  /// The averages that the update of this step, which trains these heads, moves along.
  virtual WeightAverages averages(int64_t step, std::span<const int64_t> heads) const;

  /// After the update: the last evaluation counts.
  virtual void finish_step() {}

  /// Everything that decides how pretraining goes on, by name; shares memory.
  virtual model::StateDict state() const;
  /// Copy values in. @throws ConfigError naming missing, unknown or misshapen entries
  virtual void load_state(const model::StateDict& state);
  /// Move every tensor.
  virtual void to(c10::Device device);
};

/// What an objective may start from; encoder and heads are fresh and on the CPU.
struct ObjectiveStart {
  const EncoderPlan& plan;
  const model::Encoder& encoder;
  const model::ProjectionHeads& heads;
};

/// Fresh ones of the plan, on the CPU.
model::Encoder fresh_encoder(const EncoderPlan& plan);
model::ProjectionHeads fresh_heads(const EncoderPlan& plan, int64_t feature_dim);

/// The objective of `plan.settings.objective.kind`.
std::unique_ptr<Objective> make_objective(const ObjectiveStart& start);

/// The head of a corner of the plan: its own, or the one that all share.
int64_t head_of(const model::ProjectionHeads& heads, size_t corner);

/// The part of a block that lies in a rank's share; of no pictures if they do not meet.
data::Share part_of(const CornerBlock& block, const data::Share& share);

/// Both views of a share: block by block the first views of its pictures, then their second views.
std::vector<ViewPlace> both_views(const std::vector<CornerBlock>& blocks, const data::Share& share);

/// `from` under names that begin with `prefix`, added to `into`; and back.
void add_prefixed(model::StateDict& into, const std::string& prefix, const model::StateDict& from);
model::StateDict take_prefixed(const model::StateDict& from, const std::string& prefix);

}  // namespace invaria::train

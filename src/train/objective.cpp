#include "train/objective.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/errors.hpp"
#include "train/objective_kind.hpp"

namespace invaria::train {

size_t StepInputs::corner() const {
  require(blocks.size() == 1, "StepInputs: {} corners in a step, expected one", blocks.size());
  return blocks.front().corner;
}

model::ForwardPass StepInputs::pass(const model::BatchNormPass& batch_norm, int64_t first, int64_t count) const {
  require(first >= 0 && first + count <= static_cast<int64_t>(places.size()), "StepInputs: views {} to {} of {}", first,
          first + count, places.size());
  model::ForwardPass pass(batch_norm);
  pass.precision = plan.settings.precision;
  if (plan.settings.model.vit.drop_path == 0.0) return pass;  // nothing is drawn
  model::SampleDraws& draws = pass.draws.emplace(static_cast<uint64_t>(plan.seed), static_cast<uint64_t>(step));
  for (int64_t row = first; row < first + count; ++row) {
    const ViewPlace& place = places[static_cast<size_t>(row)];
    draws.samples.push_back(static_cast<uint64_t>(place.position + place.view * plan.settings.global_batch));
  }
  return pass;
}

std::vector<const model::Parameter*> Objective::parameters(int64_t) const {
  return {};
}

WeightAverages Objective::averages(int64_t, std::span<const int64_t>) const {
  return {};
}

model::StateDict Objective::state() const {
  return {};
}

void Objective::load_state(const model::StateDict& state) {
  if (!state.empty()) throw_config("the objective keeps no state, found {}", state.begin()->first);
}

void Objective::to(c10::Device) {}

model::Encoder fresh_encoder(const EncoderPlan& plan) {
  return {plan.settings.model, plan.n_axes(), static_cast<uint64_t>(plan.seed), plan.view_shape()};
}

model::ProjectionHeads fresh_heads(const EncoderPlan& plan, int64_t feature_dim) {
  const int64_t n_heads = plan.settings.projection.per_corner ? static_cast<int64_t>(plan.corners.size()) : 1;
  return {plan.settings.projection, feature_dim, n_heads, static_cast<uint64_t>(plan.seed)};
}

std::unique_ptr<Objective> make_objective(const ObjectiveStart& start) {
  return kind_of(start.plan.settings.objective).make(start);
}

int64_t head_of(const model::ProjectionHeads& heads, size_t corner) {
  return heads.size() > 1 ? static_cast<int64_t>(corner) : 0;
}

data::Share part_of(const CornerBlock& block, const data::Share& share) {
  const int64_t first = std::max(block.first, share.first);
  const int64_t end = std::min(block.first + block.count, share.first + share.count);
  return {first, std::max<int64_t>(end - first, 0)};
}

std::vector<ViewPlace> both_views(const std::vector<CornerBlock>& blocks, const data::Share& share) {
  std::vector<ViewPlace> places;
  for (const CornerBlock& block : blocks) {
    const data::Share part = part_of(block, share);
    for (const uint32_t view : {0U, 1U}) {
      for (int64_t index = 0; index < part.count; ++index) places.push_back({part.first + index, view});
    }
  }
  return places;
}

void add_prefixed(model::StateDict& into, const std::string& prefix, const model::StateDict& from) {
  for (const auto& [name, tensor] : from) into[prefix + name] = tensor;
}

model::StateDict take_prefixed(const model::StateDict& from, const std::string& prefix) {
  model::StateDict part;
  for (const auto& [name, tensor] : from) {
    if (name.starts_with(prefix)) part[name.substr(prefix.size())] = tensor;
  }
  return part;
}

}  // namespace invaria::train

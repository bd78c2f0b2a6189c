#include "train/trainer.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "core/timer.hpp"
#include "objective/embedding_health.hpp"
#include "train/gather.hpp"
#include "train/initial_weights.hpp"

namespace invaria::train {
namespace {

/// Called by the backward pass with a leaf whose gradient is complete.
class WhenComplete final : public torch::autograd::PostAccumulateGradHook {
 public:
  explicit WhenComplete(std::function<void(const at::Tensor&)> call) : call_(std::move(call)) {}
  void operator()(const at::Tensor& leaf) override { call_(leaf); }

 private:
  std::function<void(const at::Tensor&)> call_;
};

Loading loading_for(comm::Overlap overlap, c10::Device device, const comm::Communicator& comm) {
  const bool host_is_free = device.is_cuda() && overlap == comm::Overlap::kAutomatic;
  return host_is_free || comm::uses_thread(overlap, comm) ? Loading::kAhead : Loading::kInStep;
}

/// @param waited_s  gets the time of the gathers, and outlives them
Ranks ranks_of(const comm::Communicator& comm, int64_t global_batch, double& waited_s) {
  Ranks ranks{static_cast<size_t>(comm.rank()), {}, gather_with_gradient(comm, waited_s), {}, {}};
  for (int rank = 0; rank < comm.size(); ++rank)
    ranks.shares.push_back(data::local_share(global_batch, rank, comm.size()));
  ranks.gather_values = [comm, &waited_s](const at::Tensor& rows) {
    if (comm.size() == 1) return rows;
    const Timer timer;
    at::Tensor all = comm.all_gather_rows(rows.contiguous());
    waited_s += timer.seconds();
    return all;
  };
  return ranks;
}

/// Each once.
std::vector<int64_t> heads_of(const std::vector<CornerBlock>& blocks, const model::ProjectionHeads& heads) {
  std::vector<int64_t> found;
  for (const CornerBlock& block : blocks) {
    const int64_t head = head_of(heads, block.corner);
    if (std::find(found.begin(), found.end(), head) == found.end()) found.push_back(head);
  }
  return found;
}

}  // namespace

TrainState::TrainState(const EncoderPlan& plan)
    : encoder(starting_encoder(plan)),
      heads(fresh_heads(plan, encoder.feature_dim())),
      objective(make_objective({plan, encoder, heads})),
      optimizer(plan.settings.optimizer) {}

void TrainState::to(c10::Device device) {
  encoder.to(device);
  heads.to(device);
  objective->to(device);
}

Trainer::Trainer(const EncoderPlan& plan, const data::DataSplit& pictures, const comm::Communicator& comm,
                 c10::Device device, TrainState& state, comm::Overlap overlap)
    : plan_(plan),
      comm_(comm),
      state_(state),
      ranks_(ranks_of(comm, plan.settings.global_batch, comm_wait_s_)),
      loader_(
          plan, pictures,
          [this](int64_t step) { return state_.objective->views(step, plan_.blocks(step), ranks_.share()); }, device,
          loading_for(overlap, device, comm)),
      reducer_(device.is_cuda() ? comm::make_nccl_reducer(comm, kBucketBytes)
                                : comm::make_mpi_reducer(comm, kBucketBytes, overlap)) {
  if (comm.size() > 1) {
    ranks_.sum_over_ranks = [this](at::Tensor& tensor) {
      Timer timer;
      comm_.all_reduce_sum(tensor);
      comm_wait_s_ += timer.seconds();
    };
  }
  std::vector<int64_t> all_heads(static_cast<size_t>(state.heads.size()));
  std::iota(all_heads.begin(), all_heads.end(), int64_t{0});
  for (const model::Parameter* parameter : trained(all_heads)) hooked_.push_back(parameter->value);
  for (const at::Tensor& leaf : hooked_) reduce_when_complete(leaf);
}

Trainer::~Trainer() {
  for (const at::Tensor& leaf : hooked_) torch::autograd::impl::set_post_acc_grad_hooks(leaf, nullptr);
}

StepReport Trainer::step(double learning_rate) {
  StepReport report;
  comm_wait_s_ = 0.0;
  Timer timer;
  const std::vector<CornerBlock> blocks = plan_.blocks(state_.step);
  const std::vector<int64_t> heads = heads_of(blocks, state_.heads);
  const StepViews loaded = loader_.views(state_.step);
  report.data_wait_s = timer.seconds();

  for (const model::Parameter* parameter : trained(heads)) parameter->value.mutable_grad().reset();
  const model::Generated generated = generate(blocks, loaded.places);
  for (const at::Tensor& tensor : generated.tensors) reduce_when_complete(tensor);
  const Evaluation evaluation =
      state_.objective->evaluate({plan_, state_.step, blocks, loaded.views_BCHW, loaded.places, loaded.pictures,
                                  state_.encoder, state_.heads, generated},
                                 ranks_);
  read_numbers(evaluation, report);
  if (!std::isfinite(report.loss)) {
    bad_views_BCHW_ = loaded.views_BCHW;
    return report;
  }

  evaluation.contrast.loss.backward();
  update(learning_rate, heads, generated);
  state_.objective->finish_step();
  report.comm_wait_s = comm_wait_s_;
  return report;
}

/// All that a step tells, through one transfer from the device.
void Trainer::read_numbers(const Evaluation& evaluation, StepReport& report) {
  const data::Share& share = ranks_.share();
  const int64_t n_watched = std::clamp<int64_t>(kHealthPictures - share.first, 0, share.count);
  const auto watched = [&](const at::Tensor& rows_nC) { return ranks_.gather_values(rows_nC.narrow(0, 0, n_watched)); };
  const objective::EmbeddingHealth health =
      objective::embedding_health(watched(evaluation.first_nC), watched(evaluation.second_nC));
  const objective::Contrast& contrast = evaluation.contrast;
  const at::Tensor numbers = at::stack({contrast.loss.detach().to(at::kDouble), contrast.top1.detach().to(at::kDouble),
                                        health.alignment, health.uniformity, health.deviation})
                                 .cpu();
  at::Tensor means = numbers.narrow(0, 0, 2).clone();  // the others are the same on every rank
  const Timer timer;
  comm_.all_reduce_sum(means);
  comm_wait_s_ += timer.seconds();
  report.loss = means[0].item<double>() / comm_.size();
  report.top1 = means[1].item<double>() / comm_.size();
  report.alignment = numbers[2].item<double>();
  report.uniformity = numbers[3].item<double>();
  report.deviation = numbers[4].item<double>();
}

std::string Trainer::what_is_not_finite() const {
  const at::NoGradGuard no_grad;
  const auto is_finite = [](const at::Tensor& values) {
    return !values.is_floating_point() || at::isfinite(values).all().item<bool>();
  };
  std::string cause, effect;  // running statistics carry one rank's trouble to all
  if (bad_views_BCHW_.defined() && !is_finite(bad_views_BCHW_)) cause = "its views";
  model::StateDict all = state_.encoder.state();
  all.merge(state_.heads.state());
  all.merge(state_.objective->state());
  for (const auto& [name, values] : all) {
    std::string& found = name.find("running_") == std::string::npos ? cause : effect;
    if (found.empty() && !is_finite(values)) found = "weight " + name;
  }
  const std::vector<std::string> causes = comm_.all_gather(cause);
  const std::vector<std::string> effects = comm_.all_gather(effect);
  const bool has_cause = std::any_of(causes.begin(), causes.end(), [](const auto& text) { return !text.empty(); });
  std::string text;
  for (size_t rank = 0; rank < causes.size(); ++rank) {
    const std::string& of_rank = has_cause ? causes[rank] : effects[rank];
    if (!of_rank.empty()) text += fmt::format("{}rank {}: {}", text.empty() ? "" : ", ", rank, of_rank);
  }
  return text;
}

/// Gradients travel while the backward pass goes on to earlier layers. The order in which they become complete is the
/// graph's, so the same on every rank.
void Trainer::reduce_when_complete(const at::Tensor& leaf) {
  torch::autograd::impl::set_post_acc_grad_hooks(leaf,
                                                 std::make_unique<WhenComplete>([this](const at::Tensor& complete) {
                                                   Timer timer;
                                                   reducer_->add(complete.grad());
                                                   comm_wait_s_ += timer.seconds();
                                                 }));
}

/// What the encoder makes of the corners of these views.
model::Generated Trainer::generate(const std::vector<CornerBlock>& blocks, const std::vector<ViewPlace>& places) const {
  if (blocks.size() == 1) return state_.encoder.generate(plan_.corners[blocks.front().corner]);
  std::vector<config::Invariance> invariances;
  for (const CornerBlock& block : blocks) invariances.push_back(plan_.corners[block.corner]);
  std::vector<int64_t> groups;
  for (const ViewPlace& place : places) groups.push_back(static_cast<int64_t>(block_of(blocks, place.position)));
  const at::Device device = state_.encoder.parameters().front().value.device();
  return state_.encoder.generate_mixed(invariances, at::tensor(groups, at::kLong).to(device));
}

/// What a step with these heads trains, but for factored parameters.
std::vector<const model::Parameter*> Trainer::trained(const std::vector<int64_t>& heads) const {
  std::vector<const model::Parameter*> all;
  for (const model::Parameter& parameter : state_.encoder.parameters()) all.push_back(&parameter);
  for (const int64_t head : heads) {
    for (const model::Parameter& parameter : state_.heads.parameters(head)) all.push_back(&parameter);
    for (const model::Parameter* parameter : state_.objective->parameters(head)) all.push_back(parameter);
  }
  return all;
}

/// Wait for the mean gradients, derive the generator's from those of what it generated, and update. Of a hypernetwork
/// only g = dL/dk travelled, not A's gradient: 33 times less.
void Trainer::update(double learning_rate, const std::vector<int64_t>& heads, const model::Generated& generated) {
  Timer timer;
  reducer_->finish();
  comm_wait_s_ += timer.seconds();

  const std::vector<model::FactoredGradient> gradients =
      state_.encoder.generator_backward(generated, generated.gradients());
  std::vector<FactoredUpdate> factored;
  for (size_t index = 0; index < gradients.size(); ++index)
    factored.push_back({&state_.encoder.factored_parameters()[index], gradients[index]});
  state_.optimizer.step(learning_rate, trained(heads), factored, state_.objective->averages(state_.step, heads));
}

}  // namespace invaria::train

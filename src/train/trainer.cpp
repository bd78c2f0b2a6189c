#include "train/trainer.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/timer.hpp"
#include "train/gather.hpp"
#include "train/initial_weights.hpp"

namespace invaria::train {
namespace {

constexpr int64_t kBucketBytes = int64_t{8} << 20;

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

}  // namespace

TrainState::TrainState(const EncoderPlan& plan)
    : encoder(starting_encoder(plan)),
      heads(plan.settings.projection, encoder.feature_dim(),
            plan.settings.projection.per_corner ? static_cast<int64_t>(plan.corners.size()) : 1,
            static_cast<uint64_t>(plan.seed)),
      optimizer(plan.settings.optimizer) {}

Trainer::Trainer(const EncoderPlan& plan, const data::ImageSplit& pictures, const comm::Communicator& comm,
                 c10::Device device, TrainState& state, comm::Overlap overlap)
    : plan_(plan),
      comm_(comm),
      state_(state),
      share_(data::local_share(plan.settings.global_batch, comm.rank(), comm.size())),
      loader_(plan, pictures, share_, device, loading_for(overlap, device, comm)),
      gather_(gather_with_gradient(comm)),
      reducer_(device.is_cuda() ? comm::make_nccl_reducer(comm, kBucketBytes)
                                : comm::make_mpi_reducer(comm, kBucketBytes, overlap)) {
  if (comm.size() > 1) {
    sum_over_ranks_ = [this](at::Tensor& tensor) {
      Timer timer;
      comm_.all_reduce_sum(tensor);
      comm_wait_s_ += timer.seconds();
    };
  }
  for (const model::Parameter& parameter : state.encoder.parameters()) hooked_.push_back(parameter.value);
  for (int64_t head = 0; head < state.heads.size(); ++head) {
    for (const model::Parameter& parameter : state.heads.parameters(head)) hooked_.push_back(parameter.value);
  }
  for (const at::Tensor& leaf : hooked_) reduce_when_complete(leaf);
}

Trainer::~Trainer() {
  for (const at::Tensor& leaf : hooked_) torch::autograd::impl::set_post_acc_grad_hooks(leaf, nullptr);
}

StepReport Trainer::step(double learning_rate) {
  StepReport report;
  comm_wait_s_ = 0.0;
  Timer timer;
  const size_t corner = plan_.corner_index(state_.step);
  const int64_t head = state_.heads.size() > 1 ? static_cast<int64_t>(corner) : 0;
  const at::Tensor views_BCHW = loader_.views(state_.step);
  report.data_wait_s = timer.seconds();

  clear_gradients(head);
  const model::Generated generated = state_.encoder.generate(plan_.corners[corner]);
  for (const at::Tensor& tensor : generated.tensors) reduce_when_complete(tensor);
  const auto batch_norm = model::BatchNormPass::train(sum_over_ranks_);
  const at::Tensor features_BD = state_.encoder.forward(views_BCHW, generated, batch_norm);
  const at::Tensor embeddings_BC = state_.heads.forward(head, features_BD, batch_norm);
  const objective::NtXentResult contrast = objective::nt_xent(
      embeddings_BC.narrow(0, 0, share_.count), embeddings_BC.narrow(0, share_.count, share_.count),
      plan_.settings.objective, {.first = share_.first, .total = plan_.settings.global_batch, .n_ranks = comm_.size()},
      gather_);
  at::Tensor means = at::stack({contrast.loss.detach(), contrast.top1.detach()}).to(at::kDouble).cpu();
  comm_.all_reduce_sum(means);
  report.loss = means[0].item<double>() / comm_.size();
  report.top1 = means[1].item<double>() / comm_.size();
  if (!std::isfinite(report.loss)) {
    bad_views_BCHW_ = views_BCHW;
    return report;
  }

  contrast.loss.backward();
  update(learning_rate, head, generated);
  report.comm_wait_s = comm_wait_s_;
  return report;
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

void Trainer::clear_gradients(int64_t head) {
  for (const model::Parameter& parameter : state_.encoder.parameters()) parameter.value.mutable_grad().reset();
  for (const model::Parameter& parameter : state_.heads.parameters(head)) parameter.value.mutable_grad().reset();
}

/// Wait for the mean gradients, derive the generator's from those of what it generated, and update. Of a hypernetwork
/// only g = dL/dk travelled, not A's gradient: 33 times less.
void Trainer::update(double learning_rate, int64_t head, const model::Generated& generated) {
  Timer timer;
  reducer_->finish();
  comm_wait_s_ += timer.seconds();

  const std::vector<model::FactoredGradient> gradients =
      state_.encoder.generator_backward(generated, generated.gradients());
  std::vector<const model::Parameter*> dense;
  for (const model::Parameter& parameter : state_.encoder.parameters()) dense.push_back(&parameter);
  for (const model::Parameter& parameter : state_.heads.parameters(head)) dense.push_back(&parameter);
  std::vector<FactoredUpdate> factored;
  for (size_t index = 0; index < gradients.size(); ++index) {
    factored.push_back({&state_.encoder.factored_parameters()[index], gradients[index]});
  }
  state_.optimizer.step(learning_rate, dense, factored);
}

}  // namespace invaria::train

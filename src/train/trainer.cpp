#include "train/trainer.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "augment/render.hpp"
#include "core/philox.hpp"
#include "core/timer.hpp"
#include "train/gather.hpp"

namespace invaria::train {
namespace {

constexpr int64_t kBucketBytes = int64_t{8} << 20;

}  // namespace

TrainState::TrainState(const EncoderPlan& plan)
    : encoder(plan.settings.model, plan.n_axes(), static_cast<uint64_t>(plan.seed)),
      heads(plan.settings.projection, encoder.feature_dim(),
            plan.settings.projection.per_corner ? static_cast<int64_t>(plan.corners.size()) : 1,
            static_cast<uint64_t>(plan.seed)),
      optimizer(plan.settings.optimizer) {}

Trainer::Trainer(const EncoderPlan& plan, const data::ImageSplit& pictures, const comm::Communicator& comm,
                 c10::Device device, TrainState& state)
    : plan_(plan),
      pictures_(pictures),
      comm_(comm),
      device_(device),
      state_(state),
      sampler_(pictures.n, plan.settings.global_batch, static_cast<uint64_t>(plan.seed)),
      share_(data::local_share(plan.settings.global_batch, comm.rank(), comm.size())),
      gather_(gather_with_gradient(comm)),
      reducer_(device.is_cuda() ? comm::make_nccl_reducer(comm, kBucketBytes)
                                : comm::make_mpi_reducer(comm, kBucketBytes)) {
  if (comm.size() > 1) {
    sum_over_ranks_ = [this](at::Tensor& tensor) {
      Timer timer;
      comm_.all_reduce_sum(tensor);
      comm_wait_s_ += timer.seconds();
    };
  }
}

int64_t Trainer::corner_index(int64_t step) const {
  return Draws({.seed = static_cast<uint64_t>(plan_.seed),
                .purpose = Purpose::kCorner,
                .sample = static_cast<uint64_t>(step)})
      .below(static_cast<int64_t>(plan_.corners.size()));
}

StepReport Trainer::step(double learning_rate) {
  StepReport report;
  comm_wait_s_ = 0.0;
  Timer timer;
  const int64_t corner = corner_index(state_.step);
  const int64_t head = state_.heads.size() > 1 ? corner : 0;
  const at::Tensor views_BCHW = make_local_views(plan_.corners[static_cast<size_t>(corner)]);
  report.data_wait_s = timer.seconds();

  clear_gradients(head);
  const model::Kernels kernels = state_.encoder.kernels(plan_.corners[static_cast<size_t>(corner)]);
  const auto batch_norm = model::BatchNormPass::train(sum_over_ranks_);
  const at::Tensor features_BD = state_.encoder.forward(views_BCHW, kernels, batch_norm);
  const at::Tensor embeddings_BC = state_.heads.forward(head, features_BD, batch_norm);
  const objective::NtXentResult contrast = objective::nt_xent(
      embeddings_BC.narrow(0, 0, share_.count), embeddings_BC.narrow(0, share_.count, share_.count),
      plan_.settings.objective, {.first = share_.first, .total = plan_.settings.global_batch, .n_ranks = comm_.size()},
      gather_);
  at::Tensor means = at::stack({contrast.loss.detach(), contrast.top1.detach()}).to(at::kDouble).cpu();
  comm_.all_reduce_sum(means);
  report.loss = means[0].item<double>() / comm_.size();
  report.top1 = means[1].item<double>() / comm_.size();
  if (!std::isfinite(report.loss)) return report;

  contrast.loss.backward();
  update(learning_rate, head, kernels);
  report.comm_wait_s = comm_wait_s_;
  return report;
}

/// Both views of this rank's share, first views first: [2 n, 3, S, S]. One forward pass sees both (joint BatchNorm).
at::Tensor Trainer::make_local_views(const config::Invariance& corner) {
  const std::vector<int64_t> batch = sampler_.batch(state_.step);
  std::vector<const uint8_t*> pixels;
  std::vector<uint64_t> sample_ids;
  for (int64_t index = share_.first; index < share_.first + share_.count; ++index) {
    pixels.push_back(pictures_.image(batch[static_cast<size_t>(index)]));
    sample_ids.push_back(static_cast<uint64_t>(batch[static_cast<size_t>(index)]));
  }
  return augment::make_views({pixels, pictures_.height, pictures_.width}, plan_.settings.augment,
                             augment::active_operations(plan_.axes, corner), plan_.settings.view_size,
                             static_cast<uint64_t>(plan_.seed), static_cast<uint64_t>(sampler_.epoch_of(state_.step)),
                             sample_ids)
      .both.to(device_);
}

void Trainer::clear_gradients(int64_t head) {
  for (const model::Parameter& parameter : state_.encoder.parameters()) parameter.value.mutable_grad().reset();
  for (const model::Parameter& parameter : state_.heads.parameters(head)) parameter.value.mutable_grad().reset();
}

/// Average what the backward pass left over ranks, derive the hypernetwork's gradients from g, and update. Only g
/// travels, not A's gradient: 33 times less.
void Trainer::update(double learning_rate, int64_t head, const model::Kernels& kernels) {
  std::vector<const model::Parameter*> dense;
  for (const model::Parameter& parameter : state_.encoder.parameters()) dense.push_back(&parameter);
  for (const model::Parameter& parameter : state_.heads.parameters(head)) dense.push_back(&parameter);

  Timer timer;
  for (const model::Parameter* parameter : dense) {
    if (parameter->value.grad().defined()) reducer_->add(parameter->value.grad());
  }
  std::vector<at::Tensor> kernel_gradients;
  if (plan_.is_conditioned()) {
    for (const at::Tensor& kernel : kernels.kernels) {
      kernel_gradients.push_back(kernel.grad());
      reducer_->add(kernel.grad());
    }
  }
  reducer_->finish();
  comm_wait_s_ += timer.seconds();

  std::vector<FactoredUpdate> factored;
  if (plan_.is_conditioned()) {
    const std::vector<model::FactoredGradient> gradients =
        state_.encoder.hypernetwork_backward(kernels, kernel_gradients);
    for (size_t index = 0; index < gradients.size(); ++index) {
      factored.push_back({&state_.encoder.factored_parameters()[index], gradients[index]});
    }
  }
  state_.optimizer.step(learning_rate, dense, factored);
}

}  // namespace invaria::train

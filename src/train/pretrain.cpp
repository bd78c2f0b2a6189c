#include "train/pretrain.hpp"

#include <ATen/ATen.h>
#include <boost/json/serialize.hpp>

#include <cmath>

#include "augment/render.hpp"
#include "comm/agree.hpp"
#include "comm/gradient_reducer.hpp"
#include "core/errors.hpp"
#include "core/philox.hpp"
#include "core/progress.hpp"
#include "core/timer.hpp"
#include "data/sampler.hpp"
#include "train/gather.hpp"

namespace invaria::train {
namespace {

constexpr int64_t kBucketBytes = int64_t{8} << 20;

/// One step as it is logged. Waits are this rank's.
struct StepReport {
  double loss = 0.0;  ///< over the global batch, in nats
  double top1 = 0.0;
  double data_wait_s = 0.0;
  double comm_wait_s = 0.0;
};

io::Table empty_log() {
  using Doubles = std::vector<double>;
  return io::Table({{"step", std::vector<int64_t>{}, "", "optimiser step, from 0"},
                    {"loss", Doubles{}, "nat", "contrastive loss over the global batch"},
                    {"top1", Doubles{}, "1", "share of anchors whose positive scores highest"},
                    {"lr", Doubles{}, "", "learning rate"},
                    {"corner", std::vector<std::string>{}, "", "invariance drawn for the step, bits in axis order"},
                    {"images_per_s", Doubles{}, "s-1", "pictures a second over all ranks, two views each"},
                    {"data_wait_s", Doubles{}, "s", "time in which the step waited for its views"},
                    {"comm_wait_s", Doubles{}, "s", "time in which the step waited for other ranks"}});
}

/// Everything that a step changes.
struct State {
  model::Encoder encoder;
  model::ProjectionHeads heads;
  Optimizer optimizer;
  io::Table log = empty_log();
  int64_t step = 0;
  double seconds = 0.0;

  explicit State(const EncoderPlan& plan)
      : encoder(plan.settings.model, plan.n_axes(), static_cast<uint64_t>(plan.seed)),
        heads(plan.settings.projection, encoder.feature_dim(),
              plan.settings.projection.per_corner ? static_cast<int64_t>(plan.corners.size()) : 1, static_cast<uint64_t>(plan.seed)),
        optimizer(plan.settings.optimizer) {}
};

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

std::map<std::string, std::string> metadata_of(const EncoderPlan& plan, const State& state) {
  return {{"settings", config::json::serialize(plan.identity)},
          {"step", std::to_string(state.step)},
          {"seconds", fmt::format("{}", state.seconds)}};
}

void save_state(const EncoderPlan& plan, const State& state, const io::fs::path& path) {
  Checkpoint checkpoint{{}, metadata_of(plan, state), state.log};
  add_prefixed(checkpoint.tensors, "encoder/", state.encoder.state());
  add_prefixed(checkpoint.tensors, "heads/", state.heads.state());
  add_prefixed(checkpoint.tensors, "optimizer/", state.optimizer.state());
  write_checkpoint(path, checkpoint);
}

void restore_state(State& state, const io::fs::path& path) {
  const Checkpoint checkpoint = read_checkpoint(path);
  state.encoder.load_state(take_prefixed(checkpoint.tensors, "encoder/"));
  state.heads.load_state(take_prefixed(checkpoint.tensors, "heads/"));
  state.optimizer.load_state(take_prefixed(checkpoint.tensors, "optimizer/"));
  state.log = checkpoint.log;
  state.step = std::stoll(checkpoint.metadata.at("step"));
  state.seconds = std::stod(checkpoint.metadata.at("seconds"));
}

/// The finished encoder: weights and log, without the moments.
void save_encoder(const EncoderPlan& plan, const State& state, const io::fs::path& path) {
  Checkpoint checkpoint{state.encoder.state(), metadata_of(plan, state), state.log};
  checkpoint.metadata["encoder_hash"] = state.encoder.hash();
  write_checkpoint(path, checkpoint);
}

/// Runs the steps of one pretraining.
class Trainer {
 public:
  Trainer(const EncoderPlan& plan, const data::ImageSplit& pictures, const PretrainContext& context, State& state)
      : plan_(plan),
        pictures_(pictures),
        context_(context),
        state_(state),
        sampler_(pictures.n, plan.settings.global_batch, static_cast<uint64_t>(plan.seed)),
        share_(data::local_share(plan.settings.global_batch, context.comm.rank(), context.comm.size())),
        gather_(gather_with_gradient(context.comm)),
        reducer_(context.device.is_cuda() ? comm::make_nccl_reducer(context.comm, kBucketBytes)
                                          : comm::make_mpi_reducer(context.comm, kBucketBytes)) {
    if (context.comm.size() > 1) {
      sum_over_ranks_ = [this](at::Tensor& tensor) {
        Timer timer;
        context_.comm.all_reduce_sum(tensor);
        comm_wait_s_ += timer.seconds();
      };
    }
  }

  /// The corner of a step: drawn from the shared seed, the same on every rank.
  int64_t corner_index(int64_t step) const {
    return Draws({.seed = static_cast<uint64_t>(plan_.seed), .purpose = Purpose::kCorner, .sample = static_cast<uint64_t>(step)})
        .below(static_cast<int64_t>(plan_.corners.size()));
  }

  /// One optimiser step over the global batch. Collective. Returns before the update if the loss is not finite.
  StepReport step(double learning_rate) {
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
    const objective::NtXentResult contrast =
        objective::nt_xent(embeddings_BC.narrow(0, 0, share_.count), embeddings_BC.narrow(0, share_.count, share_.count),
                           plan_.settings.objective,
                           {.first = share_.first, .total = plan_.settings.global_batch, .n_ranks = context_.comm.size()}, gather_);
    at::Tensor means = at::stack({contrast.loss.detach(), contrast.top1.detach()}).to(at::kDouble).cpu();
    context_.comm.all_reduce_sum(means);
    report.loss = means[0].item<double>() / context_.comm.size();
    report.top1 = means[1].item<double>() / context_.comm.size();
    if (!std::isfinite(report.loss)) return report;

    contrast.loss.backward();
    update(learning_rate, head, kernels);
    report.comm_wait_s = comm_wait_s_;
    return report;
  }

 private:
  /// Both views of this rank's share, first views first: [2 n, 3, S, S]. One forward pass sees both (joint BatchNorm).
  at::Tensor make_local_views(const config::Invariance& corner) {
    const std::vector<int64_t> batch = sampler_.batch(state_.step);
    const std::span<const int64_t> mine(batch.data() + share_.first, static_cast<size_t>(share_.count));
    augment::ImageBatch images{{}, pictures_.height, pictures_.width};
    for (int64_t index : mine) images.pixels.push_back(pictures_.image(index));
    const augment::ViewPair views =
        augment::make_views(images, plan_.settings.augment, augment::active_operations(plan_.axes, corner), plan_.settings.view_size,
                            static_cast<uint64_t>(plan_.seed), static_cast<uint64_t>(sampler_.epoch(state_.step)), mine);
    return at::cat({views.first, views.second}).to(context_.device);
  }

  void clear_gradients(int64_t head) {
    for (const model::Parameter& parameter : state_.encoder.parameters()) parameter.value.mutable_grad().reset();
    for (const model::Parameter& parameter : state_.heads.parameters(head)) parameter.value.mutable_grad().reset();
  }

  /// Average what the backward pass left over ranks, derive the hypernetwork's gradients from g, and update. Only g travels, not A's
  /// gradient: 33 times less.
  void update(double learning_rate, int64_t head, const model::Kernels& kernels) {
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
      const std::vector<model::FactoredGradient> gradients = state_.encoder.hypernetwork_backward(kernels, kernel_gradients);
      for (size_t index = 0; index < gradients.size(); ++index) {
        factored.push_back({&state_.encoder.factored_parameters()[index], gradients[index]});
      }
    }
    state_.optimizer.step(learning_rate, dense, factored);
  }

  const EncoderPlan& plan_;
  const data::ImageSplit& pictures_;
  const PretrainContext& context_;
  State& state_;
  data::EpochSampler sampler_;
  data::Share share_;
  objective::GatherRows gather_;
  std::unique_ptr<comm::GradientReducer> reducer_;
  model::SumOverRanks sum_over_ranks_;
  double comm_wait_s_ = 0.0;
};

}  // namespace

PretrainOutcome pretrain(const EncoderPlan& plan, const data::ImageSplit& pictures, const PretrainContext& context) {
  const CheckpointFolder folder(context.output, plan.key());
  const bool is_root = context.comm.is_root();
  // All ranks look at the disk before anyone writes to it.
  const bool is_finished = context.comm.all(folder.has_encoder());
  if (is_finished) return {};
  const int64_t steps = plan.settings.steps;
  if (steps > 0 && pictures.n < plan.settings.global_batch) {
    throw_config("encoder {}: {} has {} pictures in split {}, fewer than a batch of {}; lower training.global_batch", plan.name,
                 plan.settings.data, pictures.n, plan.settings.split, plan.settings.global_batch);
  }
  State state(plan);
  if (context.comm.all(folder.has_state())) {
    comm::together(context.comm, [&] { restore_state(state, folder.state_file()); });
    if (is_root && context.log != nullptr) context.log->event("pretrain_resumed", {{"encoder", plan.key()}, {"step", state.step}});
  }
  comm::on_root(context.comm, [&] { io::make_directories(folder.folder()); });
  state.encoder.to(context.device);
  state.heads.to(context.device);

  if (steps > 0) {
    Trainer trainer(plan, pictures, context, state);
    Progress progress = is_root ? Progress("pretrain " + plan.key(), steps, "steps") : Progress::quiet();
    Timer since_checkpoint;
    while (state.step < steps) {
      // Once in a while root saves, so that a killed job loses little. Its clock decides for all.
      const bool stop = context.comm.any(context.stop_requested && context.stop_requested());
      const bool checkpoint_due = context.comm.any(is_root && since_checkpoint.seconds() > context.checkpoint_every_s);
      if (stop || checkpoint_due) {
        comm::on_root(context.comm, [&] { save_state(plan, state, folder.state_file()); });
        since_checkpoint.lap();
      }
      if (stop) return {PretrainEnd::kStopped, ""};

      Timer timer;
      const double rate = learning_rate(plan.settings.schedule, state.step, steps);
      const StepReport report = trainer.step(rate);
      if (!std::isfinite(report.loss)) {
        return {PretrainEnd::kFailed, fmt::format("loss is {} at step {} (rank {} and all others, before the update)", report.loss,
                                                  state.step, context.comm.rank())};
      }
      const double step_s = timer.seconds();
      state.log.append({state.step, report.loss, report.top1, rate,
                        config::bits(plan.corners[static_cast<size_t>(trainer.corner_index(state.step))]),
                        static_cast<double>(plan.settings.global_batch) / step_s, report.data_wait_s, report.comm_wait_s});
      state.seconds += step_s;
      ++state.step;
      progress.update(state.step, fmt::format("loss {:.3f}", report.loss));
    }
  }
  comm::on_root(context.comm, [&] {
    save_encoder(plan, state, folder.encoder_file());
    io::fs::remove(folder.state_file());
  });
  return {};
}

TrainedEncoder load_encoder(const EncoderPlan& plan, const io::fs::path& output) {
  const CheckpointFolder folder(output, plan.key());
  const Checkpoint checkpoint = read_checkpoint(folder.encoder_file());
  TrainedEncoder trained{model::Encoder(plan.settings.model, plan.n_axes(), static_cast<uint64_t>(plan.seed)), {}, ""};
  trained.encoder.load_state(checkpoint.tensors);
  trained.hash = checkpoint.metadata.at("encoder_hash");
  io::EncoderRecord& record = trained.record;
  record.name = plan.name;
  record.encoder_seed = plan.seed;
  record.settings = config::json::serialize(plan.identity);
  record.status = "finished";
  record.checkpoint_hash = trained.hash;
  record.parameters = trained.encoder.n_parameters();
  record.flops_per_image = trained.encoder.flops_per_image(plan.settings.view_size);
  record.seconds = std::stod(checkpoint.metadata.at("seconds"));
  record.pretraining = checkpoint.log;
  return trained;
}

}  // namespace invaria::train

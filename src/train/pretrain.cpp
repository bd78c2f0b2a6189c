#include "train/pretrain.hpp"

#include <ATen/ATen.h>
#include <boost/json/serialize.hpp>

#include <cmath>

#include "comm/agree.hpp"
#include "core/errors.hpp"
#include "core/progress.hpp"
#include "core/timer.hpp"
#include "model/cost.hpp"
#include "objective/embedding_health.hpp"
#include "train/monitor.hpp"
#include "train/trainer.hpp"

namespace invaria::train {
namespace {

io::Table empty_log() {
  using Doubles = std::vector<double>;
  return io::Table(
      {{"step", std::vector<int64_t>{}, "", "optimiser step, from 0"},
       {"loss", Doubles{}, "nat", "contrastive loss over the global batch"},
       {"top1", Doubles{}, "1", "share of anchors whose positive scores highest"},
       {"alignment", Doubles{}, "1", "mean squared distance of positive pairs; 0 full invariance, 2 chance"},
       {"uniformity", Doubles{}, "1", "log mean exp(-2 squared distance) of other pairs; 0 collapse"},
       {"deviation", Doubles{}, "1", "spread of embeddings; 0 collapse, 1 the whole sphere"},
       {"lr", Doubles{}, "", "learning rate"},
       {"corner", std::vector<std::string>{}, "", "invariance drawn for the step, bits in axis order, or mixed"},
       {"images_per_s", Doubles{}, "s-1", "pictures a second over all ranks, two views each"},
       {"data_wait_s", Doubles{}, "s", "time in which the step waited for its views"},
       {"comm_wait_s", Doubles{}, "s",
        "time in which the step waited for other ranks; on a GPU the work queued before counts too"}});
}

/// What a checkpoint holds: the training state, its log, and the time it took.
struct State : TrainState {
  io::Table log = empty_log();
  io::Table monitored;             ///< without columns unless there is a monitor
  std::optional<Monitor> monitor;  ///< if the plan asks for one
  double seconds = 0.0;

  State(const EncoderPlan& plan, const PretrainContext& context) : TrainState(plan) {
    if (plan.settings.monitor.every == 0) return;
    require(context.monitored != nullptr, "pretrain: {} asks for a monitor without pictures", plan.name);
    monitor.emplace(plan, *context.monitored, context.comm, context.device);
    monitored = empty_monitor_table();
  }
};

/// What a monitor looks at; how often it looks is no part of it.
std::string monitored_of(const EncoderPlan& plan) {
  if (plan.settings.monitor.every == 0) return "";
  config::json::object settings = config::write(plan.settings.monitor).as_object();
  settings.erase("every");
  return config::json::serialize(settings);
}

std::map<std::string, std::string> metadata_of(const EncoderPlan& plan, const State& state) {
  return {{"settings", config::json::serialize(plan.identity)},
          {"monitored", monitored_of(plan)},
          {"step", std::to_string(state.step)},
          {"seconds", fmt::format("{}", state.seconds)}};
}

void save_state(const EncoderPlan& plan, const State& state, const io::fs::path& path) {
  Checkpoint checkpoint{{}, metadata_of(plan, state), state.log, state.monitored};
  add_prefixed(checkpoint.tensors, "encoder/", state.encoder.state());
  add_prefixed(checkpoint.tensors, "heads/", state.heads.state());
  add_prefixed(checkpoint.tensors, "objective/", state.objective->state());
  add_prefixed(checkpoint.tensors, "optimizer/", state.optimizer.state());
  if (state.monitor) add_prefixed(checkpoint.tensors, "monitored/", state.monitor->state());
  write_checkpoint(path, checkpoint);
}

/// A monitor is no part of what an encoder is: one that looked at something else, or was not there, begins afresh.
void restore_state(const EncoderPlan& plan, State& state, const io::fs::path& path) {
  const Checkpoint checkpoint = read_checkpoint(path);
  state.encoder.load_state(take_prefixed(checkpoint.tensors, "encoder/"));
  state.heads.load_state(take_prefixed(checkpoint.tensors, "heads/"));
  state.objective->load_state(take_prefixed(checkpoint.tensors, "objective/"));
  state.optimizer.load_state(take_prefixed(checkpoint.tensors, "optimizer/"));
  const model::StateDict monitor = take_prefixed(checkpoint.tensors, "monitored/");
  const auto monitored = checkpoint.metadata.find("monitored");  // earlier builds did not say
  const bool is_same =
      monitored == checkpoint.metadata.end() ? !monitor.empty() : monitored->second == monitored_of(plan);
  if (state.monitor && is_same) {
    state.monitor->load_state(monitor);
    state.monitored = checkpoint.monitor;
  }
  state.log = checkpoint.log;
  state.step = std::stoll(checkpoint.metadata.at("step"));
  state.seconds = std::stod(checkpoint.metadata.at("seconds"));
}

/// The finished encoder: weights and log, without the moments.
void save_encoder(const EncoderPlan& plan, const State& state, const io::fs::path& path) {
  Checkpoint checkpoint{state.encoder.state(), metadata_of(plan, state), state.log, state.monitored};
  checkpoint.metadata["encoder_hash"] = state.encoder.hash();
  write_checkpoint(path, checkpoint);
}

/// Warns, once each time that they begin to, of embeddings that collapse. Fresh ones may lie close together: the first
/// tenth of the steps passes unwatched.
class CollapseWatch {
 public:
  CollapseWatch(const EncoderPlan& plan, const PretrainContext& context) : plan_(plan), context_(context) {}

  void look(int64_t step, double deviation) {
    const bool is_collapsed = deviation < objective::kCollapsedDeviation && 10 * step >= plan_.settings.steps;
    if (is_collapsed && !was_collapsed_ && context_.comm.is_root()) warn(step, deviation);
    was_collapsed_ = is_collapsed;
  }

 private:
  void warn(int64_t step, double deviation) const {
    fmt::print(stderr,
               "\nwarning: encoder {}, step {}: embeddings collapse: their deviation is {:.3f}, under {} (1 would be "
               "the whole sphere); a lower learning rate, a higher momentum or BatchNorm in the projector may help\n",
               plan_.key(), step, deviation, objective::kCollapsedDeviation);
    if (context_.log != nullptr)
      context_.log->event("collapse_warning", {{"encoder", plan_.key()}, {"step", step}, {"deviation", deviation}});
  }

  const EncoderPlan& plan_;
  const PretrainContext& context_;
  bool was_collapsed_ = false;
};

constexpr double kEventEvery_s = 5.0;  ///< so often the log says how far pretraining is

}  // namespace

PretrainOutcome pretrain(const EncoderPlan& plan, const data::DataSplit& pictures, const PretrainContext& context) {
  const CheckpointFolder folder(context.output, plan.key());
  const bool is_root = context.comm.is_root();
  // All ranks look at the disk before anyone writes to it.
  const bool is_finished = context.comm.all(folder.has_encoder());
  if (is_finished) return {};
  const int64_t steps = plan.settings.steps;
  comm::together(context.comm, [&] {
    if (steps == 0 || pictures.n >= plan.settings.global_batch) return;
    throw_config("encoder {}: {} has {} pictures in split {}, fewer than a batch of {}; lower pretraining.global_batch",
                 plan.name, plan.settings.data, pictures.n, plan.settings.split, plan.settings.global_batch);
  });
  State state(plan, context);
  if (context.comm.all(folder.has_state())) {
    comm::together(context.comm, [&] { restore_state(plan, state, folder.state_file()); });
    if (is_root && context.log != nullptr)
      context.log->event("pretrain_resumed", {{"encoder", plan.key()}, {"step", state.step}});
  }
  comm::on_root(context.comm, [&] { io::make_directories(folder.folder()); });
  state.to(context.device);

  if (steps > 0) {
    Trainer trainer(plan, pictures, context.comm, context.device, state);
    Progress progress = is_root ? Progress("pretrain " + plan.key(), steps, "steps") : Progress::quiet();
    CollapseWatch collapse(plan, context);
    Timer since_checkpoint, since_event;
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
        const std::string where = trainer.what_is_not_finite();
        return {PretrainEnd::kFailed,
                fmt::format("loss is {} at step {}, before the update; not finite: {}", report.loss, state.step,
                            where.empty() ? "only what follows from finite views and weights, on every rank" : where)};
      }
      const double step_s = timer.seconds();
      state.log.append({state.step, report.loss, report.top1, report.alignment, report.uniformity, report.deviation,
                        rate, plan.corner_name(state.step), static_cast<double>(plan.settings.global_batch) / step_s,
                        report.data_wait_s, report.comm_wait_s});
      state.seconds += step_s;
      collapse.look(state.step, report.deviation);
      ++state.step;
      if (state.monitor && (state.step % plan.settings.monitor.every == 0 || state.step == steps))
        state.monitor->observe(state.encoder, state.step, state.monitored);
      progress.update(state.step, fmt::format("loss {:.3f}", report.loss));
      if (is_root && context.log != nullptr && (state.step == 1 || since_event.seconds() > kEventEvery_s)) {
        context.log->event("pretrain_step",
                           {{"encoder", plan.key()}, {"step", state.step}, {"steps", steps}, {"loss", report.loss}});
        since_event.lap();
      }
    }
    if (const std::string where = trainer.what_is_not_finite(); !where.empty())
      return {PretrainEnd::kFailed, fmt::format("after the last update, not finite: {}", where)};
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
  TrainedEncoder trained{fresh_encoder(plan), {}, ""};
  trained.encoder.load_state(checkpoint.tensors);
  trained.hash = checkpoint.metadata.at("encoder_hash");
  io::EncoderRecord& record = trained.record;
  record.name = plan.name;
  record.encoder_seed = plan.seed;
  record.settings = config::json::serialize(plan.identity);
  record.status = "finished";
  record.checkpoint_hash = io::sha256_file(folder.encoder_file());
  record.parameters = trained.encoder.n_parameters();
  record.flops_per_image = model::flops_per_image(plan.settings.model, plan.view_shape());
  record.seconds = std::stod(checkpoint.metadata.at("seconds"));
  record.pretraining = checkpoint.log;
  record.monitor = checkpoint.monitor;
  return trained;
}

}  // namespace invaria::train

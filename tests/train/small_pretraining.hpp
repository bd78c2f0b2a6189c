#pragma once
/// @file
/// A pretraining of seconds on made pictures, shared by the tests of the training loop.

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "comm/communicator.hpp"
#include "data/synthetic.hpp"
#include "train/pretrain.hpp"
#include "train/trainer.hpp"

namespace invaria::train::testing {

/// `n` pictures of coloured shapes, 36 x 36 pixels.
inline data::DataSplit made_pictures(int64_t n) {
  constexpr int64_t kSide = 36;
  constexpr int64_t kBytes = kSide * kSide * 3;
  std::shared_ptr<uint8_t[]> pixels(new uint8_t[static_cast<size_t>(n * kBytes)]);
  for (int64_t sample = 0; sample < n; ++sample) {
    data::draw_synthetic({}, "train", sample, kSide, std::span(pixels.get() + sample * kBytes, kBytes));
  }
  data::DataSplit split;
  split.n = n;
  split.shape = {.height = kSide, .width = kSide};
  split.source = data::samples_in_memory({pixels, reinterpret_cast<const std::byte*>(pixels.get())}, kBytes);
  return split;
}

/// Width 4, 32-pixel views, batches of 10: over 4 ranks 3, 3, 2, 2.
inline EncoderPlan small_plan(Algorithm algorithm = Algorithm::kAdamW) {
  EncoderPlan plan;
  plan.name = "small";
  plan.seed = 5;
  plan.settings.data = "made";
  plan.settings.steps = 12;
  plan.settings.global_batch = 10;
  plan.settings.view_size = 32;
  plan.settings.model.width = 4;
  plan.settings.projection.hidden = 12;
  plan.settings.projection.out = 8;
  plan.settings.optimizer.algorithm = algorithm;
  plan.settings.optimizer.weight_decay = 0.01;
  plan.axes = augment::default_axes();
  plan.corners = {{0, 1}, {1, 0}, {1, 1}};
  plan.identity = config::json::object{{"name", plan.name}};
  return plan;
}

/// The same with MoCo: a queue that no batch divides, of few pictures, so that a picture meets its own keys.
inline EncoderPlan small_moco_plan(objective::Kind kind, Algorithm algorithm = Algorithm::kAdamW) {
  EncoderPlan plan = small_plan(algorithm);
  plan.settings.objective.kind = kind;
  plan.settings.objective.queue = 24;
  plan.settings.objective.momentum = 0.9;
  plan.settings.objective.momentum_schedule = objective::MomentumSchedule::kCosine;
  plan.settings.predictor.hidden = 12;
  if (kind == objective::Kind::kMocoV2) {
    plan.settings.projection.batch_norm = model::HeadNorm::kNone;
  } else {
    plan.settings.projection.layers = 3;
    plan.settings.projection.batch_norm = model::HeadNorm::kAll;
  }
  return plan;
}

/// Encoder and heads by name.
inline model::StateDict weights_of(const TrainState& state) {
  model::StateDict all = state.encoder.state();
  all.merge(state.heads.state());
  return all;
}

inline double length(const at::Tensor& values) {
  return values.detach().to(at::kDouble).norm().item<double>();
}

/// The greatest |found - expected| of a tensor beside |expected - start|: an error measured in what training changed,
/// but for rounding of a float: a thousandth here is 1e-7 of a weight that does not move.
struct Distance {
  double worst = 0.0;
  std::string name;
};

inline Distance distance(const model::StateDict& found, const model::StateDict& expected,
                         const model::StateDict& start) {
  Distance distance;
  for (const auto& [name, value] : expected) {
    const double moved = length(value.detach() - start.at(name).to(at::kDouble));
    const double off = length(found.at(name).to(at::kDouble) - value.detach());
    const double share = off / (moved + 1e-4 * length(value) + 1e-12);
    if (share > distance.worst) distance = {share, name};
  }
  return distance;
}

/// The same of all trained tensors together.
inline double distance_of_all(const model::StateDict& found, const model::StateDict& expected,
                              const model::StateDict& start) {
  double off = 0.0, moved = 0.0;
  for (const auto& [name, value] : expected) {
    if (name.find("running_") != std::string::npos || name.ends_with("num_batches_tracked")) continue;
    off += std::pow(length(found.at(name).to(at::kDouble) - value.detach()), 2);
    moved += std::pow(length(value.detach() - start.at(name).to(at::kDouble)), 2);
  }
  return std::sqrt(off / moved);
}

/// Steps held one by one against those of a plain twin that takes over the trainer's state before each. Where a ReLU's
/// input is zero but for rounding, float and double part whatever the code does: such steps are rare, and their number
/// depends on the processor; what is wrong is far off at every step.
class FarSteps {
 public:
  /// Once or more a step.
  void check(int64_t step, const Distance& found, double tolerance) {
    if (found.worst < tolerance || (!far_.empty() && far_.back() == step)) return;
    far_.push_back(step);
    what_ += fmt::format(" step {}: {} off by {};", step, found.name, found.worst);
  }
  int64_t count() const { return static_cast<int64_t>(far_.size()); }
  const std::string& what() const { return what_; }

 private:
  std::vector<int64_t> far_;
  std::string what_;
};

/// A trainer on the CPU with all that it needs.
struct Run {
  EncoderPlan plan;
  TrainState state;
  Trainer trainer;
  Run(EncoderPlan settings, const data::DataSplit& pictures, const comm::Communicator& comm,
      comm::Overlap overlap = comm::Overlap::kAutomatic)
      : plan(std::move(settings)), state(plan), trainer(plan, pictures, comm, c10::Device(c10::kCPU), state, overlap) {}

  StepReport step(double learning_rate) {
    const StepReport report = trainer.step(learning_rate);
    ++state.step;
    return report;
  }
};

/// Encoder, heads, moments and the objective's state by name.
inline model::StateDict everything(const TrainState& state) {
  model::StateDict all = weights_of(state);
  add_prefixed(all, "objective/", state.objective->state());
  for (const auto& [name, tensor] : state.optimizer.state()) all["optimizer/" + name] = tensor;
  return all;
}

inline model::StateDict copy_of(const model::StateDict& state) {
  model::StateDict copy;
  for (const auto& [name, tensor] : state) copy[name] = tensor.clone();
  return copy;
}

/// A folder that all ranks share, removed by rank 0. Collective.
class SharedScratch {
 public:
  explicit SharedScratch(const comm::Communicator& comm) : comm_(comm) {
    std::string name = (std::filesystem::temp_directory_path() / "invaria-train-XXXXXX").string();
    if (comm.is_root()) ::mkdtemp(name.data());
    path_ = comm.broadcast(name);
  }
  ~SharedScratch() {
    comm_.barrier();
    if (comm_.is_root()) clear();
  }
  SharedScratch(const SharedScratch&) = delete;
  SharedScratch& operator=(const SharedScratch&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  /// std::filesystem::remove_all would be LibTorch's own copy of it, which crashes.
  void clear() const {
    std::vector<std::filesystem::path> found{path_};
    std::error_code ignored;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path_, ignored))
      found.push_back(entry.path());
    for (; !found.empty(); found.pop_back()) std::filesystem::remove(found.back(), ignored);
  }

  const comm::Communicator& comm_;
  std::filesystem::path path_;
};

/// Pretrain on one thread, giving up (after a checkpoint) before step `stop_before` of this call if that is not
/// negative.
inline PretrainOutcome pretrain_small(const EncoderPlan& plan, const data::DataSplit& pictures,
                                      const comm::Communicator& comm, const std::filesystem::path& output,
                                      int64_t stop_before = -1, double checkpoint_every_s = 1e9) {
  int64_t asked = 0;
  return pretrain(plan, pictures, {comm, c10::Device(c10::kCPU), output, checkpoint_every_s, nullptr, [&] {
                                     return stop_before >= 0 && asked++ == stop_before;
                                   }});
}

}  // namespace invaria::train::testing

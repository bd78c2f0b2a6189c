#include "suite/calibrate.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "comm/job_counter.hpp"
#include "core/philox.hpp"
#include "core/timer.hpp"
#include "downstream/bootstrap.hpp"
#include "downstream/descending_readout.hpp"
#include "downstream/episodes.hpp"
#include "downstream/features.hpp"
#include "downstream/held_out_loss.hpp"
#include "downstream/learned_invariance.hpp"
#include "downstream/readout.hpp"
#include "model/cost.hpp"
#include "suite/typical_seconds.hpp"
#include "train/trainer.hpp"

namespace invaria::suite {
namespace {

constexpr int64_t kMostImages = 256;
constexpr int64_t kBatches = 5;  ///< that a step's pictures are made for

/// Made samples: noise costs as much as a photograph or speech. Sounds are a quiet hiss.
data::DataSplit noise_samples(int64_t n, const config::StoredShape& shape) {
  const auto bytes = static_cast<size_t>(n * shape.bytes());
  std::shared_ptr<std::byte> pixels(static_cast<std::byte*>(std::malloc(bytes)),
                                    [](std::byte* pointer) { std::free(pointer); });
  Draws draws({.purpose = Purpose::kCalibration});
  if (shape.are_sounds()) {
    auto* values = reinterpret_cast<float*>(pixels.get());
    for (int64_t index = 0; index < n * shape.n_values; ++index)
      values[index] = static_cast<float>(draws.uniform(-0.1, 0.1));
  } else {
    for (size_t index = 0; index < bytes; ++index) pixels.get()[index] = static_cast<std::byte>(draws.next_u32() & 255);
  }
  data::DataSplit split;
  split.n = n;
  split.shape = shape;
  split.source = data::samples_in_memory(std::move(pixels), shape.bytes());
  return split;
}

/// Pictures that show what one takes: fewer of those that take long.
int64_t n_measured(const train::EncoderPlan& plan, const CalibrationPlace& place) {
  const double each = model::flops_per_image(plan.settings.model, plan.view_shape());
  return std::clamp<int64_t>(static_cast<int64_t>(place.operations / each), 8, kMostImages);
}

/// A step over `pictures` on each rank.
double measure_step(train::EncoderPlan plan, int64_t pictures, const CalibrationPlace& place) {
  plan.settings.global_batch = pictures * place.comm.size();
  plan.settings.steps = std::max(plan.settings.steps, kMostCalls);  // schedules are asked for each of them
  // What a run's batch must fit: a queue that takes it, BatchNorm's groups that divide it.
  objective::ObjectiveSettings& objective = plan.settings.objective;
  objective.queue = std::max(objective.queue, plan.settings.global_batch);
  const int64_t shared = std::gcd(objective.batch_norm_group, plan.settings.global_batch);
  objective.batch_norm_group = shared > 1 ? shared : plan.settings.global_batch;
  const data::DataSplit made = noise_samples(plan.settings.global_batch * kBatches, plan.stored);
  return typical_seconds(place, [&](const comm::Communicator& comm) {
    auto state = std::make_shared<train::TrainState>(plan);
    state->to(place.device);
    auto trainer = std::make_shared<train::Trainer>(plan, made, comm, place.device, *state);
    return [state, trainer] {
      trainer->step(1e-6);
      ++state->step;
    };
  });
}

constexpr int64_t kPart = 4;  ///< how much smaller the smaller batch of a long step is

/// Pictures of a step on one rank.
struct StepShare {
  int64_t in_run = 0;
  int64_t measured = 0;  ///< at most
  int64_t least = 0;     ///< that can be a batch
};

StepShare step_share(const train::EncoderPlan& plan, int64_t ranks, double operations) {
  constexpr double kPasses = 6.0;  // of a picture in a step: two views, each forward and, at twice its cost, backward
  const bool is_mixed = plan.settings.corners_per_step == train::CornersPerStep::kMixed;
  const int64_t least = 2 * (is_mixed ? static_cast<int64_t>(plan.corners.size()) : 1);  // negatives of each corner
  const int64_t in_run = std::max(least, (plan.settings.global_batch + ranks - 1) / ranks);
  const double each = kPasses * model::flops_per_image(plan.settings.model, plan.view_shape());
  return {in_run, std::min(in_run, std::max(kPart * least, static_cast<int64_t>(operations / each))), least};
}

StepTime from_two_sizes(double large_s, int64_t large, double small_s, int64_t small) {
  const double picture_s = std::max(0.0, large_s - small_s) / static_cast<double>(large - small);
  return {std::max(0.0, large_s - picture_s * static_cast<double>(large)), picture_s};
}

/// A step of the run. Where a rank's share of the batch would take long, two smaller ones show what it takes.
double measure_step(const train::EncoderPlan& plan, const CalibrationPlace& place) {
  const StepShare share = step_share(plan, place.ranks, place.operations);
  const double large_s = measure_step(plan, share.measured, place);
  if (share.measured == share.in_run) return large_s;
  const int64_t small = share.measured / kPart;
  const StepTime time = from_two_sizes(large_s, share.measured, measure_step(plan, small, place), small);
  return large_s + time.picture_s * static_cast<double>(share.in_run - share.measured);
}

at::Tensor zero_views(int64_t n, const config::ViewShape& view) {
  return at::zeros({n, view.channels, view.height, view.width});
}

/// An untrained encoder, ready to be read.
model::Encoder frozen_encoder(const train::EncoderPlan& plan, c10::Device device) {
  model::Encoder encoder(plan.settings.model, plan.n_axes(), 0, plan.view_shape());
  encoder.to(device);
  downstream::freeze(encoder);
  return encoder;
}

double measure_image(const train::EncoderPlan& plan, const model::Encoder& encoder, const CalibrationPlace& place) {
  const model::Generated generated = encoder.generate(config::centre(plan.n_axes()));
  const int64_t n = n_measured(plan, place);
  const at::Tensor images_BCHW = zero_views(n, plan.view_shape());
  const double all_s = typical_seconds(place, [&](const comm::Communicator&) {
    return [&] { downstream::extract_features(encoder, generated, model::BatchNormPass::running(), images_BCHW); };
  });
  return all_s / static_cast<double>(n);
}

/// `n` pictures of noise, sorted into classes in turn, or with four targets.
downstream::Samples made_samples(int64_t n, int64_t n_classes, const config::ViewShape& view) {
  downstream::Samples samples;
  samples.pictures = zero_views(n, view);
  if (n_classes == 0) {
    samples.targets_BT = at::arange(4 * n, at::kDouble).view({n, 4}).sin();
    samples.norm_B = at::ones({n}, at::kDouble);  // that nme divides by
  } else {
    samples.labels_B = at::arange(n, at::kLong).remainder(n_classes);
  }
  return samples;
}

/// What was measured, by what it depends on: tasks that are alike to an encoder share a measurement.
using Shared = std::map<std::string, double>;

double shared(Shared& known, const std::string& key, const std::function<double()>& measure) {
  const auto found = known.find(key);
  return found != known.end() ? found->second : known.emplace(key, measure()).first->second;
}

/// Seconds of learning i once on a task: what one image takes in a step, times the images at most.
double measure_projected(const train::EncoderPlan& plan, const model::Encoder& encoder, const TaskSize& size,
                         int64_t n_classes, downstream::ProjectedSettings settings, const CalibrationPlace& place,
                         Shared& known) {
  const auto images = downstream::projected_images(
      settings, size.train, plan.n_axes(), downstream::images_kept_at_once(plan.settings.model, plan.view_shape()));
  n_classes = std::min(n_classes, n_measured(plan, place) / 2);
  const int64_t least = 2 * std::max<int64_t>(n_classes, 1);
  const int64_t measured = std::max(least, std::min({size.train, settings.batch, n_measured(plan, place)}));
  settings.steps = settings.starts = 1;
  settings.first_batch = settings.batch;
  const double step_s = shared(known, fmt::format("projected {} {}", n_classes, measured), [&] {
    const downstream::Samples samples = made_samples(measured, n_classes, plan.view_shape());
    return typical_seconds(place, [&](const comm::Communicator&) {
      return [&] { downstream::learn_projected(encoder, samples, n_classes, settings, 0, {}); };
    });
  });
  constexpr double kForwardShare = 1.0 / 3.0;  // of a step with its backward pass
  return step_s / static_cast<double>(measured) *
         (static_cast<double>(images.with_gradient) + kForwardShare * static_cast<double>(images.forward_only));
}

/// @param image_s  of one image forward, which is what validation takes
double measure_joint(const train::EncoderPlan& plan, const model::Encoder& encoder, const TaskSize& size,
                     int64_t n_classes, downstream::Metric metric, downstream::JointSettings settings, double image_s,
                     const CalibrationPlace& place, Shared& known) {
  const auto epochs = static_cast<double>(settings.epochs);
  settings.epochs = 1;
  const int64_t most = n_measured(plan, place);
  settings.batch = std::min(settings.batch, most);
  n_classes = std::min(n_classes, most / 2);
  const int64_t batches = std::min({2 * settings.batch, most, size.train});
  const double epoch_s = shared(known, fmt::format("joint {} {}", n_classes, batches), [&] {
    downstream::TaskData task;
    task.n_classes = n_classes;
    task.train = made_samples(batches, n_classes, plan.view_shape());
    task.validation = made_samples(2, n_classes, plan.view_shape());
    return typical_seconds(place, [&](const comm::Communicator&) {
      return [&] { downstream::learn_joint(encoder, task, settings, metric, 0, {}); };
    });
  });
  return epochs * (epoch_s * static_cast<double>(size.train) / static_cast<double>(batches) +
                   image_s * static_cast<double>(size.validation));
}

/// `n` features that are not quite separable, as a task of this kind has them: class centres with noise around them, or
/// four targets that follow from the features.
downstream::LabelledFeatures made_features(Draws& draws, int64_t n, int64_t dim, const downstream::TaskSettings& task,
                                           int64_t n_classes) {
  downstream::LabelledFeatures made;
  made.n_classes = n_classes;
  made.features_BD = at::empty({n, dim});
  float* out = made.features_BD.mutable_data_ptr<float>();
  std::vector<int64_t> labels;
  for (int64_t sample = 0; sample < n; ++sample) {
    labels.push_back(sample % std::max<int64_t>(n_classes, 1));
    for (int64_t feature = 0; feature < dim; ++feature) {
      const bool is_own = feature % std::max<int64_t>(n_classes, 1) == labels.back();
      *out++ = static_cast<float>(draws.normal() + (is_own ? 2.0 : 0.0));
    }
  }
  if (task.has_classes()) {
    made.labels_B = at::tensor(labels, at::kLong);
    return made;
  }
  made.targets_BT = made.features_BD.narrow(1, 0, 4).to(at::kDouble);
  if (task.kind == downstream::TaskKind::kKeypoints) made.norm_B = at::ones({n}, at::kDouble);
  if (task.kind == downstream::TaskKind::kMultiLabel) {
    made.target_kind = downstream::TargetKind::kAttributes;
    made.targets_BT = made.targets_BT.gt(0).to(at::kDouble);
  }
  return made;
}

/// Episodes on made features: as many as fit in a moment, then all of them by proportion.
double measure_episodes(const downstream::TaskSettings& task, int64_t feature_dim,
                        const downstream::ReadoutSettings& settings) {
  downstream::FewShotSettings few_shot = task.few_shot;
  const double all = static_cast<double>(few_shot.episodes) +
                     static_cast<double>(few_shot.validation_episodes) * static_cast<double>(settings.l2.size());
  few_shot.episodes = few_shot.validation_episodes = 20;
  Draws draws({.purpose = Purpose::kCalibration, .sample = 2});
  const int64_t n = few_shot.ways * (few_shot.shots + few_shot.queries);
  const downstream::LabelledFeatures made = made_features(draws, n, feature_dim, task, few_shot.ways);
  downstream::TaskData data;
  data.validation_classes.labels_B = data.test.labels_B = made.labels_B;
  data.validation_classes.rows_B = data.test.rows_B = at::arange(n, at::kLong);
  Timer timer;
  const double l2 = downstream::choose_episode_penalty(made.features_BD, data, few_shot, settings, 0, 0).l2;
  downstream::judge_episodes(l2, made.features_BD, data, few_shot, settings, 0, 0);
  return timer.seconds() * all / (20.0 + 20.0 * static_cast<double>(settings.l2.size()));
}

/// One readout, chosen on validation and judged: a share of the samples and of the penalties where there are many, the
/// whole by proportion.
double measure_readout(const downstream::TaskSettings& task, const TaskSize& size, int64_t n_classes,
                       int64_t feature_dim, const downstream::DownstreamSettings& settings) {
  if (task.kind == downstream::TaskKind::kFewShot) return measure_episodes(task, feature_dim, settings.readout);
  constexpr double kMostSamples = 3000.0;
  constexpr size_t kMostPenalties = 4;
  const double share =
      std::min(1.0, kMostSamples / static_cast<double>(std::max<int64_t>(size.train + size.validation, 1)));
  Draws draws({.purpose = Purpose::kCalibration, .sample = 1});
  const auto part = [&](int64_t n) {
    return made_features(draws, std::max<int64_t>(std::llround(share * static_cast<double>(n)), 4), feature_dim, task,
                         n_classes);
  };
  const downstream::LabelledFeatures train = part(size.train), validation = part(size.validation),
                                     test = part(size.test);
  downstream::ReadoutSettings some = settings.readout;
  const size_t every = (some.l2.size() + kMostPenalties - 1) / kMostPenalties;
  std::vector<double> l2;
  for (size_t k = 0; k < some.l2.size(); k += every) l2.push_back(some.l2[k]);
  const double per_penalty = static_cast<double>(some.l2.size()) / static_cast<double>(l2.size());
  some.l2 = l2;
  Timer timer;
  const downstream::Metric metric = task.resolved_metrics().front();
  const bool is_exact = settings.readout.solver == downstream::Solver::kExact;
  const downstream::Readout readout = is_exact
                                          ? downstream::choose_readout(train, validation, some, metric).final
                                          : downstream::fit_by_descent(train, validation, settings.joint, metric, 0);
  const double fit_s = timer.seconds() * (is_exact ? per_penalty : 1.0);
  timer = Timer();
  const at::Tensor scores = readout.predict(test.features_BD);
  for (downstream::Metric each : task.resolved_metrics())
    downstream::bootstrap_interval(each, scores, test.truth(), settings.bootstrap, 0);
  return (fit_s + timer.seconds()) / share;
}

/// What claiming a unit takes: measured where there are several ranks, all of them asking at once.
ClaimCost measure_claim(const CalibrationPlace& place) {
  if (place.comm.size() == 1) return place.nodes > 1 ? ClaimCost::across_nodes() : ClaimCost::on_one_node();
  constexpr int kClaims = 50;
  comm::JobCounter counter(place.comm);
  // One by one with pauses: a served counter has gone to sleep, as it will have between units.
  Timer waiting;
  double waited_s = 0.0;
  for (int n = 0; n < kClaims; ++n) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    waiting.lap();
    counter.claim();
    waited_s += waiting.lap();
  }
  place.comm.barrier();
  Timer busy;
  for (int n = 0; n < kClaims; ++n) counter.claim();
  const std::vector<double> busy_s = place.comm.all_gather(busy.seconds());
  const std::vector<double> latency_s = place.comm.all_gather(waited_s / kClaims);
  return {*std::max_element(busy_s.begin(), busy_s.end()) / static_cast<double>(kClaims * place.comm.size()),
          *std::max_element(latency_s.begin(), latency_s.end())};
}

}  // namespace

Calibration calibrate(const Suite& suite, const Summaries& summaries, const Plan& plan, const CalibrationPlace& place) {
  Calibration calibration;
  if (!suite.measure.data.empty())
    calibration.measured_pictures = summaries.at(suite.measure.data).count(suite.measure.split);
  const std::vector<TaskSize> sizes = task_sizes(suite, summaries);
  struct Measured {
    double step_s = 0.0, image_s = 0.0;
    std::vector<double> projected_s, joint_s, episodes_s, readout_s;
  };
  // Encoders that differ only in name, seed or corner take the same time; so do readouts of as many features.
  std::map<std::string, Measured> measured;
  Shared readouts;
  for (const train::EncoderPlan& pretrained : plan.encoders) {
    const std::string key = config::json::serialize(config::write(pretrained.settings));
    if (!measured.contains(key)) {
      Measured& mine = measured[key];
      if (pretrained.settings.steps > 0) mine.step_s = measure_step(pretrained, place);
      const model::Encoder encoder = frozen_encoder(pretrained, place.device);
      mine.image_s = measure_image(pretrained, encoder, place);
      mine.projected_s.resize(suite.tasks.size());
      mine.joint_s.resize(suite.tasks.size());
      mine.episodes_s.resize(suite.tasks.size());
      const int64_t dim = model::feature_dim(pretrained.settings.model);
      Shared known;
      for (size_t task = 0; task < suite.tasks.size(); ++task) {
        const downstream::TaskSettings& settings = suite.tasks[task];
        const int64_t n_classes = class_count(settings, summaries.at(settings.data));
        mine.readout_s.push_back(shared(readouts, fmt::format("{} {}", task, dim), [&] {
          return measure_readout(settings, sizes[task], n_classes, dim, suite.downstream);
        }));
        if (!pretrained.is_conditioned()) continue;
        if (suite.asks_for_projected())
          mine.projected_s[task] =
              measure_projected(pretrained, encoder, sizes[task], n_classes, suite.downstream.projected, place, known);
        if (suite.asks_for(Arm::kLearnedEpisode) && allows_learned_episodes(settings)) {
          const downstream::FewShotSettings& few_shot = settings.few_shot;
          mine.episodes_s[task] = static_cast<double>(2 * few_shot.learned_episodes) *
                                  measure_projected(pretrained, encoder, {.train = few_shot.ways * few_shot.shots},
                                                    few_shot.ways, suite.downstream.projected, place, known);
        }
        if (suite.asks_for_joint())
          mine.joint_s[task] =
              measure_joint(pretrained, encoder, sizes[task], n_classes, settings.resolved_metrics().front(),
                            suite.downstream.joint, mine.image_s, place, known);
      }
    }
    const Measured& mine = measured.at(key);
    calibration.step_s.push_back(mine.step_s);
    calibration.image_s.push_back(mine.image_s);
    calibration.projected_s.push_back(mine.projected_s);
    calibration.joint_s.push_back(mine.joint_s);
    calibration.episodes_s.push_back(mine.episodes_s);
    calibration.readout_s.push_back(mine.readout_s);
  }
  calibration.claim = measure_claim(place);
  return calibration;
}

StepTime measure_step_time(const train::EncoderPlan& plan, const CalibrationPlace& place) {
  const StepShare share = step_share(plan, 1, place.operations);
  const int64_t large = share.measured;
  const int64_t small = std::max(large / kPart, share.least);
  if (small == large) return {0.0, measure_step(plan, large, place) / static_cast<double>(large)};
  return from_two_sizes(measure_step(plan, large, place), large, measure_step(plan, small, place), small);
}

int64_t pictures_measured(const train::EncoderPlan& plan, int64_t ranks) {
  return step_share(plan, ranks, CalibrationPlace::kOperations).measured;
}

}  // namespace invaria::suite

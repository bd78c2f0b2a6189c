#include "suite/calibrate.hpp"

#include <ATen/ATen.h>

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <numeric>
#include <queue>
#include <set>
#include <vector>

#include "core/philox.hpp"
#include "core/timer.hpp"
#include "downstream/features.hpp"
#include "downstream/readout.hpp"
#include "model/cost.hpp"
#include "train/trainer.hpp"

namespace invaria::suite {
namespace {

constexpr int kTimedSteps = 4;  ///< of which the first warms up

/// Made pictures: noise costs as much as a photograph.
data::ImageSplit noise_pictures(int64_t n, int64_t side) {
  const size_t bytes = static_cast<size_t>(n * side * side * 3);
  std::shared_ptr<std::byte> pixels(static_cast<std::byte*>(std::malloc(bytes)),
                                    [](std::byte* pointer) { std::free(pointer); });
  Draws draws({.purpose = Purpose::kCalibration});
  for (size_t index = 0; index < bytes; ++index) pixels.get()[index] = static_cast<std::byte>(draws.next_u32() & 255);
  data::ImageSplit split;
  split.n = n;
  split.height = split.width = side;
  split.pixels = std::move(pixels);
  return split;
}

/// Median of a few calls after one that warms up.
template <class Work>
double median_seconds(const Work& work) {
  std::vector<double> seconds;
  for (int round = 0; round < kTimedSteps; ++round) {
    Timer timer;
    work();
    if (round > 0) seconds.push_back(timer.seconds());
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

double measure_step(train::EncoderPlan plan, int64_t side, int64_t ranks, const comm::Communicator& comm) {
  plan.settings.global_batch = std::max<int64_t>(2, (plan.settings.global_batch + ranks - 1) / ranks);
  const data::ImageSplit pictures = noise_pictures(plan.settings.global_batch * kTimedSteps, side);
  train::TrainState state(plan);
  train::Trainer trainer(plan, pictures, comm, c10::Device(c10::kCPU), state);
  return median_seconds([&] {
    trainer.step(1e-6);
    ++state.step;
  });
}

double measure_image(const train::EncoderPlan& plan) {
  constexpr int64_t kImages = 256;
  const model::Encoder encoder(plan.settings.model, plan.n_axes(), 0);
  const model::Kernels kernels = encoder.kernels(config::centre(plan.n_axes()));
  const at::Tensor images = at::zeros({kImages, 3, plan.settings.view_size, plan.settings.view_size});
  return median_seconds(
             [&] { downstream::extract_features(encoder, kernels, model::BatchNormPass::running(), images); }) /
         kImages;
}

/// A readout on features that are not quite separable: class centres with noise around them.
double measure_readout(const downstream::TaskSettings& task, const TaskSize& size, int64_t n_classes,
                       int64_t feature_dim, const downstream::ReadoutSettings& settings) {
  Draws draws({.purpose = Purpose::kCalibration, .sample = 1});
  const auto part = [&](int64_t n) {
    downstream::LabelledFeatures made;
    made.n_classes = n_classes;
    made.features_BD = at::empty({n, feature_dim});
    float* out = made.features_BD.mutable_data_ptr<float>();
    std::vector<int64_t> labels;
    for (int64_t sample = 0; sample < n; ++sample) {
      labels.push_back(sample % std::max<int64_t>(n_classes, 1));
      for (int64_t feature = 0; feature < feature_dim; ++feature) {
        *out++ = static_cast<float>(draws.normal() +
                                    (feature % std::max<int64_t>(n_classes, 1) == labels.back() ? 2.0 : 0.0));
      }
    }
    made.labels_B = at::tensor(labels, at::kLong);
    if (n_classes == 0)
      made.targets_BT = made.features_BD.narrow(1, 0, std::min<int64_t>(feature_dim, 4)).to(at::kDouble);
    return made;
  };
  const downstream::LabelledFeatures train = part(std::max<int64_t>(size.train, 4));
  const downstream::LabelledFeatures validation = part(std::max<int64_t>(size.validation, 4));
  Timer timer;
  downstream::choose_readout(train, validation, settings, task.resolved_metrics().front());
  return timer.seconds();
}

int64_t classes_of(const downstream::TaskSettings& task, const Manifests& manifests) {
  if (task.kind == downstream::TaskKind::kRegression) return 0;
  if (task.kind == downstream::TaskKind::kKnown) return task.known.classes;
  const int64_t all = (manifests.at(task.data).classes + task.class_every - 1) / task.class_every;
  return task.class_limit > 0 ? std::min(all, task.class_limit) : all;
}

/// When the last of `ranks` is done, each claiming the next unit as soon as it is free.
double makespan(const std::vector<double>& seconds, int64_t ranks) {
  std::priority_queue<double, std::vector<double>, std::greater<>> free_at;
  for (int64_t rank = 0; rank < ranks; ++rank) free_at.push(0.0);
  double last = 0.0;
  for (double unit : seconds) {
    const double end = free_at.top() + unit;
    free_at.pop();
    free_at.push(end);
    last = std::max(last, end);
  }
  return last;
}

}  // namespace

Calibration calibrate(const Suite& suite, const Manifests& manifests, const Plan& plan, int64_t ranks,
                      const comm::Communicator& comm) {
  Calibration calibration;
  // Encoders that differ only in name, seed or corner take the same time.
  std::map<std::string, std::pair<double, double>> measured;
  for (const train::EncoderPlan& encoder : plan.encoders) {
    const auto dataset = std::find_if(suite.data.begin(), suite.data.end(),
                                      [&](const auto& entry) { return entry.name == encoder.settings.data; });
    train::PretrainSettings settings = encoder.settings;
    const bool is_trained = settings.steps > 0;
    settings.steps = is_trained ? 1 : 0;
    const std::string key = config::json::serialize(config::write(settings));
    if (!measured.contains(key))
      measured[key] = {is_trained ? measure_step(encoder, dataset->size, ranks, comm) : 0.0, measure_image(encoder)};
    calibration.step_s.push_back(measured[key].first);
    calibration.image_s.push_back(measured[key].second);
  }
  const std::vector<TaskSize> sizes = task_sizes(suite, manifests);
  const int64_t feature_dim = model::feature_dim(plan.encoders.front().settings.model);
  for (size_t task = 0; task < suite.tasks.size(); ++task) {
    calibration.readout_s.push_back(measure_readout(suite.tasks[task], sizes[task],
                                                    classes_of(suite.tasks[task], manifests), feature_dim,
                                                    suite.downstream.readout));
  }
  return calibration;
}

double TimeEstimate::total_s() const {
  return std::accumulate(encoder_s.begin(), encoder_s.end(), sweep_s);
}

TimeEstimate estimate_time(const Suite&, const Plan& plan, const Calibration& calibration, int64_t ranks) {
  TimeEstimate estimate;
  std::vector<double> flops;
  for (size_t encoder = 0; encoder < plan.encoders.size(); ++encoder) {
    const train::PretrainSettings& settings = plan.encoders[encoder].settings;
    estimate.encoder_s.push_back(static_cast<double>(settings.steps) * calibration.step_s[encoder]);
    flops.push_back(model::flops_per_image(settings.model, settings.view_size));
  }
  for (const Unit& unit : plan.units) {
    const double images = unit.cost / flops[unit.encoder];  // a backward pass is in the cost as two forward ones
    std::set<std::pair<std::string, int64_t>> readouts;
    if (unit.kind == UnitKind::kFixed) {
      for (const Job& job : unit.jobs) readouts.emplace("", job.repeat);  // arms at one point share theirs
    } else {
      for (const Job& job : unit.jobs) readouts.emplace(job.arm, job.repeat);
    }
    const double readout_s =
        readouts.empty() ? 0.0 : static_cast<double>(readouts.size()) * calibration.readout_s[unit.task];
    estimate.unit_s.push_back(images * calibration.image_s[unit.encoder] + readout_s);
  }
  estimate.sweep_s = makespan(estimate.unit_s, ranks);
  return estimate;
}

}  // namespace invaria::suite

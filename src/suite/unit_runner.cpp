#include "suite/unit_runner.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "core/errors.hpp"
#include "core/philox.hpp"
#include "core/timer.hpp"
#include "downstream/features.hpp"
#include "downstream/learned_invariance.hpp"
#include "downstream/readout.hpp"
#include "downstream/sensitivity.hpp"
#include "downstream/task.hpp"
#include "suite/clean_pictures.hpp"
#include "suite/encoder_store.hpp"

namespace invaria::suite {
namespace {

using downstream::LabelledFeatures;
using downstream::Metric;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// One arm's outcome: values of every metric on both sets, and where i ended.
struct Outcome {
  std::map<std::string, double> value;
  std::map<std::string, double> validation_value;
  config::Invariance invariance;
  double readout_l2 = 0.0;
  std::string bn_statistics = "running";
  std::string bn_hash;
  io::Trajectory trajectory;
  std::string halves;
};

}  // namespace

struct UnitRunner::Impl {
  const Suite& suite;
  const Plan& plan;
  const Datasets& datasets;
  RankPlace place;
  std::function<bool()> stop_requested;
  EncoderStore encoders;
  std::string clean_key;
  at::Tensor clean_images;
  std::string task_key;
  downstream::TaskData task_data;
  // Of the present unit:
  std::map<std::string, at::Tensor> features_of_unit;
  std::map<config::Invariance, model::Generated> generated_of_unit;
  int64_t encoder_passes = 0;

  /// What the conditioning makes of an i, once a unit and only where something reads them.
  const model::Generated& generated_at(const LoadedEncoder& encoder, const config::Invariance& invariance) {
    const auto found = generated_of_unit.find(invariance);
    if (found != generated_of_unit.end()) return found->second;
    return generated_of_unit.emplace(invariance, encoder.encoder.generate(invariance)).first->second;
  }

  const train::EncoderPlan& encoder_plan(const Unit& unit) const { return plan.encoders[unit.encoder]; }

  /// Clean pretraining pictures for re-estimation, drawn by address from the encoder's seed. Encoders with equal
  /// pictures share them; only the last are kept.
  const at::Tensor& clean_pictures(const train::EncoderPlan& encoder) {
    const std::string key =
        fmt::format("{} {} {} {} {}", encoder.settings.data, encoder.settings.split, encoder.seed,
                    encoder.settings.view_size, config::json::serialize(config::write(encoder.settings.augment)));
    if (key == clean_key) return clean_images;
    const data::ImageSplit& split = datasets.at(encoder.settings.data).split(encoder.settings.split);
    clean_images = suite::clean_pictures(encoder, split, suite.downstream.batch_norm.images);
    clean_key = key;
    return clean_images;
  }

  const downstream::TaskData& task(const Unit& unit, int64_t repeat) {
    const train::EncoderPlan& encoder = encoder_plan(unit);
    // Encoders with equal views share rendered tasks.
    const std::string key = fmt::format("{} {} {} {}", unit.task, repeat, encoder.settings.view_size,
                                        config::json::serialize(config::write(encoder.settings.augment)));
    if (key == task_key) return task_data;
    const downstream::TaskSettings& settings = suite.tasks[unit.task];
    task_data = downstream::make_task(settings, suite.axes, datasets.at(settings.data), encoder.settings.augment,
                                      encoder.settings.view_size, static_cast<uint64_t>(suite.seed), repeat);
    task_key = key;
    return task_data;
  }

  /// Statistics that features at `invariance` are read under.
  const model::BatchNormStatistics* statistics_for(const Unit& unit, LoadedEncoder& encoder,
                                                   const config::Invariance& invariance) {
    if (!unit.reestimates) return nullptr;
    const auto found = encoder.statistics.find(invariance);
    if (found != encoder.statistics.end()) return &found->second;
    const at::Tensor& images = clean_pictures(encoder_plan(unit));
    encoder_passes += images.size(0);
    return &encoder.statistics
                .emplace(invariance,
                         downstream::reestimate_statistics(encoder.encoder, generated_at(encoder, invariance), images,
                                                           suite.downstream.batch_norm.batch))
                .first->second;
  }

  /// Features of a task's whole pool, once for all repeats that share it.
  at::Tensor pool_features(const LoadedEncoder& encoder, const config::Invariance& invariance,
                           const model::BatchNormPass& pass, const downstream::TaskData& data) {
    const std::string key =
        fmt::format("{} {} {}", data.pool_hash, config::to_string(invariance), static_cast<int>(pass.mode));
    at::Tensor& features = features_of_unit[key];
    if (!features.defined()) {
      encoder_passes += data.pool_BCHW.size(0);
      features = downstream::extract_features(encoder.encoder, generated_at(encoder, invariance), pass, data.pool_BCHW);
    }
    return features;
  }

  static LabelledFeatures part(const at::Tensor& pool_features, const downstream::Samples& samples, int64_t n_classes) {
    return {pool_features.index_select(0, samples.rows_B), samples.labels_B, samples.targets_BT, n_classes};
  }

  /// The common end of every arm: features at i, the readout chosen on validation, the test set read once.
  Outcome judge(const Unit& unit, int64_t repeat, LoadedEncoder& encoder, const config::Invariance& invariance) {
    const downstream::TaskData& data = task(unit, repeat);
    const std::vector<Metric> metrics = suite.tasks[unit.task].resolved_metrics();
    const model::BatchNormStatistics* statistics = statistics_for(unit, encoder, invariance);
    const model::BatchNormPass pass =
        statistics != nullptr ? model::BatchNormPass::with(*statistics) : model::BatchNormPass::running();

    const at::Tensor features_BD = pool_features(encoder, invariance, pass, data);
    const LabelledFeatures train = part(features_BD, data.train, data.n_classes);
    const LabelledFeatures validation = part(features_BD, data.validation, data.n_classes);
    const downstream::Readout readout =
        downstream::choose_readout(train, validation, suite.downstream.readout, metrics.front());
    const LabelledFeatures test = part(features_BD, data.test, data.n_classes);
    const at::Tensor scores = readout.predict(test.features_BD);
    const at::Tensor validation_scores = readout.predict(validation.features_BD);

    Outcome outcome;
    outcome.invariance = invariance;
    outcome.readout_l2 = readout.l2;
    for (Metric metric : metrics) {
      outcome.value[config::name_of(metric)] = downstream::evaluate(scores, test, metric);
      outcome.validation_value[config::name_of(metric)] = downstream::evaluate(validation_scores, validation, metric);
    }
    if (statistics != nullptr) {
      outcome.bn_statistics = "re-estimated";
      outcome.bn_hash = statistics->hash();
    }
    return outcome;
  }

  /// Seed of everything an arm draws in one repeat.
  uint64_t arm_seed(int64_t repeat) const {
    return static_cast<uint64_t>(suite.seed) * 1000003ull + static_cast<uint64_t>(repeat);
  }

  /// Outcomes by arm name.
  std::map<std::string, Outcome> outcomes(const Unit& unit, int64_t repeat, LoadedEncoder& encoder) {
    std::map<std::string, Outcome> by_arm;
    if (unit.kind == UnitKind::kFixed) {
      const Outcome outcome = judge(unit, repeat, encoder, unit.invariance);
      for (const Job& job : unit.jobs) by_arm[job.arm] = outcome;  // arms are the same in every repeat
      return by_arm;
    }
    downstream::LearnedInvariance learned;
    std::optional<downstream::JointResult> joint;
    if (unit.kind == UnitKind::kProjected) {
      learned = downstream::learn_projected(encoder.encoder, task(unit, repeat).train, task(unit, repeat).n_classes,
                                            suite.downstream.projected, arm_seed(repeat), stop_requested);
    } else {
      const Metric metric = suite.tasks[unit.task].resolved_metrics().front();
      joint = downstream::learn_joint(encoder.encoder, task(unit, repeat), suite.downstream.joint, metric,
                                      arm_seed(repeat), stop_requested);
      learned = joint->learned;
    }
    encoder_passes += learned.encoder_passes;
    for (const Job& job : unit.jobs) {
      if (by_arm.contains(job.arm)) continue;
      const bool is_discretised = job.arm.ends_with("-discretised");
      Outcome outcome = judge(unit, repeat, encoder,
                              is_discretised ? downstream::discretised(learned.invariance) : learned.invariance);
      outcome.trajectory = learned.trajectory;
      outcome.halves = learned.halves;
      if (joint && !is_discretised) add_own_readout(unit, repeat, encoder, *joint, outcome);
      by_arm[job.arm] = outcome;
    }
    return by_arm;
  }

  /// `joint`'s own readout belongs to the running statistics that it learned under.
  void add_own_readout(const Unit& unit, int64_t repeat, LoadedEncoder& encoder, const downstream::JointResult& joint,
                       Outcome& outcome) {
    const downstream::TaskData& data = task(unit, repeat);
    const at::Tensor features_BD =
        pool_features(encoder, joint.learned.invariance, model::BatchNormPass::running(), data);
    const LabelledFeatures test = part(features_BD, data.test, data.n_classes);
    const LabelledFeatures validation = part(features_BD, data.validation, data.n_classes);
    for (Metric metric : suite.tasks[unit.task].resolved_metrics()) {
      const std::string name = config::name_of(metric) + "_joint_readout";
      outcome.value[name] = downstream::evaluate(joint.readout, test, metric);
      outcome.validation_value[name] = downstream::evaluate(joint.readout, validation, metric);
    }
  }

  void fill(io::JobRecord& record, const Job& job, const Outcome& outcome) const {
    record.value = outcome.value.at(job.metric);
    record.validation_value = outcome.validation_value.at(job.metric);
    if (!outcome.invariance.empty()) record.invariance = outcome.invariance;
    // joint's own readout is no choice among penalties and never sees re-estimated statistics.
    const bool is_own_readout = job.metric.ends_with("_joint_readout");
    record.readout_l2 = is_own_readout ? 0.0 : outcome.readout_l2;
    record.bn_statistics = is_own_readout ? "running" : outcome.bn_statistics;
    record.bn_hash = is_own_readout ? "" : outcome.bn_hash;
    record.trajectory = outcome.trajectory;
    record.halves = outcome.halves;
    record.status = "finished";
  }

  /// Rows of one repeat of a unit. What goes wrong in it fails its rows.
  io::Segment run_repeat(const Unit& unit, int64_t repeat) {
    io::Segment segment;
    std::string error;
    std::map<std::string, Outcome> outcome_of_arm;
    try {
      outcome_of_arm = outcomes(unit, repeat, encoders.get(unit.encoder));
      const downstream::TaskData& data = task(unit, repeat);
      segment.tasks.push_back({suite.tasks[unit.task].name, repeat, data.split_hash, data.pictures});
    } catch (const downstream::StoppedError&) {
      throw;
    } catch (const std::exception& failure) {
      error = failure.what();
    }
    for (const Job& job : unit.jobs) {
      if (job.repeat != repeat) continue;
      io::JobRecord record = blank_record(suite, plan, unit, job, place);
      if (error.empty()) {
        fill(record, job, outcome_of_arm.at(job.arm));
        record.split_hash = segment.tasks.front().split_hash;
      } else {
        record.status = "failed";
        record.error = error;
      }
      segment.jobs.push_back(std::move(record));
    }
    return segment;
  }

  /// Hash the encoder after a unit, beside its hash before: both go into every row, and a change fails them all.
  void check_encoder(const Unit& unit, io::Segment& segment) {
    LoadedEncoder* encoder = encoders.find(unit.encoder);
    if (encoder == nullptr) return;  // it could not be read: the rows say so
    const std::string before = encoder->hash;
    const std::string after = encoder->hash = encoder->encoder.hash();
    for (io::JobRecord& record : segment.jobs) {
      record.encoder_hash_before = before;
      record.encoder_hash_after = after;
      if (after == before || record.status == "failed") continue;
      record.status = "failed";
      record.value = record.validation_value = kNaN;
      record.error =
          fmt::format("the encoder's hash changed from {} to {}: it must be immutable downstream", before, after);
    }
  }

  std::vector<io::SensitivityRecord> sensitivity(const Unit& unit, LoadedEncoder& encoder) {
    const train::EncoderPlan& which = encoder_plan(unit);
    const data::ImageSplit& pictures = datasets.at(suite.sensitivity.data).split(suite.sensitivity.split);
    // As strong for every encoder, normalised and framed as its own pictures were.
    augment::AugmentSettings augment = reference_encoder(suite).pretraining.augment;
    augment.mean = which.settings.augment.mean;
    augment.std = which.settings.augment.std;
    augment.whole_image = which.settings.augment.whole_image;
    const std::vector<double> values = downstream::sensitivities(
        encoder.encoder, encoder.encoder.generate(unit.invariance), model::BatchNormPass::running(), pictures, augment,
        which.settings.view_size, suite.sensitivity.images, static_cast<uint64_t>(suite.seed));
    std::vector<io::SensitivityRecord> records;
    for (size_t index = 0; index < values.size(); ++index) {
      records.push_back({which.name, which.seed, config::bits(unit.invariance),
                         downstream::sensitivity_transformations()[index], values[index]});
    }
    return records;
  }
};

UnitRunner::UnitRunner(const Suite& suite, const Plan& plan, const Datasets& datasets, std::filesystem::path output,
                       c10::Device device, RankPlace place, std::function<bool()> stop_requested,
                       int64_t most_encoder_bytes)
    : impl_(new Impl{.suite = suite,
                     .plan = plan,
                     .datasets = datasets,
                     .place = std::move(place),
                     .stop_requested = std::move(stop_requested),
                     .encoders = EncoderStore(plan, std::move(output), device, most_encoder_bytes),
                     .clean_key = {},
                     .clean_images = {},
                     .task_key = {},
                     .task_data = {},
                     .features_of_unit = {},
                     .generated_of_unit = {}}) {}

UnitRunner::~UnitRunner() = default;

io::JobRecord blank_record(const Suite& suite, const Plan& plan, const Unit& unit, const Job& job,
                           const RankPlace& place) {
  io::JobRecord record;
  record.job_id = job.id;
  record.encoder = plan.encoders[unit.encoder].name;
  record.encoder_seed = plan.encoders[unit.encoder].seed;
  record.arm = job.arm;
  record.task = suite.tasks[unit.task].name;
  record.metric = job.metric;
  record.value = record.validation_value = record.readout_l2 = kNaN;
  record.repeat = job.repeat;
  record.protocol = "default";
  record.invariance.assign(suite.axes.size(), kNaN);
  record.rank = place.rank;
  record.host = place.host;
  return record;
}

io::Segment UnitRunner::run(const Unit& unit) {
  Timer timer;
  impl_->encoder_passes = 0;
  impl_->features_of_unit.clear();
  impl_->generated_of_unit.clear();
  io::Segment segment;
  if (unit.kind == UnitKind::kSensitivity) {
    segment.sensitivity = impl_->sensitivity(unit, impl_->encoders.get(unit.encoder));
    return segment;
  }
  std::set<int64_t> repeats;
  for (const Job& job : unit.jobs) repeats.insert(job.repeat);
  for (int64_t repeat : repeats) io::append(segment, impl_->run_repeat(unit, repeat));
  impl_->check_encoder(unit, segment);

  const auto n_repeats = static_cast<double>(repeats.size());
  const double seconds = timer.seconds();
  for (io::JobRecord& record : segment.jobs) {
    record.seconds = seconds / n_repeats;
    record.encoder_passes = static_cast<int64_t>(static_cast<double>(impl_->encoder_passes) / n_repeats);
    record.samples_per_s = seconds > 0 ? static_cast<double>(impl_->encoder_passes) / seconds : 0.0;
  }
  return segment;
}

}  // namespace invaria::suite

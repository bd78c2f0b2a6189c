#include "suite/unit_runner.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "core/errors.hpp"
#include "core/timer.hpp"
#include "downstream/episodes.hpp"
#include "downstream/features.hpp"
#include "downstream/learned_invariance.hpp"
#include "downstream/sensitivity.hpp"
#include "downstream/task.hpp"
#include "suite/encoder_store.hpp"
#include "suite/unit_reader.hpp"

namespace invaria::suite {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

struct UnitRunner::Impl {
  const Suite& suite;
  const Plan& plan;
  const Datasets& datasets;
  RankPlace place;
  std::function<bool()> stop_requested;
  EncoderStore encoders;
  UnitReader reader;

  const train::EncoderPlan& encoder_plan(const Unit& unit) const { return plan.encoders[unit.encoder]; }

  static void record_statistics(const model::BatchNormStatistics* statistics, Outcome& outcome) {
    if (statistics == nullptr) return;
    outcome.bn_statistics = "re-estimated";
    outcome.bn_hash = statistics->hash();
  }

  Outcome judge_at(int64_t repeat, LoadedEncoder& encoder, const config::Invariance& invariance) {
    const Read read = reader.read_at(repeat, encoder, invariance);
    const Validated& validated = reader.validated_of(repeat, read);
    Outcome outcome = judge(reader.judged(repeat), reader.with_test(repeat, encoder, read), validated);
    outcome.invariance = invariance;
    record_statistics(read.statistics, outcome);
    return outcome;
  }

  /// Seed of everything an arm draws in one repeat.
  uint64_t arm_seed(int64_t repeat) const {
    return static_cast<uint64_t>(suite.seed) * 1000003ull + static_cast<uint64_t>(repeat);
  }

  /// i learned on an episode's support, and features there. Of an i that serves one episode nothing is kept.
  downstream::LearnedEpisode learn_episode(const Unit& unit, LoadedEncoder& encoder, const downstream::TaskData& data,
                                           const downstream::Episode& episode) {
    const downstream::FewShotSettings& few_shot = suite.tasks[unit.task].few_shot;
    const downstream::LearnedInvariance learned =
        downstream::learn_projected(encoder.encoder, downstream::support_samples(data, episode, few_shot),
                                    few_shot.ways, suite.downstream.projected, episode.seed, stop_requested);
    const model::Generated generated = encoder.encoder.generate(learned.invariance);
    std::optional<model::BatchNormStatistics> statistics;
    if (unit.reestimates) statistics = reader.reestimated_once(encoder.encoder, generated);
    std::vector<int64_t> rows = episode.support;
    rows.insert(rows.end(), episode.queries.begin(), episode.queries.end());
    const downstream::PartsOfSamples parts = downstream::parts_of_samples(data, rows);
    const downstream::Pictures images = data.pool.subset(at::tensor(parts.rows, at::kLong));
    reader.add_passes(learned.encoder_passes + images.size());
    const at::Tensor features_PD = downstream::extract_features(encoder.encoder, generated,
                                                                pass_with(statistics ? &*statistics : nullptr), images);
    return {learned.invariance, downstream::mean_over_parts(features_PD, parts.sample_P, std::ssize(rows))};
  }

  std::map<std::string, Outcome> episode_outcomes(const Unit& unit, int64_t repeat, LoadedEncoder& encoder) {
    const downstream::TaskData& data = reader.task(repeat);
    const auto learn = [&](const downstream::Episode& episode) { return learn_episode(unit, encoder, data, episode); };
    Outcome outcome =
        outcome_of(downstream::judge_learned_episodes(data, suite.tasks[unit.task].few_shot, suite.downstream.readout,
                                                      static_cast<uint64_t>(suite.seed), repeat, learn));
    outcome.halves = "samples";
    if (unit.reestimates) outcome.bn_statistics = "re-estimated";  // in each episode others, so without a hash
    return {{unit.jobs.front().arm, outcome}};
  }

  /// Where i is learned on the training set, and by joint a readout with it.
  struct Learned {
    downstream::LearnedInvariance at;
    std::optional<downstream::Readout> readout;
  };

  /// Where learned-projected ends, by the first metric on validation, each point judged as any fixed i. The valley with
  /// the lowest held-out loss stands unless another is better by more than a standard error of the difference: among
  /// many points a small validation set would choose by chance. Then the nearest corner, if it is better at all. What
  /// it was is added to the trajectory.
  void choose_on_validation(int64_t repeat, LoadedEncoder& encoder, downstream::LearnedInvariance& learned) {
    const Timer timer;
    std::set<config::Invariance> read;
    const Judged task = reader.judged(repeat);
    const auto validated_at = [&](const config::Invariance& i) {
      read.insert(i);
      return reader.validated_of(repeat, reader.read_at(repeat, encoder, i));
    };
    learned.invariance = learned.valleys.front();
    Validated best = validated_at(learned.invariance);
    const auto move_to = [&](const config::Invariance& i, double standard_errors) {
      Validated other = validated_at(i);
      if (!is_better(task, other, best, standard_errors)) return;
      best = std::move(other);
      learned.invariance = i;
    };
    for (size_t valley = 1; valley < learned.valleys.size(); ++valley) move_to(learned.valleys[valley], 1.0);
    move_to(downstream::discretised(learned.invariance), 0.0);
    learned.trajectory.add(learned.invariance, kNaN, best.value,
                           learned.encoder_passes + std::ssize(read) * reader.images_to_validate(repeat),
                           learned.trajectory.seconds.back() + timer.seconds());
  }

  Learned learn(const Unit& unit, int64_t repeat, LoadedEncoder& encoder) {
    const downstream::TaskData& data = reader.task(repeat);
    if (unit.kind == UnitKind::kProjected) {
      downstream::LearnedInvariance learned =
          downstream::learn_projected(encoder.encoder, data.train, data.n_classes, suite.downstream.projected,
                                      arm_seed(repeat), stop_requested, data.target_kind);
      if (suite.downstream.projected.choice == downstream::Choice::kValidation)
        choose_on_validation(repeat, encoder, learned);
      return {learned, {}};
    }
    const downstream::JointResult joint =
        downstream::learn_joint(encoder.encoder, data, suite.downstream.joint,
                                suite.tasks[unit.task].resolved_metrics().front(), arm_seed(repeat), stop_requested);
    return {joint.learned, joint.readout};
  }

  /// Outcomes by arm name.
  std::map<std::string, Outcome> outcomes(const Unit& unit, int64_t repeat, LoadedEncoder& encoder) {
    std::map<std::string, Outcome> by_arm;
    if (unit.kind == UnitKind::kFixed) {
      const Outcome outcome = judge_at(repeat, encoder, unit.invariance);
      for (const Job& job : unit.jobs) by_arm[job.arm] = outcome;  // arms are the same in every repeat
      return by_arm;
    }
    if (unit.kind == UnitKind::kEpisodes) return episode_outcomes(unit, repeat, encoder);
    const Learned learned = learn(unit, repeat, encoder);
    reader.add_passes(learned.at.encoder_passes);
    for (const Job& job : unit.jobs) {
      if (by_arm.contains(job.arm)) continue;
      const bool is_discretised = job.arm.ends_with("-discretised");
      const config::Invariance& i = learned.at.invariance;
      // Of a few-shot task it reads other classes.
      const bool has_own_readout = learned.readout && !is_discretised && !reader.is_few_shot();
      Outcome outcome;
      if (has_own_readout && suite.downstream.judges_own_readout()) {
        outcome.invariance = i;
      } else {
        outcome = judge_at(repeat, encoder, is_discretised ? downstream::discretised(i) : i);
      }
      outcome.trajectory = learned.at.trajectory;
      outcome.halves = learned.at.halves;
      if (has_own_readout) {
        const Judged task = reader.judged(repeat);
        const at::Tensor features_BD = reader.pool_features(encoder, i, model::BatchNormPass::running(), repeat,
                                                            {&task.data.validation, &task.data.test});
        add_own_readout(task, *learned.readout, features_BD, outcome);
      }
      by_arm[job.arm] = outcome;
    }
    return by_arm;
  }

  /// Rows of one repeat of a unit. What goes wrong in it fails its rows.
  io::Segment run_repeat(const Unit& unit, int64_t repeat) {
    io::Segment segment;
    std::string error;
    std::map<std::string, Outcome> outcome_of_arm;
    try {
      outcome_of_arm = outcomes(unit, repeat, encoders.get(unit.encoder));
      const downstream::TaskData& data = reader.task(repeat);
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
      record.value = record.value_low = record.value_high = record.validation_value = kNaN;
      record.error =
          fmt::format("the encoder's hash changed from {} to {}: it must be immutable downstream", before, after);
    }
  }

  std::vector<io::SensitivityRecord> sensitivity(const Unit& unit, LoadedEncoder& encoder) {
    const train::EncoderPlan& which = encoder_plan(unit);
    const data::DataSplit& pictures = datasets.at(suite.sensitivity.data).split(suite.sensitivity.split);
    // As strong for every encoder, normalised and framed as its own pictures were.
    const augment::ViewSettings views = reference_encoder(suite).pretraining.views().framed_as(which.settings.views());
    const std::vector<double> values = downstream::sensitivities(
        encoder.encoder, encoder.encoder.generate(unit.invariance), model::BatchNormPass::running(), pictures, views,
        suite.sensitivity.images, static_cast<uint64_t>(suite.seed));
    const std::vector<std::string> names = downstream::sensitivity_transformations(pictures.shape.media);
    std::vector<io::SensitivityRecord> records;
    for (size_t index = 0; index < values.size(); ++index)
      records.push_back({which.name, which.seed, config::bits(unit.invariance), names[index], values[index]});
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
                     .reader = UnitReader(suite, plan, datasets)}) {}

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
  record.protocol = config::name_of(suite.downstream.protocol);
  if (suite.tasks[unit.task].kind == downstream::TaskKind::kFewShot)
    record.shots = suite.tasks[unit.task].few_shot.shots;
  record.invariance.assign(suite.axes.size(), kNaN);
  record.rank = place.rank;
  record.host = place.host;
  return record;
}

io::Segment UnitRunner::run(const Unit& unit) {
  Timer timer;
  impl_->reader.begin(unit);
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
    record.encoder_passes = static_cast<int64_t>(static_cast<double>(impl_->reader.encoder_passes()) / n_repeats);
    record.samples_per_s = seconds > 0 ? static_cast<double>(impl_->reader.encoder_passes()) / seconds : 0.0;
  }
  return segment;
}

}  // namespace invaria::suite

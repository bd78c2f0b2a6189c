#include "suite/outcome.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <utility>

#include "core/errors.hpp"
#include "downstream/descending_readout.hpp"

namespace invaria::suite {
namespace {

using downstream::LabelledFeatures;
using downstream::Metric;

constexpr const char* kOwnReadout = "_joint_readout";

LabelledFeatures part(const at::Tensor& pool_features, const downstream::Samples& samples,
                      const downstream::TaskData& data) {
  return downstream::labelled(pool_features.index_select(0, samples.rows_B), samples, data);
}

/// Seed of what is drawn in one repeat.
uint64_t seed_of(const Judged& task) {
  return task.seed * 1000003ull + static_cast<uint64_t>(task.repeat);
}

bool is_few_shot(const Judged& task) {
  return task.settings.kind == downstream::TaskKind::kFewShot;
}

downstream::ChosenReadout descended(const downstream::Readout& readout) {
  return {readout, readout};
}

/// What a readout makes of the test set, in every metric, with intervals.
void add_test_values(const Judged& task, const downstream::Readout& readout, const at::Tensor& pool_features,
                     const std::string& suffix, Outcome& outcome) {
  const LabelledFeatures test = part(pool_features, task.data.test, task.data);
  const at::Tensor scores = readout.predict(test.features_BD);
  for (Metric metric : task.settings.resolved_metrics()) {
    const std::string name = config::name_of(metric) + suffix;
    outcome.value[name] = downstream::evaluate(metric, scores, test.truth());
    outcome.interval[name] =
        downstream::bootstrap_interval(metric, scores, test.truth(), task.downstream.bootstrap, seed_of(task));
  }
}

/// NaN where a task has no validation set.
void add_validation_values(const Judged& task, const downstream::Readout& readout, const LabelledFeatures& validation,
                           const std::string& suffix, Outcome& outcome) {
  for (Metric metric : task.settings.resolved_metrics()) {
    outcome.validation_value[config::name_of(metric) + suffix] =
        validation.features_BD.size(0) == 0 ? std::numeric_limits<double>::quiet_NaN()
                                            : downstream::evaluate(readout, validation, metric);
  }
}

downstream::ChosenReadout chosen_readout(const Judged& task, const LabelledFeatures& train,
                                         const LabelledFeatures& validation) {
  const downstream::ReadoutSettings& readout = task.downstream.readout;
  const Metric metric = task.settings.resolved_metrics().front();
  return readout.solver == downstream::Solver::kExact
             ? downstream::choose_readout(train, validation, readout, metric)
             : descended(downstream::fit_by_descent(train, validation, task.downstream.joint, metric, seed_of(task)));
}

/// Values of a few-shot task.
void add_episodes(const downstream::MeanAccuracy& test, double validation_value, double l2, Outcome& outcome) {
  const std::string metric = config::name_of(Metric::kTop1);
  outcome.value[metric] = test.mean;
  outcome.interval[metric] = test.interval;
  outcome.validation_value[metric] = validation_value;
  outcome.readout_l2 = l2;
}

}  // namespace

std::vector<const downstream::Samples*> samples_to_validate(const Judged& task) {
  if (is_few_shot(task) && task.data.validation_classes.labels_B.defined()) return {&task.data.validation_classes};
  return {&task.data.train, &task.data.validation};
}

Validated validated(const Judged& task, const at::Tensor& pool_features) {
  if (is_few_shot(task)) {
    const downstream::EpisodePenalty penalty = downstream::choose_episode_penalty(
        pool_features, task.data, task.settings.few_shot, task.downstream.readout, task.seed, task.repeat);
    return {.value = penalty.value, .scores = penalty.accuracy_E, .episode_l2 = penalty.l2};
  }
  const LabelledFeatures train = part(pool_features, task.data.train, task.data);
  const LabelledFeatures validation = part(pool_features, task.data.validation, task.data);
  downstream::ChosenReadout chosen = chosen_readout(task, train, validation);
  const at::Tensor scores_BC = chosen.on_train.predict(validation.features_BD);
  const double value =
      validation.features_BD.size(0) == 0
          ? std::numeric_limits<double>::quiet_NaN()
          : downstream::evaluate(task.settings.resolved_metrics().front(), scores_BC, validation.truth());
  return {.value = value, .scores = scores_BC, .chosen = std::move(chosen)};
}

bool is_better(const Judged& task, double a, double b) {
  const double gain = downstream::less_is_better(task.settings.resolved_metrics().front()) ? b - a : a - b;
  return gain > 0.0 || (std::isnan(b) && !std::isnan(a));
}

bool is_better(const Judged& task, const Validated& a, const Validated& b, double standard_errors) {
  if (!is_better(task, a.value, b.value)) return false;
  if (standard_errors == 0.0 || std::isnan(b.value)) return true;
  const double gain = std::abs(a.value - b.value);
  if (is_few_shot(task)) {
    const double deviation = (a.scores - b.scores).std().item<double>();  // of the same episodes
    return gain > standard_errors * deviation / std::sqrt(static_cast<double>(a.scores.numel()));
  }
  const Metric metric = task.settings.resolved_metrics().front();
  constexpr int64_t kResamples = 1000;  // not downstream.bootstrap: how values are reported must not move i
  const downstream::Truth truth = downstream::labelled({}, task.data.validation, task.data).truth();
  return gain > standard_errors *
                    downstream::difference_standard_error(metric, a.scores, b.scores, truth, kResamples, seed_of(task));
}

Outcome judge(const Judged& task, const at::Tensor& pool_features, const Validated& validated) {
  Outcome outcome;
  if (is_few_shot(task)) {
    const downstream::MeanAccuracy test =
        downstream::judge_episodes(validated.episode_l2, pool_features, task.data, task.settings.few_shot,
                                   task.downstream.readout, task.seed, task.repeat);
    add_episodes(test, validated.value, validated.episode_l2, outcome);
    return outcome;
  }
  outcome.readout_l2 = validated.chosen.final.l2;
  add_test_values(task, validated.chosen.final, pool_features, "", outcome);
  add_validation_values(task, validated.chosen.on_train, part(pool_features, task.data.validation, task.data), "",
                        outcome);
  return outcome;
}

void add_own_readout(const Judged& task, const downstream::Readout& own, const at::Tensor& pool_features,
                     Outcome& outcome) {
  const std::string suffix = task.downstream.judges_own_readout() ? "" : kOwnReadout;
  add_test_values(task, own, pool_features, suffix, outcome);
  add_validation_values(task, own, part(pool_features, task.data.validation, task.data), suffix, outcome);
}

Outcome outcome_of(const downstream::LearnedEpisodesOutcome& episodes) {
  Outcome outcome;
  add_episodes(episodes.test, episodes.validation_value, episodes.l2, outcome);
  outcome.invariance = episodes.invariance;
  return outcome;
}

void fill(io::JobRecord& record, const Job& job, const Outcome& outcome) {
  record.value = outcome.value.at(job.metric);
  record.value_low = outcome.interval.at(job.metric).low;
  record.value_high = outcome.interval.at(job.metric).high;
  record.validation_value = outcome.validation_value.at(job.metric);
  if (!outcome.invariance.empty()) record.invariance = outcome.invariance;
  // joint's own readout is no choice among penalties and never sees re-estimated statistics.
  const bool is_own_readout = job.metric.ends_with(kOwnReadout);
  record.readout_l2 = is_own_readout ? 0.0 : outcome.readout_l2;
  record.bn_statistics = is_own_readout ? "running" : outcome.bn_statistics;
  record.bn_hash = is_own_readout ? "" : outcome.bn_hash;
  record.trajectory = outcome.trajectory;
  record.halves = outcome.halves;
  record.status = "finished";
}

}  // namespace invaria::suite

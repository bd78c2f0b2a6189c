#pragma once
/// @file
/// The common end of every arm: from features at an i to the values of a row.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "config/invariance.hpp"
#include "downstream/bootstrap.hpp"
#include "downstream/episodes.hpp"
#include "downstream/readout.hpp"
#include "downstream/samples.hpp"
#include "downstream/settings.hpp"
#include "downstream/task_settings.hpp"
#include "io/records.hpp"
#include "suite/plan.hpp"

namespace invaria::suite {

/// What one arm gives: values of every metric on both sets, and where i ended.
struct Outcome {
  std::map<std::string, double> value;
  std::map<std::string, downstream::Interval> interval;
  std::map<std::string, double> validation_value;
  config::Invariance invariance;
  double readout_l2 = 0.0;
  std::string bn_statistics = "running";
  std::string bn_hash;
  io::Trajectory trajectory;
  std::string halves;
};

/// A task of one repeat, and how it is judged.
struct Judged {
  const downstream::TaskSettings& settings;
  const downstream::TaskData& data;
  const downstream::DownstreamSettings& downstream;
  uint64_t seed;  ///< the suite's
  int64_t repeat;
};

/// What the readout chosen on the validation set makes of it; of a few-shot task, what its validation episodes give.
struct Validated {
  double value = 0.0;  ///< the task's first metric
  at::Tensor scores;   ///< [B, C] of the validation samples; of a few-shot task [E], each episode's accuracy
  downstream::ChosenReadout chosen{};  ///< the readout itself; none of a few-shot task
  double episode_l2 = 0.0;             ///< the penalty chosen for a few-shot task's episodes
};

/// The samples whose features validated() looks at.
std::vector<const downstream::Samples*> samples_to_validate(const Judged& task);

/// @param pool_features  [pool, D] of the task's pool; only rows of samples_to_validate() count
Validated validated(const Judged& task, const at::Tensor& pool_features);

/// Whether value `a` of the task's first metric is better than `b`; a number is better than none.
bool is_better(const Judged& task, double a, double b);

/// Whether `a` is better than `b` by more than so many standard errors of their difference (0: at all).
bool is_better(const Judged& task, const Validated& a, const Validated& b, double standard_errors);

/// The readout chosen on validation, or episodes; the test set read once.
/// @param pool_features  [pool, D] of the task's pool; rows of its test set count, and of samples_to_validate()
/// @param validated      what validated() made of them
Outcome judge(const Judged& task, const at::Tensor& pool_features, const Validated& validated);

/// learned-joint's own readout beside what is there, under "<metric>_joint_readout"; alone, as
/// DownstreamSettings::judges_own_readout() has it, under the metric's name.
/// @param pool_features  under the running statistics, which it learned under; rows of validation and test count
void add_own_readout(const Judged& task, const downstream::Readout& own, const at::Tensor& pool_features,
                     Outcome& outcome);

/// What learned episodes gave.
Outcome outcome_of(const downstream::LearnedEpisodesOutcome& episodes);

/// Fill in a finished row.
void fill(io::JobRecord& record, const Job& job, const Outcome& outcome);

}  // namespace invaria::suite

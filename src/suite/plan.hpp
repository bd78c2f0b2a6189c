#pragma once
/// @file
/// From a suite to the encoders to pretrain and the units to claim.
///
/// A job is one arm on one repeat of a task with one metric: a row of the results. A unit is what a rank claims:
/// everything that shares one extraction of features, (encoder, i, data, BatchNorm statistics), so that each extraction
/// happens once. Repeats of a task on real pictures share their data; each repeat of a known task has its own.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/invariance.hpp"
#include "config/setting.hpp"
#include "downstream/metrics.hpp"
#include "suite/suite.hpp"
#include "train/pretrain_settings.hpp"

namespace invaria::suite {

/// One row of /jobs before it has a value.
struct Job {
  std::string id;   ///< SHA-256 of `identity`
  std::string arm;  ///< as results name it: "corner-01", "grid-0,0.5", "learned-projected", "fixed-default"
  int64_t repeat = 0;
  std::string metric;  ///< "top1", or "top1_joint_readout" for the joint arm's own readout
  config::json::value identity;
};

enum class UnitKind {
  kFixed,        ///< features at one i
  kProjected,    ///< learn i, then features there
  kJoint,        ///< likewise, jointly with a readout
  kEpisodes,     ///< likewise, for each few-shot episode anew
  kSensitivity,  ///< the sensitivity row of one corner
};

/// What a rank claims.
struct Unit {
  UnitKind kind = UnitKind::kFixed;
  size_t encoder = 0;             ///< index into Plan::encoders
  config::Invariance invariance;  ///< kFixed, kSensitivity; empty without conditioning
  size_t task = 0;                ///< index into Suite::tasks; unused by kSensitivity
  bool reestimates = false;       ///< BatchNorm statistics at i rather than the running ones
  std::vector<Job> jobs;          ///< empty for kSensitivity
  double cost = 0.0;              ///< expected floating-point operations: the longest is claimed first
  int64_t forward_images = 0;     ///< sent through the encoder without a backward pass
  std::string name;               ///< for the log
};

struct Plan {
  std::vector<train::EncoderPlan> encoders;
  std::vector<Unit> units;  ///< longest first

  /// Ids of all jobs.
  std::set<std::string> job_ids() const;
};

/// Encoders for every seed, units for every (encoder, task, repeat, arm). Deterministic: every rank makes the same
/// plan.
Plan make_plan(const Suite& suite);

/// Whether a unit chooses between re-estimated and running statistics on validation.
bool chooses_statistics(const Suite& suite, const Unit& unit);

/// Samples of a task's training, validation and test part, as far as they are known without the data: for costs.
struct TaskSize {
  int64_t train = 0;
  int64_t validation = 0;
  int64_t test = 0;
  /// Read wherever a fixed i is validated: stretches of the pool, of which a repeat may use a share (train_fraction).
  int64_t to_validate = 0;
};
/// Fill in every unit's forward_images and cost, and sort the longest first. `sizes` has one entry a task.
void estimate_costs(Plan& plan, const Suite& suite, const std::vector<TaskSize>& sizes);

}  // namespace invaria::suite

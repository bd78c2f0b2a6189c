#pragma once
/// @file
/// The summary of a results file as a report walks it: tasks across, arms down.

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "io/results.hpp"

namespace invaria::report {

/// An arm of one encoder.
struct ArmName {
  std::string encoder;
  std::string arm;
  auto operator<=>(const ArmName&) const = default;
};

/// One row of /summary, without its key. Fractions.
struct SummaryCell {
  double mean = 0.0;
  double ci95 = 0.0;  ///< NaN where n < 2
  int64_t n = 0;
};

class SummaryView {
 public:
  /// Of /summary, which may be empty, and of the rows that it sums up.
  explicit SummaryView(const io::Results& results);

  const std::set<std::string>& tasks() const { return tasks_; }
  /// Learned arms first, then grid-best, corners, the centre, baselines, the oracle last; single grid points are left
  /// out.
  const std::vector<ArmName>& arms() const { return arms_; }
  /// Encoders that have single grid points.
  const std::set<std::string>& encoders_with_grid() const { return encoders_with_grid_; }

  /// The metric that ranks arms on a task.
  std::string main_metric_of(const std::string& task) const;
  const std::set<std::string>& metrics_of(const std::string& task) const { return metrics_.at(task); }
  /// Null if the arm has no value there.
  const SummaryCell* find(const ArmName& arm, const std::string& task, const std::string& metric) const;
  /// Whether the arm has a value in every encoder seed and repeat in which a contestant has one; means of others are
  /// over less, and no better or worse for it.
  bool is_everywhere(const ArmName& arm, const std::string& task, const std::string& metric) const;
  /// All arms with a value of the encoder's grid: "grid-0,0.5", ...
  std::vector<ArmName> grid_of(const std::string& encoder) const;

  /// The arm's name; with its encoder's where several encoders have that arm.
  std::string label(const ArmName& arm) const;

 private:
  using Runs = std::set<std::pair<int64_t, int64_t>>;  ///< encoder seed, repeat

  std::map<std::tuple<ArmName, std::string, std::string>, SummaryCell> cells_;
  std::map<std::tuple<ArmName, std::string, std::string>, Runs> runs_;
  std::map<std::pair<std::string, std::string>, Runs> runs_of_contestants_;  ///< by task and metric
  std::map<std::string, std::set<std::string>> metrics_;
  std::map<std::string, std::set<std::string>> encoders_of_arm_;
  std::set<std::string> tasks_;
  std::set<std::string> encoders_with_grid_;
  std::vector<ArmName> arms_;
};

}  // namespace invaria::report

#include "report/summary.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "report/arms.hpp"
#include "report/statistics.hpp"

namespace invaria::report {

namespace {

using Cell = std::tuple<std::string, int64_t, int64_t>;  ///< task, encoder seed, repeat
using Arm = std::pair<std::string, std::string>;         ///< encoder, arm
using Values = std::map<Cell, double>;

/// The test values in the main metric of each task, more being better.
std::map<Arm, Values> main_values(const std::vector<io::JobRecord>& jobs) {
  std::map<std::string, std::set<std::string>> metrics;
  for (const io::JobRecord& job : jobs) {
    if (has_value(job)) metrics[job.task].insert(job.metric);
  }
  std::map<Arm, Values> values;
  for (const io::JobRecord& job : jobs) {
    Values& of_arm = values[{job.encoder, job.arm}];
    if (has_value(job) && job.metric == main_metric(metrics[job.task])) {
      of_arm[{job.task, job.encoder_seed, job.repeat}] = goodness(job.metric, job.value);
    }
  }
  return values;
}

struct Ranking {
  std::map<Arm, double> average;
  int64_t cells = 0;
};

Ranking rank(const std::map<Arm, Values>& values) {
  std::set<Cell> cells;
  for (const auto& [arm, of_arm] : values) {
    if (!is_contestant(arm.second)) continue;
    for (const auto& [cell, value] : of_arm) cells.insert(cell);
  }
  std::vector<Arm> ranked;
  for (const auto& [arm, of_arm] : values) {
    if (is_contestant(arm.second) && !cells.empty() && of_arm.size() == cells.size()) ranked.push_back(arm);
  }

  std::map<Arm, double> sums;
  for (const Cell& cell : cells) {
    std::vector<double> at_cell;
    for (const Arm& arm : ranked) at_cell.push_back(values.at(arm).at(cell));
    const std::vector<double> ranks = ranks_of_greatest(at_cell);
    for (size_t k = 0; k < ranked.size(); ++k) sums[ranked[k]] += ranks[k];
  }
  Ranking ranking{.average = {}, .cells = static_cast<int64_t>(cells.size())};
  for (const auto& [arm, sum] : sums) ranking.average[arm] = sum / static_cast<double>(cells.size());
  return ranking;
}

/// The oracle that an encoder is held to at a cell, if there is one.
std::optional<double> reference(const std::map<Arm, Values>& values, const std::string& encoder, const Cell& cell) {
  std::optional<double> best;
  const auto own = values.find({encoder, kOracle});
  for (const auto& [arm, of_arm] : values) {
    if (arm.second != kOracle || (own != values.end() && arm != own->first)) continue;
    const auto found = of_arm.find(cell);
    if (found != of_arm.end()) best = std::max(best.value_or(found->second), found->second);
  }
  return best;
}

}  // namespace

bool has_value(const io::JobRecord& job) {
  return job.status == "finished" && std::isfinite(job.value);
}

std::vector<double> independent_values(const BySeed& by_seed) {
  if (by_seed.size() == 1) return by_seed.begin()->second;
  std::vector<double> means;
  for (const auto& [seed, values] : by_seed) means.push_back(mean(values));
  return means;
}

io::Table summary_table(const std::vector<io::JobRecord>& jobs) {
  std::map<std::tuple<std::string, std::string, std::string, std::string>, BySeed> groups;
  for (const io::JobRecord& job : jobs) {
    if (has_value(job)) groups[{job.encoder, job.arm, job.task, job.metric}][job.encoder_seed].push_back(job.value);
  }

  io::Table table(
      {{"encoder", std::vector<std::string>{}, "", "encoder's name in the suite"},
       {"arm", std::vector<std::string>{}, "", "arm"},
       {"task", std::vector<std::string>{}, "", "task"},
       {"metric", std::vector<std::string>{}, "", "metric; more is better, but of an error (nme)"},
       {"mean", std::vector<double>{}, "1", "mean test value over repeats, then over encoder seeds"},
       {"standard_deviation", std::vector<double>{}, "1", "sample standard deviation of the n values"},
       {"ci95", std::vector<double>{}, "1", "half width of the 95 % Student-t interval of the mean"},
       {"n", std::vector<int64_t>{}, "1", "encoder seeds, each the mean of its repeats; of one seed, repeats"}});
  for (const auto& [key, by_seed] : groups) {
    const std::vector<double> values = independent_values(by_seed);
    const auto& [encoder, arm, task, metric] = key;
    table.append({encoder, arm, task, metric, mean(values), standard_deviation(values), ci95_half_width(values),
                  static_cast<int64_t>(values.size())});
  }
  return table;
}

io::Table arm_summary_table(const std::vector<io::JobRecord>& jobs) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  const std::map<Arm, Values> values = main_values(jobs);
  const Ranking ranking = rank(values);

  io::Table table(
      {{"encoder", std::vector<std::string>{}, "", "encoder's name in the suite"},
       {"arm", std::vector<std::string>{}, "", "arm"},
       {"average_rank", std::vector<double>{}, "1", "average rank over tasks, encoder seeds and repeats, 1 is best"},
       {"rank_n", std::vector<int64_t>{}, "1", "cells (task, encoder seed, repeat) that were ranked"},
       {"regret", std::vector<double>{}, "percent", "mean of oracle minus arm in test points"},
       {"regret_n", std::vector<int64_t>{}, "1", "cells (task, encoder seed, repeat) with both oracle and arm"}});
  for (const auto& [arm, of_arm] : values) {
    std::vector<double> regrets;
    for (const auto& [cell, value] : of_arm) {
      if (const auto oracle = reference(values, arm.first, cell)) regrets.push_back(100.0 * (*oracle - value));
    }
    const auto ranked = ranking.average.find(arm);
    const bool has_rank = ranked != ranking.average.end();
    table.append({arm.first, arm.second, has_rank ? ranked->second : kNaN, has_rank ? ranking.cells : int64_t{0},
                  mean(regrets), static_cast<int64_t>(regrets.size())});
  }
  return table;
}

}  // namespace invaria::report

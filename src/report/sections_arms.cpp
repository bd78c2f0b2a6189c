// The sections on how arms did.
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "report/arms.hpp"
#include "report/numbers.hpp"
#include "report/sections.hpp"
#include "report/statistics.hpp"

namespace invaria::report {

namespace {

/// One column of an arms table.
struct Measured {
  std::string task;
  std::string metric;
};

/// Behind a mean over fewer repeats or seeds than others of its column have.
constexpr const char* kOverLess = "\u2020";

/// The best mean among contestants with a value everywhere; NaN if there is none.
double best_mean(const SummaryView& view, const Measured& measured) {
  double best = std::numeric_limits<double>::quiet_NaN();
  for (const ArmName& arm : view.arms()) {
    const bool competes = is_contestant(arm.arm) && view.is_everywhere(arm, measured.task, measured.metric);
    const SummaryCell* cell = competes ? view.find(arm, measured.task, measured.metric) : nullptr;
    const bool is_first = std::isnan(best);
    if (cell != nullptr && (is_first || goodness(measured.metric, cell->mean) > goodness(measured.metric, best))) {
      best = cell->mean;
    }
  }
  return best;
}

/// "3", or "1-3" where columns differ.
std::string counts(const std::set<int64_t>& ns) {
  if (ns.empty()) return kNotAvailable;
  return ns.size() == 1 ? fmt::format("{}", *ns.begin()) : fmt::format("{}-{}", *ns.begin(), *ns.rbegin());
}

/// Arms down, measured columns across; arms without any value there are left out.
void add_arms_table(Section& section, const SummaryView& view, const std::vector<Measured>& across) {
  std::vector<Column> columns{key_column("arm"), {"n", "", Align::kRight, true}};
  std::vector<double> best;
  for (const Measured& measured : across) {
    columns.push_back({measured.task, measured.metric + " %"});
    best.push_back(best_mean(view, measured));
  }

  Table table(section.id, columns, kTasksAcross);
  bool has_less = false;
  for (const ArmName& arm : view.arms()) {
    std::vector<Cell> row{{view.label(arm)}, {}};
    std::set<int64_t> ns;
    for (size_t k = 0; k < across.size(); ++k) {
      const SummaryCell* cell = view.find(arm, across[k].task, across[k].metric);
      if (cell == nullptr) {
        row.push_back(no_cell());
        continue;
      }
      ns.insert(cell->n);
      row.push_back(percent_cell(cell->mean, cell->ci95));
      if (!view.is_everywhere(arm, across[k].task, across[k].metric)) {
        row.back().text += fmt::format(" {}", kOverLess);
        has_less = true;
      } else if (is_contestant(arm.arm) && cell->mean == best[k]) {
        row.back().emphasis = Emphasis::kBest;
      }
    }
    row[1].text = counts(ns);
    if (!ns.empty()) table.add_row(std::move(row));
  }
  section.add(std::move(table));
  if (has_less) {
    section.explanation += fmt::format("{}{}: over fewer repeats than others of its column, not compared",
                                       section.explanation.empty() ? "" : "; ", kOverLess);
  }
}

/// "0.96 [0.90, 1.00]"; without the range where there is one value.
Cell mean_and_range(std::vector<double> values) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  if (values.empty()) return no_cell();
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  if (values.size() == 1) return decimal_cell(*low, 2);
  Cell cell = decimal_cell(mean(values), 2);
  cell.text += fmt::format(" [{}, {}]", decimal(*low, 2), decimal(*high, 2));
  cell.low = *low;
  cell.high = *high;
  return cell;
}

/// Values of one task over an encoder's grid.
Table grid_table(const std::string& name, const std::vector<std::string>& axes, const SummaryView& view,
                 const std::string& encoder, const std::string& task) {
  const std::string metric = view.main_metric_of(task);
  std::map<config::Invariance, std::map<double, const SummaryCell*>>
      rows;  // all axes but the last -> the last axis -> value
  std::set<double> across;
  double best = std::numeric_limits<double>::quiet_NaN();
  for (const ArmName& arm : view.grid_of(encoder)) {
    const SummaryCell* cell = view.find(arm, task, metric);
    config::Invariance point = *grid_point(arm.arm);
    if (cell == nullptr) continue;
    const double last = point.back();
    point.pop_back();
    rows[point][last] = cell;
    across.insert(last);
    if (std::isnan(best) || goodness(metric, cell->mean) > goodness(metric, best)) best = cell->mean;
  }

  const std::string last_axis = axes.empty() ? "last axis" : axes.back();
  const std::vector<std::string> others(axes.begin(), axes.empty() ? axes.end() : axes.end() - 1);
  std::vector<Column> columns{key_column(others.empty() ? "" : fmt::format("{}", fmt::join(others, ",")))};
  for (const double value : across) columns.push_back({fmt::format("{} {}", last_axis, value), metric + " %"});
  Table table(name, columns);
  for (const auto& [point, values] : rows) {
    std::vector<Cell> row{{config::to_string(point)}};
    for (const double value : across) {
      const auto found = values.find(value);
      if (found == values.end()) {
        row.push_back(no_cell());
      } else {
        row.push_back(percent_cell(found->second->mean));
        if (found->second->mean == best) row.back().emphasis = Emphasis::kBest;
      }
    }
    table.add_row(std::move(row));
  }
  return table;
}

}  // namespace

Section arms_section(const SummaryView& view) {
  std::vector<Measured> columns;
  for (const std::string& task : view.tasks()) columns.push_back({task, view.main_metric_of(task)});
  Section section{"arms", "Arms x tasks",
                  "test values, mean ± half the 95 % interval over n repeats, or n encoder seeds where several"};
  add_arms_table(section, view, columns);
  return section;
}

Section other_metrics_section(const SummaryView& view) {
  std::vector<Measured> columns;
  for (const std::string& task : view.tasks()) {
    for (const std::string& metric : view.metrics_of(task)) {
      if (metric != view.main_metric_of(task)) columns.push_back({task, metric});
    }
  }
  Section section{"other-metrics", "Other metrics", ""};
  add_arms_table(section, view, columns);
  return section;
}

Section learned_section(const io::Results& results, const SummaryView& view) {
  std::map<std::tuple<std::string, ArmName>, std::vector<const io::JobRecord*>> groups;
  for (const io::JobRecord& job : results.content.jobs) {
    if (job.status != "finished" || !job.arm.starts_with("learned-") || !view.tasks().contains(job.task)) continue;
    if (job.metric == view.main_metric_of(job.task)) groups[{job.task, {job.encoder, job.arm}}].push_back(&job);
  }

  std::vector<Column> columns{key_column("task"), key_column("arm")};
  for (const std::string& axis : results.axes) columns.push_back({axis, ""});
  Table table("learned", columns);
  for (const auto& [key, jobs] : groups) {
    const auto& [task, arm] = key;
    const bool by_views = std::any_of(jobs.begin(), jobs.end(), [](const auto* job) { return job->halves == "views"; });
    std::vector<Cell> row{{task}, {view.label(arm) + (by_views ? ", by views" : "")}};
    for (size_t axis = 0; axis < results.axes.size(); ++axis) {
      std::vector<double> values;
      for (const io::JobRecord* job : jobs) {
        if (axis < job->invariance.size()) values.push_back(job->invariance[axis]);
      }
      row.push_back(mean_and_range(std::move(values)));
    }
    table.add_row(std::move(row));
  }
  Section section{"learned", "Learned i", "mean [least, greatest] over repeats and encoder seeds"};
  section.add(std::move(table));
  return section;
}

Section ranks_section(const io::Table& arm_summary, const SummaryView& view) {
  std::map<ArmName, size_t> row_of;
  for (size_t k = 0; k < static_cast<size_t>(arm_summary.rows()); ++k) {
    row_of[{arm_summary.texts("encoder")[k], arm_summary.texts("arm")[k]}] = k;
  }
  std::vector<std::pair<ArmName, size_t>> rows;
  double best_rank = std::numeric_limits<double>::infinity();
  double best_regret = std::numeric_limits<double>::infinity();
  int64_t most_cells = 0;
  for (const auto& [arm, k] : row_of) {
    if (is_contestant(arm.arm)) most_cells = std::max(most_cells, arm_summary.integers("regret_n")[k]);
  }
  const auto is_compared = [&](size_t k) { return arm_summary.integers("regret_n")[k] == most_cells; };
  for (const ArmName& arm : view.arms()) {
    const auto found = row_of.find(arm);
    if (found == row_of.end()) continue;
    rows.emplace_back(arm, found->second);
    if (!is_contestant(arm.arm)) continue;
    best_rank = std::fmin(best_rank, arm_summary.doubles("average_rank")[found->second]);
    if (is_compared(found->second)) best_regret = std::fmin(best_regret, arm_summary.doubles("regret")[found->second]);
  }

  Table table("ranks", {key_column("arm"),
                        {"average rank", ""},
                        {"ranked over", "cells"},
                        {"regret", "points"},
                        {"regret over", "cells"}});
  const auto marked = [](Cell cell, const ArmName& arm, double best) {
    if (is_contestant(arm.arm) && cell.value == best) cell.emphasis = Emphasis::kBest;
    return cell;
  };
  const auto count = [&](const char* column, size_t k, double of) {
    return std::isnan(of) ? no_cell() : count_cell(arm_summary.integers(column)[k]);
  };
  for (const auto& [arm, k] : rows) {
    const double rank = arm_summary.doubles("average_rank")[k];
    const double regret = arm_summary.doubles("regret")[k];
    table.add_row({{view.label(arm)},
                   marked(decimal_cell(rank, 2), arm, best_rank),
                   count("rank_n", k, rank),
                   is_compared(k) ? marked(decimal_cell(regret, 1), arm, best_regret) : decimal_cell(regret, 1),
                   count("regret_n", k, regret)});
  }
  Section section{
      "ranks", "Average rank and regret",
      "rank 1 is best, of arms with a value everywhere; regret is oracle - arm, the least marked of those over "
      "the most cells; a cell is a task, encoder seed and repeat"};
  section.add(std::move(table));
  return section;
}

Section corners_section(const SummaryView& view) {
  Section section{"corners", "Corners x known tasks", ""};
  std::vector<Column> columns{key_column("corner")};
  std::vector<std::string> tasks;
  for (const std::string& task : view.tasks()) {
    if (!task.starts_with("known-")) continue;
    tasks.push_back(task);
    columns.push_back({task, view.main_metric_of(task) + " %"});
  }
  std::vector<ArmName> corners;
  std::map<std::pair<std::string, std::string>, double> best;  // by encoder and task
  for (const ArmName& arm : view.arms()) {
    if (!arm.arm.starts_with("corner-")) continue;
    corners.push_back(arm);
    for (const std::string& task : tasks) {
      const SummaryCell* cell = view.find(arm, task, view.main_metric_of(task));
      double& of_task = best.try_emplace({arm.encoder, task}, -std::numeric_limits<double>::infinity()).first->second;
      if (cell != nullptr) of_task = std::max(of_task, cell->mean);
    }
  }
  if (tasks.empty()) return section;

  Table table(section.id, columns);
  for (const ArmName& arm : corners) {
    std::vector<Cell> row{{view.label(arm).substr(std::string("corner-").size())}};
    for (const std::string& task : tasks) {
      const SummaryCell* cell = view.find(arm, task, view.main_metric_of(task));
      row.push_back(cell == nullptr ? no_cell() : percent_cell(cell->mean));
      if (cell != nullptr && cell->mean == best.at({arm.encoder, task})) row.back().emphasis = Emphasis::kBest;
    }
    table.add_row(std::move(row));
  }
  section.add(std::move(table));
  return section;
}

std::vector<Section> grid_sections(const std::vector<std::string>& axes, const SummaryView& view) {
  std::vector<Section> out;
  Slugs ids;
  for (const std::string& encoder : view.encoders_with_grid()) {
    for (const std::string& task : view.tasks()) {
      Section section{ids.unlike(fmt::format("grid-{}-{}", encoder, task)),
                      fmt::format("Grid of i: {} on {}", encoder, task), ""};
      section.add(grid_table(section.id, axes, view, encoder, task));
      if (!section.empty()) out.push_back(std::move(section));
    }
  }
  return out;
}

}  // namespace invaria::report

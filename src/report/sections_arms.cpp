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
#include "report/sections.hpp"
#include "report/statistics.hpp"

namespace invaria::report {

namespace {

/// One column of an arms table.
struct Measured {
  std::string task;
  std::string metric;
};

std::string heading(const std::string& title, Style style) {
  return bold(title, style) + "\n";
}

/// The best mean among contestants; NaN if there is none.
double best_mean(const SummaryView& view, const Measured& measured) {
  double best = std::numeric_limits<double>::quiet_NaN();
  for (const ArmName& arm : view.arms()) {
    const SummaryCell* cell = is_contestant(arm.arm) ? view.find(arm, measured.task, measured.metric) : nullptr;
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

/// Arms down, `across` columns across; arms without any value there are left out.
std::string arms_table(const SummaryView& view, const std::vector<Measured>& across, Style style) {
  std::vector<TextColumn> columns{{"arm", "", Align::kLeft}, {"n", "", Align::kRight}};
  std::vector<double> best;
  for (const Measured& measured : across) {
    columns.push_back({measured.task, measured.metric + " %", Align::kRight});
    best.push_back(best_mean(view, measured));
  }

  TextTable table(columns);
  for (const ArmName& arm : view.arms()) {
    std::vector<TextCell> row{{view.label(arm)}, {}};
    std::set<int64_t> ns;
    for (size_t k = 0; k < across.size(); ++k) {
      const SummaryCell* cell = view.find(arm, across[k].task, across[k].metric);
      if (cell == nullptr) {
        row.push_back({kNotAvailable});
        continue;
      }
      ns.insert(cell->n);
      const bool is_best = is_contestant(arm.arm) && cell->mean == best[k];
      row.push_back({percent(cell->mean, cell->ci95), is_best ? Emphasis::kBest : Emphasis::kNone});
    }
    row[1].text = counts(ns);
    if (!ns.empty()) table.add_row(std::move(row));
  }
  return table.empty() ? "" : table.render(style);
}

/// The tables of all columns, so many at a time that they fit.
std::string arms_tables(const SummaryView& view, const std::vector<Measured>& columns, Style style) {
  std::string out;
  for (size_t first = 0; first < columns.size(); first += kTasksAcross) {
    const size_t last = std::min(columns.size(), first + kTasksAcross);
    if (first > 0) out += "\n";
    out += arms_table(
        view, {columns.begin() + static_cast<ptrdiff_t>(first), columns.begin() + static_cast<ptrdiff_t>(last)}, style);
  }
  return out;
}

/// "0.96 [0.90, 1.00]"; without the range where there is one value.
std::string mean_and_range(std::vector<double> values) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  if (values.empty()) return kNotAvailable;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  if (values.size() == 1) return decimal(*low, 2);
  return fmt::format("{} [{}, {}]", decimal(mean(values), 2), decimal(*low, 2), decimal(*high, 2));
}

/// Values of one task over an encoder's grid.
std::string grid_table(const std::vector<std::string>& axes, const SummaryView& view, const std::string& encoder,
                       const std::string& task, Style style) {
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
  if (rows.empty()) return "";

  const std::string last_axis = axes.empty() ? "last axis" : axes.back();
  const std::vector<std::string> others(axes.begin(), axes.empty() ? axes.end() : axes.end() - 1);
  std::vector<TextColumn> columns{{others.empty() ? "" : fmt::format("{}", fmt::join(others, ",")), "", Align::kLeft}};
  for (const double value : across)
    columns.push_back({fmt::format("{} {}", last_axis, value), metric + " %", Align::kRight});
  TextTable table(columns);
  for (const auto& [point, values] : rows) {
    std::vector<TextCell> row{{config::to_string(point)}};
    for (const double value : across) {
      const auto found = values.find(value);
      if (found == values.end()) {
        row.push_back({kNotAvailable});
      } else {
        row.push_back({percent(found->second->mean), found->second->mean == best ? Emphasis::kBest : Emphasis::kNone});
      }
    }
    table.add_row(std::move(row));
  }
  return table.render(style);
}

}  // namespace

std::string arms_section(const SummaryView& view, Style style) {
  std::vector<Measured> columns;
  for (const std::string& task : view.tasks()) columns.push_back({task, view.main_metric_of(task)});
  const std::string tables = arms_tables(view, columns, style);
  if (tables.empty()) return "";
  return heading(
             "Arms x tasks: test values, mean ± half the 95 % interval over n repeats, or n encoder seeds where "
             "several",
             style) +
         tables;
}

std::string other_metrics_section(const SummaryView& view, Style style) {
  std::vector<Measured> columns;
  for (const std::string& task : view.tasks()) {
    for (const std::string& metric : view.metrics_of(task)) {
      if (metric != view.main_metric_of(task)) columns.push_back({task, metric});
    }
  }
  const std::string tables = arms_tables(view, columns, style);
  return tables.empty() ? "" : heading("Other metrics", style) + tables;
}

std::string learned_section(const io::Results& results, const SummaryView& view, Style style) {
  std::map<std::tuple<std::string, ArmName>, std::vector<const io::JobRecord*>> groups;
  for (const io::JobRecord& job : results.content.jobs) {
    if (job.status != "finished" || !job.arm.starts_with("learned-") || !view.tasks().contains(job.task)) continue;
    if (job.metric == view.main_metric_of(job.task)) groups[{job.task, {job.encoder, job.arm}}].push_back(&job);
  }
  if (groups.empty()) return "";

  std::vector<TextColumn> columns{{"task", "", Align::kLeft}, {"arm", "", Align::kLeft}};
  for (const std::string& axis : results.axes) columns.push_back({axis, "", Align::kRight});
  TextTable table(columns);
  for (const auto& [key, jobs] : groups) {
    const auto& [task, arm] = key;
    const bool by_views = std::any_of(jobs.begin(), jobs.end(), [](const auto* job) { return job->halves == "views"; });
    std::vector<TextCell> row{{task}, {view.label(arm) + (by_views ? ", by views" : "")}};
    for (size_t axis = 0; axis < results.axes.size(); ++axis) {
      std::vector<double> values;
      for (const io::JobRecord* job : jobs) {
        if (axis < job->invariance.size()) values.push_back(job->invariance[axis]);
      }
      row.push_back({mean_and_range(std::move(values))});
    }
    table.add_row(std::move(row));
  }
  return heading("Learned i: mean [least, greatest] over repeats and encoder seeds", style) + table.render(style);
}

std::string ranks_section(const io::Table& arm_summary, const SummaryView& view, Style style) {
  std::map<ArmName, size_t> row_of;
  for (size_t k = 0; k < static_cast<size_t>(arm_summary.rows()); ++k) {
    row_of[{arm_summary.texts("encoder")[k], arm_summary.texts("arm")[k]}] = k;
  }
  std::vector<std::pair<ArmName, size_t>> rows;
  double best_rank = std::numeric_limits<double>::infinity();
  double best_regret = std::numeric_limits<double>::infinity();
  for (const ArmName& arm : view.arms()) {
    const auto found = row_of.find(arm);
    if (found == row_of.end()) continue;
    rows.emplace_back(arm, found->second);
    if (!is_contestant(arm.arm)) continue;
    best_rank = std::fmin(best_rank, arm_summary.doubles("average_rank")[found->second]);
    best_regret = std::fmin(best_regret, arm_summary.doubles("regret")[found->second]);
  }
  if (rows.empty()) return "";

  TextTable table({{"arm", "", Align::kLeft},
                   {"average rank", "", Align::kRight},
                   {"over", "", Align::kRight},
                   {"regret", "points", Align::kRight},
                   {"over", "", Align::kRight}});
  const auto emphasis = [](const ArmName& arm, double value, double best) {
    return is_contestant(arm.arm) && value == best ? Emphasis::kBest : Emphasis::kNone;
  };
  for (const auto& [arm, k] : rows) {
    const double rank = arm_summary.doubles("average_rank")[k];
    const double regret = arm_summary.doubles("regret")[k];
    table.add_row({{view.label(arm)},
                   {decimal(rank, 2), emphasis(arm, rank, best_rank)},
                   {std::isnan(rank) ? kNotAvailable : fmt::format("{}", arm_summary.integers("rank_n")[k])},
                   {decimal(regret, 1), emphasis(arm, regret, best_regret)},
                   {std::isnan(regret) ? kNotAvailable : fmt::format("{}", arm_summary.integers("regret_n")[k])}});
  }
  return heading("Average rank (1 is best; arms with a value everywhere) and regret (oracle - arm)", style) +
         table.render(style);
}

std::string corners_section(const SummaryView& view, Style style) {
  std::vector<TextColumn> columns{{"corner", "", Align::kLeft}};
  std::vector<std::string> tasks;
  for (const std::string& task : view.tasks()) {
    if (!task.starts_with("known-")) continue;
    tasks.push_back(task);
    columns.push_back({task, view.main_metric_of(task) + " %", Align::kRight});
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
  if (tasks.empty() || corners.empty()) return "";

  TextTable table(columns);
  for (const ArmName& arm : corners) {
    std::vector<TextCell> row{{view.label(arm).substr(std::string("corner-").size())}};
    for (const std::string& task : tasks) {
      const SummaryCell* cell = view.find(arm, task, view.main_metric_of(task));
      if (cell == nullptr) {
        row.push_back({kNotAvailable});
      } else {
        row.push_back(
            {percent(cell->mean), cell->mean == best.at({arm.encoder, task}) ? Emphasis::kBest : Emphasis::kNone});
      }
    }
    table.add_row(std::move(row));
  }
  return heading("Corners x known tasks", style) + table.render(style);
}

std::string grid_section(const std::vector<std::string>& axes, const SummaryView& view, Style style) {
  std::string out;
  for (const std::string& encoder : view.encoders_with_grid()) {
    for (const std::string& task : view.tasks()) {
      const std::string table = grid_table(axes, view, encoder, task, style);
      if (table.empty()) continue;
      if (!out.empty()) out += "\n";
      out += heading(fmt::format("Grid of i: {} on {}", encoder, task), style) + table;
    }
  }
  return out;
}

}  // namespace invaria::report

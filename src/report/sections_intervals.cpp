// The section on the intervals that jobs have of their own.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "report/numbers.hpp"
#include "report/sections.hpp"
#include "report/statistics.hpp"

namespace invaria::report {
namespace {

/// Ends of the intervals of one arm on one task, a value a job.
struct Ends {
  std::vector<double> low, high;
};
using Cells = std::map<std::pair<ArmName, std::string>, Ends>;  ///< by arm and task

Cells intervals_of(const std::vector<io::JobRecord>& jobs, const SummaryView& view) {
  Cells cells;
  for (const io::JobRecord& job : jobs) {
    const bool counts = job.status == "finished" && std::isfinite(job.value_low) && std::isfinite(job.value_high);
    if (!counts || !view.tasks().contains(job.task) || job.metric != view.main_metric_of(job.task)) continue;
    Ends& ends = cells[{{job.encoder, job.arm}, job.task}];
    ends.low.push_back(job.value_low);
    ends.high.push_back(job.value_high);
  }
  return cells;
}

}  // namespace

Section intervals_section(const io::Results& results, const SummaryView& view) {
  const Cells cells = intervals_of(results.content.jobs, view);
  std::vector<std::string> tasks;
  for (const std::string& task : view.tasks()) {
    const bool has_any = std::any_of(cells.begin(), cells.end(), [&](const auto& c) { return c.first.second == task; });
    if (has_any) tasks.push_back(task);
  }
  std::vector<Column> columns{key_column("arm")};
  for (const std::string& task : tasks) columns.push_back({task, view.main_metric_of(task) + " %"});
  Table table("intervals", columns, kTasksAcross);
  for (const ArmName& arm : view.arms()) {
    std::vector<Cell> row{{view.label(arm)}};
    bool is_empty = true;
    for (const std::string& task : tasks) {
      const auto found = cells.find({arm, task});
      row.push_back(no_cell());
      if (found == cells.end()) continue;
      is_empty = false;
      const double low = mean(found->second.low), high = mean(found->second.high);
      row.back() = {.text = fmt::format("{} to {}", percent(low), percent(high)), .low = 100 * low, .high = 100 * high};
    }
    if (!is_empty) table.add_row(std::move(row));
  }
  Section section{"intervals", "95 % intervals over test samples, or over few-shot episodes",
                  "of one job, averaged over repeats and encoder seeds"};
  section.add(std::move(table));
  return section;
}

}  // namespace invaria::report

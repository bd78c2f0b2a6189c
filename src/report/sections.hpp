#pragma once
/// @file
/// The parts of a report, whatever the format: a title, tables, and lines of text under them.

#include <string>
#include <vector>

#include "io/results.hpp"
#include "report/summary_view.hpp"
#include "report/table.hpp"

namespace invaria::report {

/// One part. Empty where there is nothing to say.
struct Section {
  std::string id = "";           ///< as a table's name
  std::string title = "";        ///< a few words
  std::string explanation = "";  ///< what the numbers are; may be empty
  std::vector<Table> tables = {};
  std::vector<std::string> lines = {};  ///< below the tables; spaces in front of a line matter

  bool empty() const { return tables.empty() && lines.empty(); }
  /// Add a table unless it has no rows.
  void add(Table table) {
    if (!table.empty()) tables.push_back(std::move(table));
  }
};

/// More tasks than this do not fit beside each other on paper.
constexpr size_t kTasksAcross = 6;

/// All sections with content, in the order of a report: what failed, what was run and read, how arms did, where i went,
/// what was measured, where the time went.
/// @throws ConfigError as read_published()
std::vector<Section> sections_of(const io::Results& results);

/// Suite, version, hosts, when, how long.
Section run_section(const io::RunInfo& info);
/// What was pretrained: parameters, time, rate, final loss, status.
Section encoders_section(const io::Segment& content);
/// What was read: checksums, splits, files left out.
Section data_section(const io::Segment& content);

/// Arms x tasks in percent in the main metric of each task.
Section arms_section(const SummaryView& view);
/// The same with each job's interval over test samples, or few-shot episodes.
Section intervals_section(const io::Results& results, const SummaryView& view);
/// The same for all other metrics.
Section other_metrics_section(const SummaryView& view);
/// Where the learned i went: per task and arm the mean and the range over repeats and encoder seeds.
Section learned_section(const io::Results& results, const SummaryView& view);
/// What learning i costs learned-projected and learned-joint up to the same validation value, where both ran.
Section effort_section(const io::Results& results, const SummaryView& view);
/// Average rank and regret.
Section ranks_section(const io::Table& arm_summary, const SummaryView& view);
/// Corners x known tasks.
Section corners_section(const SummaryView& view);
/// One section an encoder and task: the last axis across, all others down.
std::vector<Section> grid_sections(const std::vector<std::string>& axes, const SummaryView& view);
/// Sensitivity of encoders at corners, transformations across; means over encoder seeds.
Section sensitivity_section(const io::Segment& content);
/// One section a kind of similarity: its mean over strengths, encoders at i down, transformations across; means over
/// encoder seeds.
std::vector<Section> similarities_sections(const io::Segment& content);

/// Where the time went.
Section stages_section(const io::Segment& content);
/// Failed encoders and jobs with their errors, blocked jobs by encoder.
Section failures_section(const io::Segment& content);

}  // namespace invaria::report

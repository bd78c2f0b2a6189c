#pragma once
/// @file
/// The parts of a report. Each is a heading with one or more tables under it, or empty where there is nothing to say.

#include <string>

#include "io/results.hpp"
#include "report/summary_view.hpp"
#include "report/tables.hpp"

namespace invaria::report {

/// More tasks than this do not fit beside each other: the next table begins.
constexpr size_t kTasksAcross = 6;

/// Suite, version, hosts, when, how long.
std::string run_section(const io::RunInfo& info, Style style);
/// What was pretrained: parameters, time, rate, final loss, status.
std::string encoders_section(const io::Segment& content, Style style);
/// What was read: checksums, splits, files left out.
std::string data_section(const io::Segment& content, Style style);

/// Arms x tasks in percent in the main metric of each task.
std::string arms_section(const SummaryView& view, Style style);
/// The same with each job's interval over test samples, or few-shot episodes.
std::string intervals_section(const io::Results& results, const SummaryView& view, Style style);
/// The same for all other metrics.
std::string other_metrics_section(const SummaryView& view, Style style);
/// Where the learned i went: per task and arm the mean and the range over repeats and encoder seeds.
std::string learned_section(const io::Results& results, const SummaryView& view, Style style);
/// Average rank and regret.
std::string ranks_section(const io::Table& arm_summary, const SummaryView& view, Style style);
/// Corners x known tasks.
std::string corners_section(const SummaryView& view, Style style);
/// One table a task: the last axis across, all others down.
std::string grid_section(const std::vector<std::string>& axes, const SummaryView& view, Style style);
/// Sensitivity of encoders at corners, transformations across; means over encoder seeds.
std::string sensitivity_section(const io::Segment& content, Style style);

/// Mean over strengths of each measured kind of similarity, encoders at i down, transformations across; means over
/// encoder seeds.
std::string similarities_section(const io::Segment& content, Style style);

/// Where the time went.
std::string stages_section(const io::Segment& content, Style style);
/// Failed encoders and jobs with their errors, blocked jobs by encoder.
std::string failures_section(const io::Segment& content, Style style);

}  // namespace invaria::report

// What learning i costs: learned-projected beside learned-joint.
#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "report/arms.hpp"
#include "report/numbers.hpp"
#include "report/recorded_tasks.hpp"
#include "report/sections.hpp"
#include "report/statistics.hpp"

namespace invaria::report {

namespace {

/// The cost of coming to a validation value.
struct Effort {
  double passes = 0.0;
  double seconds = 0.0;
};

/// The validation metric at a point of a learned row's trajectory. Where it was not computed on the way, the row's own
/// is that of the last point.
double validation_at(const io::JobRecord& job, size_t point) {
  const double there = job.trajectory.validation[point];
  const bool is_last = point + 1 == job.trajectory.validation.size();
  return std::isnan(there) && is_last ? job.validation_value : there;
}

/// The best validation value on the way; NaN without any.
double best_validation(const io::JobRecord& job) {
  double best = std::numeric_limits<double>::quiet_NaN();
  for (size_t point = 0; point < job.trajectory.validation.size(); ++point) {
    const double there = validation_at(job, point);
    if (std::isnan(best) || goodness(job.metric, there) > goodness(job.metric, best)) best = there;
  }
  return best;
}

/// Up to the first point that is as good.
std::optional<Effort> effort_to(const io::JobRecord& job, double value) {
  for (size_t point = 0; point < job.trajectory.validation.size(); ++point) {
    if (goodness(job.metric, validation_at(job, point)) >= goodness(job.metric, value))
      return Effort{job.trajectory.encoder_passes[point], job.trajectory.seconds[point]};
  }
  return {};
}

/// learned-projected and learned-joint of one task, encoder, seed and repeat.
struct Pair {
  const io::JobRecord* projected = nullptr;
  const io::JobRecord* joint = nullptr;
};

/// Sums over the pairs of one row of the table.
struct Sums {
  std::vector<double> value, projected_passes, joint_passes, projected_seconds, joint_seconds;
  int64_t projected_is_better = 0;
  int64_t joint_is_better = 0;

  void add(const Pair& pair) {
    const double of_projected = best_validation(*pair.projected), of_joint = best_validation(*pair.joint);
    const std::string& metric = pair.joint->metric;
    const bool joint_wins = goodness(metric, of_joint) > goodness(metric, of_projected);
    const double common = joint_wins ? of_projected : of_joint;
    const std::optional<Effort> projected = effort_to(*pair.projected, common), joint = effort_to(*pair.joint, common);
    if (!projected || !joint) return;
    value.push_back(common);
    projected_passes.push_back(projected->passes);
    joint_passes.push_back(joint->passes);
    projected_seconds.push_back(projected->seconds);
    joint_seconds.push_back(joint->seconds);
    joint_is_better += joint_wins ? 1 : 0;
    projected_is_better += goodness(metric, of_projected) > goodness(metric, of_joint) ? 1 : 0;
  }
};

/// What the suite says of a task.
struct TaskFacts {
  bool is_few_shot = false;
  std::string metric;  ///< the first one, which validation goes by; empty: the default, which is the main metric too
};

std::map<std::string, TaskFacts> facts_of_tasks(const io::Results& results) {
  std::map<std::string, TaskFacts> facts;
  boost::system::error_code absent;
  for (const auto& [name, task] : recorded_tasks(results.info.settings)) {
    const boost::json::value* const kind = task.find_pointer("/kind", absent);
    const boost::json::value* const metric = task.find_pointer("/metrics/0", absent);
    const bool has_metric = metric != nullptr && metric->is_string();
    facts[name] = {kind != nullptr && *kind == "few-shot", std::string(has_metric ? metric->get_string().c_str() : "")};
  }
  return facts;
}

}  // namespace

Section effort_section(const io::Results& results, const SummaryView& view) {
  std::map<std::tuple<std::string, std::string, int64_t, int64_t>, Pair> pairs;
  std::map<std::string, TaskFacts> facts = facts_of_tasks(results);
  for (const std::string& task : view.tasks()) {
    if (facts[task].metric.empty()) facts[task].metric = view.main_metric_of(task);
  }
  for (const io::JobRecord& job : results.content.jobs) {
    if (job.status != "finished" || job.trajectory.validation.empty() || !view.tasks().contains(job.task)) continue;
    // Projected is judged by episodes in few-shot tasks, joint by a readout of the base classes.
    if (job.metric != facts[job.task].metric || facts[job.task].is_few_shot) continue;
    Pair& pair = pairs[{job.task, job.encoder, job.encoder_seed, job.repeat}];
    if (job.arm == "learned-projected") pair.projected = &job;
    if (job.arm == "learned-joint") pair.joint = &job;
  }
  std::map<std::pair<std::string, std::string>, Sums> rows;
  for (const auto& [key, pair] : pairs) {
    if (pair.projected == nullptr || pair.joint == nullptr) continue;
    rows[{std::get<0>(key), std::get<1>(key)}].add(pair);
  }

  Table table("effort", {key_column("task"),
                         key_column("encoder"),
                         {"metric", "", Align::kLeft},
                         {"both reach", "%"},
                         {"images projected", "", Align::kRight, false, "images"},
                         {"images joint", "", Align::kRight, false, "images"},
                         {"time projected", "", Align::kRight, false, "s"},
                         {"time joint", "", Align::kRight, false, "s"},
                         {"projected better", "runs"},
                         {"joint better", "runs"},
                         {"of", "runs"}});
  for (const auto& [key, sums] : rows) {
    if (sums.value.empty()) continue;
    table.add_row({{key.first},
                   {key.second},
                   {facts[key.first].metric},
                   percent_cell(mean(sums.value)),
                   quantity_cell(mean(sums.projected_passes)),
                   quantity_cell(mean(sums.joint_passes)),
                   duration_cell(mean(sums.projected_seconds)),
                   duration_cell(mean(sums.joint_seconds)),
                   count_cell(sums.projected_is_better),
                   count_cell(sums.joint_is_better),
                   count_cell(static_cast<int64_t>(sums.value.size()))});
  }
  Section section{"effort", "Effort of learning i",
                  "images through the encoder and time until learned-projected and learned-joint are as good on "
                  "validation as the one of them that ends worse; means over repeats, and how often each ends better; "
                  "without few-shot tasks, in which the two are not judged alike on the way"};
  section.add(std::move(table));
  return section;
}

}  // namespace invaria::report

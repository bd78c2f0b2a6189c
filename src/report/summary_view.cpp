#include "report/summary_view.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "report/arms.hpp"
#include "report/summary.hpp"

namespace invaria::report {

SummaryView::SummaryView(const io::Results& results) {
  const io::Table& summary = results.summary;
  std::set<ArmName> arms;
  for (int64_t row = 0; row < summary.rows(); ++row) {
    const auto k = static_cast<size_t>(row);
    const ArmName arm{summary.texts("encoder")[k], summary.texts("arm")[k]};
    const std::string& task = summary.texts("task")[k];
    const std::string& metric = summary.texts("metric")[k];
    cells_[{arm, task, metric}] = {summary.doubles("mean")[k], summary.doubles("ci95")[k], summary.integers("n")[k]};
    tasks_.insert(task);
    metrics_[task].insert(metric);
    if (grid_point(arm.arm)) {
      encoders_with_grid_.insert(arm.encoder);
    } else {
      arms.insert(arm);
      encoders_of_arm_[arm.arm].insert(arm.encoder);
    }
  }
  for (const io::JobRecord& job : results.content.jobs) {
    if (!has_value(job)) continue;
    runs_[{{job.encoder, job.arm}, job.task, job.metric}].emplace(job.encoder_seed, job.repeat);
    if (is_contestant(job.arm)) runs_of_contestants_[{job.task, job.metric}].emplace(job.encoder_seed, job.repeat);
  }
  arms_.assign(arms.begin(), arms.end());
  std::stable_sort(arms_.begin(), arms_.end(), [](const ArmName& a, const ArmName& b) {
    return std::tuple(position(a.arm), a.arm, a.encoder) < std::tuple(position(b.arm), b.arm, b.encoder);
  });
}

std::string SummaryView::main_metric_of(const std::string& task) const {
  return main_metric(metrics_.at(task));
}

const SummaryCell* SummaryView::find(const ArmName& arm, const std::string& task, const std::string& metric) const {
  const auto found = cells_.find({arm, task, metric});
  return found == cells_.end() ? nullptr : &found->second;
}

bool SummaryView::is_everywhere(const ArmName& arm, const std::string& task, const std::string& metric) const {
  const auto own = runs_.find({arm, task, metric});
  const auto all = runs_of_contestants_.find({task, metric});
  if (all == runs_of_contestants_.end()) return true;
  return own != runs_.end() &&
         std::includes(own->second.begin(), own->second.end(), all->second.begin(), all->second.end());
}

std::vector<ArmName> SummaryView::grid_of(const std::string& encoder) const {
  std::set<ArmName> points;
  for (const auto& [key, cell] : cells_) {
    const ArmName& arm = std::get<0>(key);
    if (arm.encoder == encoder && grid_point(arm.arm)) points.insert(arm);
  }
  return {points.begin(), points.end()};
}

std::string SummaryView::label(const ArmName& arm) const {
  const auto encoders = encoders_of_arm_.find(arm.arm);
  const bool shared = encoders != encoders_of_arm_.end() && encoders->second.size() > 1;
  return shared ? fmt::format("{} ({})", arm.arm, arm.encoder) : arm.arm;
}

}  // namespace invaria::report

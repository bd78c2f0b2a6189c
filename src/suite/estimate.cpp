#include "suite/estimate.hpp"

#include <numeric>
#include <set>
#include <string>
#include <utility>

#include "suite/measure.hpp"

namespace invaria::suite {

double TimeEstimate::pretraining_s() const {
  return std::accumulate(encoder_s.begin(), encoder_s.end(), 0.0);
}

TimeEstimate estimate_time(const Suite& suite, const Plan& plan, const Calibration& calibration, int64_t ranks) {
  TimeEstimate estimate;
  for (size_t encoder = 0; encoder < plan.encoders.size(); ++encoder) {
    estimate.encoder_s.push_back(static_cast<double>(plan.encoders[encoder].settings.steps) *
                                 calibration.step_s[encoder]);
  }
  for (const Unit& unit : plan.units) {
    double seconds = static_cast<double>(unit.forward_images) * calibration.image_s[unit.encoder];
    if (unit.kind == UnitKind::kProjected) seconds += calibration.projected_s[unit.encoder][unit.task];
    if (unit.kind == UnitKind::kEpisodes) seconds += calibration.episodes_s[unit.encoder][unit.task];
    if (unit.kind == UnitKind::kJoint) seconds += calibration.joint_s[unit.encoder][unit.task];
    std::set<std::pair<std::string, int64_t>> readouts;
    for (const Job& job : unit.jobs) {
      readouts.emplace(unit.kind == UnitKind::kFixed ? "" : job.arm, job.repeat);  // arms at one point share theirs
    }
    const bool has_its_readouts =
        unit.kind == UnitKind::kEpisodes || (unit.kind == UnitKind::kJoint && suite.downstream.judges_own_readout());
    auto n_readouts = static_cast<double>(readouts.size());
    // Points that validation chooses among, in every repeat.
    if (unit.kind == UnitKind::kProjected && suite.downstream.projected.choice == downstream::Choice::kValidation)
      n_readouts += static_cast<double>(suite.downstream.projected.starts);
    if (!readouts.empty() && !has_its_readouts)
      seconds +=
          (chooses_statistics(suite, unit) ? 2.0 : 1.0) * n_readouts * calibration.readout_s[unit.encoder][unit.task];
    estimate.unit_s.push_back(seconds);
  }
  estimate.sweep = simulate_sweep(estimate.unit_s, ranks, calibration.claim);
  if (suite.measure.data.empty()) return estimate;
  const auto images = static_cast<double>(downstream::images_measured(suite.measure, calibration.measured_pictures));
  std::vector<double> point_s;
  for (const MeasureUnit& point : measure_units(plan, suite.measure.along_i))
    point_s.push_back(images * calibration.image_s[point.encoder]);
  estimate.measured_points = std::ssize(point_s);
  estimate.measure_s = simulate_sweep(point_s, ranks, calibration.claim).makespan_s;
  return estimate;
}

}  // namespace invaria::suite

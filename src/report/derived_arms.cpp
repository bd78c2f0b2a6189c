#include "report/derived_arms.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <map>
#include <tuple>

#include "core/sha256.hpp"
#include "report/arms.hpp"

namespace invaria::report {

namespace {

using Points = std::vector<const io::JobRecord*>;

std::string derived_id(const char* arm, const Points& points) {
  std::vector<std::string> ids;
  for (const io::JobRecord* point : points) ids.push_back(point->job_id);
  std::sort(ids.begin(), ids.end());
  const boost::json::value from{{"derived", arm}, {"from", boost::json::array(ids.begin(), ids.end())}};
  return sha256_hex(boost::json::serialize(from));
}

/// @param points  in grid order
/// @param score   what the winner has the best of
void add_best(const Points& points, double io::JobRecord::*score, const char* arm, std::vector<io::JobRecord>& out) {
  const io::JobRecord* best = nullptr;
  for (const io::JobRecord* point : points) {
    if (std::isnan(point->*score)) continue;
    if (best == nullptr || goodness(point->metric, point->*score) > goodness(best->metric, best->*score)) best = point;
  }
  if (best == nullptr) return;

  io::JobRecord row = *best;
  row.arm = arm;
  row.job_id = derived_id(arm, points);
  row.seconds = 0.0;
  row.encoder_passes = 0;
  for (const io::JobRecord* point : points) {
    row.seconds += point->seconds;
    row.encoder_passes += point->encoder_passes;
  }
  out.push_back(std::move(row));
}

}  // namespace

std::vector<io::JobRecord> derived_arms(const std::vector<io::JobRecord>& jobs) {
  using Cell = std::tuple<std::string, int64_t, std::string, int64_t, std::string>;
  std::map<Cell, Points> grids;
  for (const io::JobRecord& job : jobs) {
    if (job.status != "finished" || !grid_point(job.arm)) continue;
    grids[{job.encoder, job.encoder_seed, job.task, job.repeat, job.metric}].push_back(&job);
  }

  std::vector<io::JobRecord> derived;
  for (auto& [cell, points] : grids) {
    std::sort(points.begin(), points.end(), [](const io::JobRecord* a, const io::JobRecord* b) {
      return std::tuple(*grid_point(a->arm), a->job_id) < std::tuple(*grid_point(b->arm), b->job_id);
    });
    add_best(points, &io::JobRecord::validation_value, kGridBest, derived);
    add_best(points, &io::JobRecord::value, kOracle, derived);
  }
  return derived;
}

}  // namespace invaria::report

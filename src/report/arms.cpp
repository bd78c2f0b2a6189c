#include "report/arms.hpp"

#include <charconv>

#include "io/records.hpp"

namespace invaria::report {

std::optional<config::Invariance> grid_point(std::string_view arm) {
  constexpr std::string_view kPrefix = "grid-";
  if (!arm.starts_with(kPrefix)) return std::nullopt;
  config::Invariance point;
  const char* at = arm.data() + kPrefix.size();
  const char* const end = arm.data() + arm.size();
  while (true) {
    double value = 0.0;
    const auto [rest, error] = std::from_chars(at, end, value);
    if (error != std::errc{} || !(value >= 0.0 && value <= 1.0)) return std::nullopt;
    point.push_back(value);
    if (rest == end) return point;
    if (*rest != ',') return std::nullopt;
    at = rest + 1;
  }
}

bool is_derived(std::string_view arm) {
  return arm == kGridBest || arm == kOracle;
}

bool is_contestant(std::string_view arm) {
  return arm != kOracle && !grid_point(arm);
}

int position(std::string_view arm) {
  if (arm.starts_with("learned-")) return 0;
  if (arm == kGridBest) return 1;
  if (arm.starts_with("corner-")) return 2;
  if (arm == "centre") return 3;
  if (arm == "fixed-default") return 4;
  if (arm == "random") return 6;
  if (arm == kOracle) return 7;
  return 5;
}

std::string main_metric(const std::set<std::string>& metrics) {
  for (const char* metric : {"top1", "map", "box_iou", "r2", "mean_per_class", "top5", "r2_flat", "nme"}) {
    if (metrics.contains(metric)) return metric;
  }
  return metrics.empty() ? std::string() : *metrics.begin();
}

double goodness(std::string_view metric, double value) {
  return io::less_is_better(metric) ? -value : value;
}

}  // namespace invaria::report

// Charts on encoders, their pretraining, and time.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "report/chart_parts.hpp"
#include "report/charts.hpp"
#include "report/statistics.hpp"

namespace invaria::report {

namespace {

constexpr std::string_view kSensitivity = R"json({
  "encoding": {
    "y": {"field": "encoder", "type": "nominal", "sort": null, "title": null},
    "x": {"field": "transformation", "type": "nominal", "sort": null, "title": null, "axis": {"labelAngle": 0, "orient": "top"}}
  },
  "layer": [
    {
      "mark": {"type": "rect"},
      "encoding": {
        "color": {"field": "value", "type": "quantitative", "title": "0 = invariant",
                  "scale": {"scheme": "viridis", "domainMin": 0}, "legend": {"gradientLength": 160, "orient": "bottom"}},
        "tooltip": [
          {"field": "encoder", "type": "nominal"},
          {"field": "transformation", "type": "nominal"},
          {"field": "value", "type": "quantitative", "format": ".3f"}
        ]
      }
    },
    {
      "mark": {"type": "text", "fontSize": 11},
      "encoding": {
        "text": {"field": "value", "type": "quantitative", "format": ".2f"},
        "color": {"condition": {"test": "datum.bright", "value": "black"}, "value": "white"}
      }
    }
  ]
})json";

constexpr std::string_view kStages = R"json({
  "encoding": {"y": {"field": "stage", "type": "nominal", "sort": null, "title": null}},
  "layer": [
    {
      "mark": {"type": "bar", "color": "theme:blue", "height": 12},
      "encoding": {
        "x": {"field": "mean", "type": "quantitative", "title": "seconds, mean of ranks; tick: slowest rank"},
        "tooltip": [
          {"field": "stage", "type": "nominal"},
          {"field": "mean", "type": "quantitative", "format": ".2f"},
          {"field": "slowest", "type": "quantitative", "format": ".2f"},
          {"field": "ranks", "type": "quantitative"}
        ]
      }
    },
    {
      "mark": {"type": "tick", "color": "theme:ink", "thickness": 2, "size": 16},
      "encoding": {"x": {"field": "slowest", "type": "quantitative"}}
    }
  ]
})json";

constexpr int64_t kMostSteps = 250;  ///< of a curve in a chart

/// The column's means over equal pieces of the table, at the mean of their steps.
void add_curve(const std::string& name, const io::Table& table, const char* column, double factor, json::array& rows) {
  if (!table.contains("step") || !table.contains(column)) return;
  const std::vector<int64_t>& steps = table.integers("step");
  const std::vector<double>& values = table.doubles(column);
  const auto n = static_cast<int64_t>(steps.size());
  const int64_t width = std::max<int64_t>(1, (n + kMostSteps - 1) / kMostSteps);
  for (int64_t first = 0; first < n; first += width) {
    const auto last = static_cast<size_t>(std::min(n, first + width));
    double step = 0.0, value = 0.0;
    for (auto k = static_cast<size_t>(first); k < last; ++k) {
      step += static_cast<double>(steps[k]);
      value += values[k];
    }
    const auto count = static_cast<double>(last) - static_cast<double>(first);
    if (!std::isfinite(value)) continue;
    rows.push_back(line_point(name, step / count, factor * value / count));
  }
}

Chart curves(const io::Segment& content, const char* column, double factor, const char* title, const std::string& id) {
  json::array rows;
  for (const io::EncoderRecord& encoder : content.encoders) {
    add_curve(io::encoder_group_name(encoder, content.encoders), encoder.pretraining, column, factor, rows);
  }
  return line_chart(id, title, std::move(rows), {"step", title});
}

/// What a monitor saw of encoders at their corners.
Chart monitored(const io::Segment& content, const char* column, const char* title, const std::string& id) {
  json::array rows;
  for (const io::EncoderRecord& encoder : content.encoders) {
    const io::Table& seen = encoder.monitor;
    if (!seen.contains("step") || !seen.contains("corner") || !seen.contains(column)) continue;
    for (size_t k = 0; k < static_cast<size_t>(seen.rows()); ++k) {
      const std::string name = io::encoder_group_name(encoder, content.encoders) + " at " + seen.texts("corner")[k];
      rows.push_back(line_point(name, static_cast<double>(seen.integers("step")[k]), 100.0 * seen.doubles(column)[k]));
    }
  }
  return line_chart(id, title, std::move(rows), {"step", title});
}

}  // namespace

std::vector<Chart> sensitivity_charts(const io::Segment& content) {
  std::map<std::pair<std::string, std::string>, std::vector<double>> cells;  // over encoder seeds
  for (const io::SensitivityRecord& row : content.sensitivity) {
    cells[{row.encoder + " at " + row.corner, row.transformation}].push_back(row.value);
  }
  if (cells.empty()) return {};
  double greatest = 0.0;
  for (const auto& [key, values] : cells) greatest = std::max(greatest, mean(values));
  json::array rows;
  for (const auto& [key, values] : cells) {
    rows.push_back(json::object{{"encoder", key.first},
                                {"transformation", key.second},
                                {"value", number(mean(values))},
                                {"bright", mean(values) > 0.6 * greatest}});
  }
  std::set<std::string> down;
  for (const auto& [key, values] : cells) down.insert(key.first);
  json::object spec = specification(kSensitivity, std::move(rows), "How far features move under each transformation");
  set(spec, "/height", 22 * down.size());
  return {{"chart-sensitivity", "Sensitivity of features", "", {std::move(spec)}}};
}

std::vector<Chart> pretraining_charts(const io::Segment& content) {
  std::vector<Chart> charts{curves(content, "loss", 1.0, "loss (nats)", "chart-pretraining-loss"),
                            curves(content, "top1", 100.0, "contrastive top-1 (%)", "chart-pretraining-top1"),
                            curves(content, "images_per_s", 1.0, "images a second", "chart-pretraining-rate"),
                            monitored(content, "knn_top1", "monitor: kNN top-1 (%)", "chart-monitor-knn"),
                            monitored(content, "readout_top1", "monitor: readout top-1 (%)", "chart-monitor-readout")};
  std::erase_if(charts,
                [](const Chart& chart) { return chart.specs.front().at("data").at("values").as_array().empty(); });
  return charts;
}

std::vector<Chart> stages_charts(const io::Segment& content) {
  std::map<std::string, std::vector<double>> seconds;
  for (const io::StageTime& time : content.stage_times) seconds[time.stage].push_back(time.seconds);
  if (seconds.empty()) return {};
  std::vector<std::pair<double, std::string>> order;
  for (const auto& [stage, values] : seconds) order.emplace_back(-mean(values), stage);
  std::sort(order.begin(), order.end());
  json::array rows;
  for (const auto& [negative, stage] : order) {
    const std::vector<double>& values = seconds.at(stage);
    rows.push_back(json::object{{"stage", stage},
                                {"mean", number(mean(values))},
                                {"slowest", number(*std::max_element(values.begin(), values.end()))},
                                {"ranks", values.size()}});
  }
  json::object spec = specification(kStages, std::move(rows), "Seconds of each stage");
  set(spec, "/height", 24 * order.size());
  return {{"chart-stages", "Time by stage", "", {std::move(spec)}}};
}

}  // namespace invaria::report

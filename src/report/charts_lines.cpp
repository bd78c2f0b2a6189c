// Charts of lines: what they are made from, and those on measured invariance.
#include <algorithm>
#include <cmath>
#include <map>

#include "config/invariance.hpp"
#include "report/chart_parts.hpp"
#include "report/charts.hpp"
#include "report/statistics.hpp"
#include "report/table.hpp"

namespace invaria::report {

namespace {

constexpr std::string_view kLines = R"json({
  "height": 220,
  "mark": {"type": "line", "strokeWidth": 1.5},
  "encoding": {
    "x": {"field": "x", "type": "quantitative", "scale": {"nice": false}},
    "y": {"field": "value", "type": "quantitative", "scale": {"zero": false}},
    "color": {"field": "name", "type": "nominal", "title": null, "sort": null, "scale": {"range": "category"}},
    "tooltip": [
      {"field": "name", "type": "nominal"},
      {"field": "x", "type": "quantitative"},
      {"field": "value", "type": "quantitative", "format": ".4g"}
    ]
  }
})json";

using Points = std::map<std::string, std::map<double, std::vector<double>>>;  ///< name -> x -> values over seeds

json::array rows_of(const Points& points) {
  json::array rows;
  for (const auto& [name, line] : points) {
    for (const auto& [x, values] : line) rows.push_back(line_point(name, x, mean(values)));
  }
  return rows;
}

bool has_line(const Points& points) {
  return std::any_of(points.begin(), points.end(), [](const auto& line) { return line.second.size() > 1; });
}

bool is_corner(const std::vector<double>& i) {
  return std::all_of(i.begin(), i.end(), [](double value) { return !(value > 0.0 && value < 1.0); });  // or NaN
}

/// Whether i lies on the line along `axis` on which the others are 1.
bool is_along(const std::vector<double>& i, size_t axis) {
  for (size_t other = 0; other < i.size(); ++other) {
    if (std::isnan(i[other]) || (other != axis && i[other] != 1.0)) return false;
  }
  return true;
}

}  // namespace

json::object line_point(const std::string& name, double x, double y) {
  return {{"name", name}, {"x", number(x)}, {"value", number(y)}};
}

Chart line_chart(const std::string& id, const std::string& title, json::array points, const LineAxes& axes) {
  json::object spec = specification(kLines, std::move(points), title + " over " + axes.x);
  set(spec, "/encoding/x/title", axes.x);
  set(spec, "/encoding/y/title", axes.y);
  return {id, title, "", {std::move(spec)}};
}

std::vector<Chart> similarity_charts(const io::Results& results, const std::string& kind) {
  std::map<std::string, Points> of_transformation;  // over strengths
  std::map<size_t, Points> of_axis;
  for (const io::SimilarityRecord& record : results.content.similarities) {
    if (record.similarity != kind) continue;
    if (is_corner(record.invariance)) {
      const std::string name = record.encoder + " at " + config::to_string(record.invariance);
      for (size_t k = 0; k < record.strengths.size(); ++k)
        of_transformation[record.transformation][name][record.strengths[k]].push_back(record.values[k]);
    }
    for (size_t axis = 0; axis < record.invariance.size(); ++axis) {
      if (!is_along(record.invariance, axis)) continue;
      const std::string& transformation = record.transformation;
      of_axis[axis][record.encoder + ": " + transformation][record.invariance[axis]].push_back(mean(record.values));
    }
  }
  std::vector<Chart> charts;
  for (const auto& [axis, points] : of_axis) {
    if (!has_line(points)) continue;  // nothing was measured along i
    charts.push_back(line_chart("chart-" + kind + "-along-" + slug(results.axes.at(axis)),
                                "along " + results.axes[axis], rows_of(points),
                                {"i of " + results.axes[axis] + ", the others 1", kind}));
  }
  for (const auto& [transformation, points] : of_transformation) {
    if (!has_line(points)) continue;  // flip has one strength: the table says it
    charts.push_back(line_chart("chart-" + kind + "-" + slug(transformation), transformation, rows_of(points),
                                {"strength of " + transformation, kind}));
  }
  return charts;
}

}  // namespace invaria::report

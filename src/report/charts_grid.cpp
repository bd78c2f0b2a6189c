// Heat maps of a task over the grid of i.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "report/arms.hpp"
#include "report/chart_parts.hpp"
#include "report/charts.hpp"
#include "report/table.hpp"

namespace invaria::report {

namespace {

/// Where the cells of grid values end: halfway to the neighbours, at the ends as far again.
std::map<double, std::pair<double, double>> cells_of(const std::set<double>& values) {
  const std::vector<double> at(values.begin(), values.end());
  std::map<double, std::pair<double, double>> cells;
  for (size_t k = 0; k < at.size(); ++k) {
    const double before = k > 0 ? (at[k] - at[k - 1]) / 2 : at.size() > 1 ? (at[1] - at[0]) / 2 : 0.5;
    const double after = k + 1 < at.size() ? (at[k + 1] - at[k]) / 2 : before;
    cells[at[k]] = {at[k] - before, at[k] + after};
  }
  return cells;
}

struct GridPoint {
  config::Invariance at;
  double mean = 0.0;
};

std::vector<GridPoint> points_of(const SummaryView& view, const std::string& encoder, const std::string& task) {
  std::vector<GridPoint> points;
  for (const ArmName& arm : view.grid_of(encoder)) {
    const SummaryCell* cell = view.find(arm, task, view.main_metric_of(task));
    if (cell != nullptr) points.push_back({*grid_point(arm.arm), cell->mean});
  }
  return points;
}

/// Jobs whose i is drawn on a grid: "learned", "grid-best" or "oracle"; nothing for others.
std::string mark_of(const io::JobRecord& job) {
  if (job.arm == kGridBest || job.arm == kOracle) return job.arm;
  return job.arm == "learned-projected" || job.arm == "learned-joint" || job.arm == "learned-episode" ? job.arm : "";
}

/// Of charts of several encoders each names its own.
std::string title_of(const SummaryView& view, const std::string& encoder, const std::string& task) {
  return view.encoders_with_grid().size() > 1 ? fmt::format("{}, {}", task, encoder) : task;
}

/// The grid point next to an i.
const GridPoint& nearest(const std::vector<GridPoint>& points, const config::Invariance& i) {
  const auto distance = [&](const GridPoint& point) {
    double sum = 0.0;
    for (size_t axis = 0; axis < i.size(); ++axis) sum += (point.at[axis] - i[axis]) * (point.at[axis] - i[axis]);
    return sum;
  };
  return *std::min_element(points.begin(), points.end(),
                           [&](const GridPoint& a, const GridPoint& b) { return distance(a) < distance(b); });
}

constexpr std::string_view kMap = R"json({
  "usermeta": {"square": true},
  "layer": [
    {
      "transform": [{"filter": "datum.what == 'cell'"}],
      "mark": {"type": "rect"},
      "encoding": {
        "x": {"field": "left", "type": "quantitative", "scale": {"nice": false, "zero": false}, "axis": {"grid": false}},
        "x2": {"field": "right"},
        "y": {"field": "bottom", "type": "quantitative", "scale": {"nice": false, "zero": false}, "axis": {"grid": false}},
        "y2": {"field": "top"},
        "color": {"field": "value", "type": "quantitative",
                  "scale": {"scheme": "viridis", "zero": false}, "legend": {"gradientLength": 160, "orient": "bottom"}},
        "tooltip": [
          {"field": "x", "type": "quantitative"},
          {"field": "y", "type": "quantitative"},
          {"field": "value", "type": "quantitative", "format": ".2f"}
        ]
      }
    },
    {
      "transform": [{"filter": "datum.what == 'cell'"}],
      "mark": {"type": "text", "fontSize": 11, "dx": 5, "dy": -4, "align": "left", "baseline": "bottom"},
      "encoding": {
        "x": {"field": "left", "type": "quantitative"},
        "y": {"field": "bottom", "type": "quantitative"},
        "text": {"field": "value", "type": "quantitative", "format": ".1f"},
        "color": {"condition": {"test": "datum.bright", "value": "black"}, "value": "white"}
      }
    },
    {
      "transform": [{"filter": "datum.what != 'cell'"}],
      "mark": {"type": "point", "filled": true, "opacity": 1, "fill": "white", "stroke": "black", "strokeWidth": 1.3},
      "encoding": {
        "x": {"field": "x", "type": "quantitative"},
        "y": {"field": "y", "type": "quantitative"},
        "shape": {"field": "what", "type": "nominal", "title": null,
                  "scale": {"domain": ["learned-projected", "learned-joint", "learned-episode", "grid-best", "oracle"],
                            "range": ["circle", "cross", "triangle-up", "square", "diamond"]},
                  "legend": null},
        "size": {"field": "size", "type": "quantitative", "scale": null, "legend": null},
        "tooltip": [
          {"field": "what", "type": "nominal"},
          {"field": "run", "type": "nominal"},
          {"field": "x", "type": "quantitative", "format": ".3f"},
          {"field": "y", "type": "quantitative", "format": ".3f"}
        ]
      }
    }
  ]
})json";

constexpr std::string_view kTiles = R"json({
  "layer": [
    {
      "mark": {"type": "rect"},
      "encoding": {
        "color": {"field": "value", "type": "quantitative",
                  "scale": {"scheme": "viridis", "zero": false}, "legend": {"gradientLength": 160, "orient": "bottom"}},
        "tooltip": [
          {"field": "row", "type": "nominal"},
          {"field": "column", "type": "nominal"},
          {"field": "value", "type": "quantitative", "format": ".2f"},
          {"field": "note", "type": "nominal"}
        ]
      }
    },
    {
      "mark": {"type": "text", "fontSize": 11},
      "encoding": {
        "text": {"field": "text", "type": "nominal"},
        "color": {"condition": {"test": "datum.bright", "value": "black"}, "value": "white"}
      }
    }
  ],
  "encoding": {
    "y": {"field": "row", "type": "nominal", "sort": null},
    "x": {"field": "column", "type": "nominal", "sort": null, "axis": {"labelAngle": 0}}
  }
})json";

/// Whether dark text reads better on this value's colour of viridis.
bool is_bright(double value, double least, double greatest) {
  return greatest > least && (value - least) / (greatest - least) > 0.6;
}

Chart two_axes(const io::Results& results, const SummaryView& view, const std::string& encoder, const std::string& task,
               const std::vector<GridPoint>& points, double least, double greatest) {
  std::set<double> across, up;
  for (const GridPoint& point : points) {
    across.insert(point.at[0]);
    up.insert(point.at[1]);
  }
  const auto columns = cells_of(across), rows_of = cells_of(up);
  json::array rows;
  for (const GridPoint& point : points) {
    const auto [left, right] = columns.at(point.at[0]);
    const auto [bottom, top] = rows_of.at(point.at[1]);
    rows.push_back(json::object{{"what", "cell"},
                                {"x", number(point.at[0])},
                                {"y", number(point.at[1])},
                                {"left", number(left)},
                                {"right", number(right)},
                                {"bottom", number(bottom)},
                                {"top", number(top)},
                                {"value", number(100 * point.mean)},
                                {"bright", is_bright(point.mean, least, greatest)}});
  }
  for (const io::JobRecord& job : results.content.jobs) {
    const std::string what = mark_of(job);
    const bool is_here = job.encoder == encoder && job.task == task && job.metric == view.main_metric_of(task);
    if (what.empty() || !is_here || job.status != "finished" || job.invariance.size() != 2) continue;
    // Where they coincide the oracle lies inside grid-best, and a learned i beside neither.
    rows.push_back(json::object{{"what", what},
                                {"size", what == kGridBest ? 260
                                         : what == kOracle ? 60
                                                           : 75},
                                {"run", fmt::format("seed {}, repeat {}", job.encoder_seed, job.repeat)},
                                {"x", number(job.invariance[0])},
                                {"y", number(job.invariance[1])}});
  }
  json::object spec =
      specification(kMap, std::move(rows), fmt::format("Test values of {} on {} over the grid of i", encoder, task));
  for (const char* layer : {"/layer/0", "/layer/1", "/layer/2"}) {
    set(spec, std::string(layer) + "/encoding/x/title", results.axes[0]);
    set(spec, std::string(layer) + "/encoding/y/title", results.axes[1]);
  }
  json::array ticks_x(across.begin(), across.end()), ticks_y(up.begin(), up.end());
  set(spec, "/layer/0/encoding/x/axis/values", std::move(ticks_x));
  set(spec, "/layer/0/encoding/y/axis/values", std::move(ticks_y));
  set(spec, "/layer/0/encoding/color/title", view.main_metric_of(task) + " %");
  return {slug(fmt::format("chart-grid-{}-{}", encoder, task)), title_of(view, encoder, task), "", {std::move(spec)}};
}

/// One axis, or more than two: the last axis across, all others down, as in the table.
Chart tiles(const io::Results& results, const SummaryView& view, const std::string& encoder, const std::string& task,
            const std::vector<GridPoint>& points, double least, double greatest) {
  std::map<config::Invariance, std::set<std::string>> notes;
  std::set<config::Invariance> learned;  // next to a learned i
  for (const io::JobRecord& job : results.content.jobs) {
    const bool is_here = job.encoder == encoder && job.task == task && job.metric == view.main_metric_of(task);
    const std::string what = mark_of(job);
    if (!is_here || what.empty() || job.status != "finished" || job.invariance.size() != points.front().at.size())
      continue;
    if (is_derived(job.arm)) {  // lies on a grid point
      notes[job.invariance].insert(what);
    } else {
      const config::Invariance& cell = nearest(points, job.invariance).at;
      learned.insert(cell);
      notes[cell].insert(fmt::format("{} ({}), seed {}, repeat {}", what, config::to_string(job.invariance),
                                     job.encoder_seed, job.repeat));
    }
  }
  json::array rows;
  std::set<config::Invariance> down;
  for (const GridPoint& point : points) {
    config::Invariance row = point.at;
    const double last = row.back();
    row.pop_back();
    down.insert(row);
    const auto note = notes.find(point.at);
    std::string text = fmt::format("{:.1f}", 100 * point.mean);
    if (note != notes.end()) text += note->second.contains(kOracle) ? " ◆" : "";
    if (note != notes.end()) text += note->second.contains(kGridBest) ? " ■" : "";
    if (learned.contains(point.at)) text += " ●";
    rows.push_back(json::object{{"row", row.empty() ? std::string("i") : config::to_string(row)},
                                {"column", fmt::format("{}", last)},
                                {"value", number(100 * point.mean)},
                                {"text", text},
                                {"note", note == notes.end() ? "" : fmt::format("{}", fmt::join(note->second, ", "))},
                                {"bright", is_bright(point.mean, least, greatest)}});
  }
  json::object spec =
      specification(kTiles, std::move(rows), fmt::format("Test values of {} on {} over the grid of i", encoder, task));
  const std::vector<std::string> others(results.axes.begin(),
                                        results.axes.empty() ? results.axes.end() : results.axes.end() - 1);
  set(spec, "/height", 20 * down.size());
  set(spec, "/encoding/y/title", others.empty() ? std::string() : fmt::format("{}", fmt::join(others, ", ")));
  set(spec, "/encoding/x/title", results.axes.empty() ? std::string("i") : results.axes.back());
  set(spec, "/layer/0/encoding/color/title", view.main_metric_of(task) + " %");
  return {slug(fmt::format("chart-grid-{}-{}", encoder, task)), title_of(view, encoder, task), "", {std::move(spec)}};
}

}  // namespace

std::vector<Chart> grid_charts(const io::Results& results, const SummaryView& view) {
  std::vector<Chart> charts;
  for (const std::string& encoder : view.encoders_with_grid()) {
    for (const std::string& task : view.tasks()) {
      const std::vector<GridPoint> points = points_of(view, encoder, task);
      if (points.empty()) continue;
      const auto [least, greatest] = std::minmax_element(
          points.begin(), points.end(), [](const GridPoint& a, const GridPoint& b) { return a.mean < b.mean; });
      const bool is_square = results.axes.size() == 2;
      charts.push_back(
          (is_square ? two_axes : tiles)(results, view, encoder, task, points, least->mean, greatest->mean));
    }
  }
  return charts;
}

}  // namespace invaria::report

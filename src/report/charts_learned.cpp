// Charts on where i went.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "report/arms.hpp"
#include "report/chart_parts.hpp"
#include "report/charts.hpp"
#include "report/statistics.hpp"
#include "report/table.hpp"

namespace invaria::report {

namespace {

using Runs = std::vector<const io::JobRecord*>;

/// Finished jobs that learned an i, by task and arm, each once.
std::map<std::pair<std::string, ArmName>, Runs> learned_runs(const io::Results& results, const SummaryView& view) {
  std::map<std::pair<std::string, ArmName>, Runs> runs;
  for (const io::JobRecord& job : results.content.jobs) {
    if (job.status != "finished" || !job.arm.starts_with("learned-") || !view.tasks().contains(job.task)) continue;
    if (job.metric == view.main_metric_of(job.task)) runs[{job.task, {job.encoder, job.arm}}].push_back(&job);
  }
  return runs;
}

/// The marks of known tasks, from the suite in the results: task -> "01", "10-11".
std::map<std::string, std::string> marks_of_tasks(const std::string& settings) {
  std::map<std::string, std::string> marks;
  boost::system::error_code error;
  const json::value suite = json::parse(settings, error);
  const json::value* tasks = !error && suite.is_object() ? suite.as_object().if_contains("tasks") : nullptr;
  if (tasks == nullptr || !tasks->is_array()) return marks;
  for (const json::value& task : tasks->as_array()) {
    const auto text = [&](const char* pointer) {
      boost::system::error_code missing;
      const json::value* found = task.find_pointer(pointer, missing);
      return found != nullptr && found->is_string() ? std::string(found->as_string()) : std::string();
    };
    if (text("/kind") == "known") marks[text("/name")] = text("/known/marks");
  }
  return marks;
}

std::string run_name(const io::JobRecord& job) {
  return fmt::format("seed {}, repeat {}", job.encoder_seed, job.repeat);
}

/// Means over runs, one an axis.
std::vector<double> mean_invariance(const Runs& runs, size_t n_axes) {
  std::vector<double> means;
  for (size_t axis = 0; axis < n_axes; ++axis) {
    std::vector<double> values;
    for (const io::JobRecord* job : runs) {
      if (axis < job->invariance.size() && std::isfinite(job->invariance[axis]))
        values.push_back(job->invariance[axis]);
    }
    means.push_back(mean(values));
  }
  return means;
}

size_t n_arms(const std::map<std::pair<std::string, ArmName>, Runs>& runs) {
  std::set<ArmName> arms;
  for (const auto& [key, jobs] : runs) arms.insert(key.second);
  return arms.size();
}

constexpr std::string_view kSquare = R"json({
  "usermeta": {"square": true},
  "encoding": {
    "x": {"field": "x", "type": "quantitative", "scale": {"domain": [-0.06, 1.06], "nice": false},
          "axis": {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".2~f"}},
    "y": {"field": "y", "type": "quantitative", "scale": {"domain": [-0.06, 1.06], "nice": false},
          "axis": {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".2~f"}},
    "color": {"field": "task", "type": "nominal", "title": null, "scale": {"range": "category"}},
    "tooltip": [
      {"field": "task", "type": "nominal"},
      {"field": "arm", "type": "nominal"},
      {"field": "run", "type": "nominal"},
      {"field": "x", "type": "quantitative", "format": ".3f"},
      {"field": "y", "type": "quantitative", "format": ".3f"}
    ]
  },
  "layer": [
    {
      "transform": [{"filter": "datum.what == 'marked'"}],
      "mark": {"type": "point", "filled": false, "size": 420, "strokeWidth": 1.5, "strokeDash": [3, 3], "opacity": 0.9}
    },
    {
      "transform": [{"filter": "datum.what == 'run'"}],
      "mark": {"type": "point", "filled": true, "size": 36, "opacity": 0.55},
      "encoding": {"shape": {"field": "arm", "type": "nominal", "title": null}}
    },
    {
      "transform": [{"filter": "datum.what == 'mean'"}],
      "mark": {"type": "point", "filled": true, "size": 130, "opacity": 1, "stroke": "theme:surface", "strokeWidth": 1.5},
      "encoding": {"shape": {"field": "arm", "type": "nominal", "title": null}}
    }
  ]
})json";

Chart square_chart(const io::Results& results, const SummaryView& view,
                   const std::map<std::pair<std::string, ArmName>, Runs>& runs) {
  json::array rows;
  const auto marks = marks_of_tasks(results.info.settings);
  const auto add = [&](const char* what, const std::string& task, const std::string& arm, const std::string& run,
                       double x, double y) {
    rows.push_back(
        json::object{{"what", what}, {"task", task}, {"arm", arm}, {"run", run}, {"x", number(x)}, {"y", number(y)}});
  };
  for (const auto& [key, jobs] : runs) {
    const std::string arm = view.label(key.second);
    for (const io::JobRecord* job : jobs) {
      if (job->invariance.size() == 2)
        add("run", key.first, arm, run_name(*job), job->invariance[0], job->invariance[1]);
    }
    const std::vector<double> centre = mean_invariance(jobs, 2);
    add("mean", key.first, arm, fmt::format("mean of {}", jobs.size()), centre[0], centre[1]);
  }
  for (const std::string& task : view.tasks()) {
    const auto found = marks.find(task);
    if (found == marks.end() || found->second.size() != 2 || found->second.find('-') != std::string::npos) continue;
    add("marked", task, "", "marked " + found->second, found->second[0] - '0', found->second[1] - '0');
  }
  json::object spec =
      specification(kSquare, std::move(rows), "The learned invariance of each task in the square of axes");
  set(spec, "/encoding/x/title", results.axes[0]);
  set(spec, "/encoding/y/title", results.axes[1]);
  if (n_arms(runs) == 1) {
    for (const char* layer : {"/layer/1", "/layer/2"})
      set(spec, std::string(layer) + "/encoding/shape/legend", nullptr);
  }
  return {"chart-learned",
          "Learned i in the square of axes",
          "Large marks are means over repeats and encoder seeds, small ones single runs; a dashed ring is the corner "
          "that a known task's marks name.",
          {std::move(spec)}};
}

constexpr std::string_view kParallel = R"json({
  "height": 300,
  "encoding": {
    "x": {"field": "axis", "type": "ordinal", "sort": null, "title": null, "axis": {"labelAngle": 0, "grid": true}},
    "y": {"field": "i", "type": "quantitative", "title": "learned i", "scale": {"domain": [0, 1]}},
    "color": {"field": "task", "type": "nominal", "title": null, "scale": {"range": "category"},
              "legend": {"symbolOpacity": 1, "symbolType": "stroke"}},
    "strokeDash": {"field": "arm", "type": "nominal", "title": null, "legend": {"symbolOpacity": 1}},
    "detail": [{"field": "run", "type": "nominal"}],
    "tooltip": [
      {"field": "task", "type": "nominal"},
      {"field": "arm", "type": "nominal"},
      {"field": "run", "type": "nominal"},
      {"field": "axis", "type": "nominal"},
      {"field": "i", "type": "quantitative", "format": ".3f"}
    ]
  },
  "layer": [
    {"transform": [{"filter": "datum.what == 'run'"}], "mark": {"type": "line", "strokeWidth": 1, "opacity": 0.35}},
    {"transform": [{"filter": "datum.what == 'mean'"}],
     "mark": {"type": "line", "strokeWidth": 2.5, "point": {"filled": true, "size": 50}}}
  ]
})json";

Chart parallel_chart(const io::Results& results, const SummaryView& view,
                     const std::map<std::pair<std::string, ArmName>, Runs>& runs) {
  json::array rows;
  const auto add = [&](const char* what, const std::string& task, const std::string& arm, const std::string& run,
                       const std::vector<double>& i) {
    for (size_t axis = 0; axis < results.axes.size() && axis < i.size(); ++axis) {
      if (!std::isfinite(i[axis])) continue;
      rows.push_back(json::object{{"what", what},
                                  {"task", task},
                                  {"arm", arm},
                                  {"run", run},
                                  {"axis", results.axes[axis]},
                                  {"i", number(i[axis])}});
    }
  };
  for (const auto& [key, jobs] : runs) {
    const std::string arm = view.label(key.second);
    for (const io::JobRecord* job : jobs) add("run", key.first, arm, run_name(*job), job->invariance);
    add("mean", key.first, arm, "mean", mean_invariance(jobs, results.axes.size()));
  }
  json::object spec = specification(kParallel, std::move(rows), "The learned invariance of each task on each axis");
  if (n_arms(runs) == 1) set(spec, "/encoding/strokeDash/legend", nullptr);
  return {"chart-learned",
          "Learned i, axis by axis",
          "A line a task: thick ones are means over repeats and encoder seeds, thin ones single runs.",
          {std::move(spec)}};
}

constexpr size_t kMostPoints = 120;  ///< of a trajectory in a chart

/// Indices of the points that a chart shows: all of a short trajectory, of a long one every n-th and the last.
std::vector<size_t> shown_points(size_t n_points) {
  std::vector<size_t> shown;
  const size_t stride = std::max<size_t>(1, (n_points + kMostPoints - 1) / kMostPoints);
  for (size_t k = 0; k < n_points; k += stride) shown.push_back(k);
  if (!shown.empty() && shown.back() != n_points - 1) shown.push_back(n_points - 1);
  return shown;
}

constexpr std::string_view kPath = R"json({
  "height": 150,
  "mark": {"type": "line", "strokeWidth": 1.5},
  "encoding": {
    "x": {"field": "point", "type": "quantitative", "title": "recorded point", "axis": {"tickMinStep": 1, "tickCount": 6}, "scale": {"nice": false}},
    "y": {"field": "i", "type": "quantitative", "title": "i", "scale": {"domain": [0, 1]}},
    "color": {"field": "axis", "type": "nominal", "title": null, "sort": null, "scale": {"range": "category"}},
    "detail": [{"field": "run", "type": "nominal"}],
    "tooltip": [
      {"field": "run", "type": "nominal"},
      {"field": "axis", "type": "nominal"},
      {"field": "point", "type": "quantitative"},
      {"field": "i", "type": "quantitative", "format": ".3f"}
    ]
  }
})json";

constexpr std::string_view kLoss = R"json({
  "height": 110,
  "mark": {"type": "line", "strokeWidth": 1.5, "color": "theme:grey"},
  "encoding": {
    "x": {"field": "point", "type": "quantitative", "title": "recorded point", "axis": {"tickMinStep": 1, "tickCount": 6}, "scale": {"nice": false}},
    "y": {"field": "loss", "type": "quantitative", "title": "loss", "scale": {"zero": false}},
    "detail": [{"field": "run", "type": "nominal"}],
    "tooltip": [
      {"field": "run", "type": "nominal"},
      {"field": "point", "type": "quantitative"},
      {"field": "loss", "type": "quantitative", "format": ".4g"}
    ]
  }
})json";

}  // namespace

std::vector<Chart> learned_charts(const io::Results& results, const SummaryView& view) {
  const auto runs = learned_runs(results, view);
  if (runs.empty() || results.axes.empty()) return {};
  if (results.axes.size() == 2) return {square_chart(results, view, runs)};
  return {parallel_chart(results, view, runs)};
}

std::vector<Chart> trajectory_charts(const io::Results& results, const SummaryView& view) {
  std::vector<Chart> charts;
  for (const auto& [key, jobs] : learned_runs(results, view)) {
    json::array path, losses;
    for (const io::JobRecord* job : jobs) {
      const io::Trajectory& trajectory = job->trajectory;
      for (const size_t point : shown_points(trajectory.loss.size())) {
        const std::vector<double>& i = trajectory.invariance[point];
        for (size_t axis = 0; axis < i.size() && axis < results.axes.size(); ++axis) {
          if (!std::isfinite(i[axis])) continue;
          path.push_back(json::object{
              {"run", run_name(*job)}, {"axis", results.axes[axis]}, {"point", point}, {"i", number(i[axis])}});
        }
        if (!std::isfinite(trajectory.loss[point])) continue;
        losses.push_back(
            json::object{{"run", run_name(*job)}, {"point", point}, {"loss", number(trajectory.loss[point])}});
      }
    }
    if (path.empty()) continue;
    const std::string name = fmt::format("{}, {}", key.first, view.label(key.second));
    std::vector<json::object> specs{specification(kPath, std::move(path), "The path of i on " + name)};
    if (!losses.empty())
      specs.push_back(specification(kLoss, std::move(losses), "The loss on the path of i on " + name));
    charts.push_back({slug(fmt::format("chart-path-{}-{}-{}", key.first, key.second.encoder, key.second.arm)), name, "",
                      std::move(specs)});
  }
  return charts;
}

}  // namespace invaria::report

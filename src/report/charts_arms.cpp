// Charts on how arms did.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "report/arms.hpp"
#include "report/chart_parts.hpp"
#include "report/charts.hpp"
#include "report/numbers.hpp"

namespace invaria::report {

namespace {

/// The colour and shape of an arm, by kind: what competes is told apart from what it is held to.
const char* kind_of(const std::string& arm) {
  if (arm.starts_with("learned-")) return "learned i";
  if (arm == kGridBest) return "grid-best";
  if (arm == kOracle) return "oracle";
  if (arm.starts_with("corner-") || arm == "centre") return "given i";
  return "baseline";
}

constexpr std::string_view kArms = R"json({
  "encoding": {
    "y": {"field": "arm", "type": "nominal", "sort": null, "title": null},
    "color": {
      "field": "kind", "type": "nominal", "title": null,
      "scale": {
        "domain": ["learned i", "grid-best", "given i", "baseline", "oracle"],
        "range": ["theme:blue", "theme:orange", "theme:grey", "theme:green", "theme:ink"]
      },
      "legend": null
    },
    "tooltip": [
      {"field": "arm", "type": "nominal"},
      {"field": "value", "type": "quantitative", "format": ".2f"},
      {"field": "low", "type": "quantitative", "format": ".2f"},
      {"field": "high", "type": "quantitative", "format": ".2f"},
      {"field": "n", "type": "quantitative"}
    ]
  },
  "layer": [
    {
      "transform": [{"filter": "isValid(datum.low)"
}],
      "mark": {"type": "rule", "strokeWidth": 1.5},
      "encoding": {
  "x" : {"field" : "low", "type" : "quantitative", "title" : null}, "x2" : {
    "field" : "high"
  }
}
},
    {
      "mark": {"type": "point", "filled": true, "size": 60, "opacity": 1},
      "encoding": {
        "x": {"field": "value", "type": "quantitative", "title": null, "scale": {"zero": false}},
        "shape": {
          "field": "kind", "type": "nominal", "legend": null,
          "scale": {
            "domain": ["learned i", "grid-best", "given i", "baseline", "oracle"],
            "range": ["circle", "square", "circle", "triangle-up", "diamond"]
          }
        }
      }
    }
  ]
})json";

/// A chart of arms down and `rows` of {arm, kind, value, low, high, n} across.
json::object arms_spec(json::array rows, const std::string& title, const std::string& description) {
  const size_t n_arms = rows.size();
  json::object spec = specification(kArms, std::move(rows), description);
  set(spec, "/height", 18 * n_arms);
  set(spec, "/layer/0/encoding/x/title", title);
  set(spec, "/layer/1/encoding/x/title", title);
  // A layer without data would have no scale.
  const json::array& data = spec.at("data").at("values").as_array();
  const bool has_interval =
      std::any_of(data.begin(), data.end(), [](const auto& row) { return !row.at("low").is_null(); });
  if (!has_interval) spec.at("layer").as_array().erase(spec.at("layer").as_array().begin());
  return spec;
}

}  // namespace

std::vector<Chart> arms_charts(const SummaryView& view) {
  std::vector<Chart> charts;
  for (const std::string& task : view.tasks()) {
    const std::string metric = view.main_metric_of(task);
    json::array rows;
    for (const ArmName& arm : view.arms()) {
      const SummaryCell* cell = view.find(arm, task, metric);
      if (cell == nullptr) continue;
      rows.push_back(json::object{{"arm", view.label(arm)},
                                  {"kind", kind_of(arm.arm)},
                                  {"value", number(100.0 * cell->mean)},
                                  {"low", number(100.0 * (cell->mean - cell->ci95))},
                                  {"high", number(100.0 * (cell->mean + cell->ci95))},
                                  {"n", cell->n}});
    }
    if (rows.empty()) continue;
    charts.push_back({slug("chart-arms-" + task),
                      task,
                      "",
                      {arms_spec(std::move(rows), metric + " %",
                                 fmt::format("Test {} of each arm on {}, with 95 % intervals", metric, task))}});
  }
  return charts;
}

std::vector<Chart> ranks_charts(const io::Table& arm_summary, const SummaryView& view) {
  if (arm_summary.rows() == 0) return {};
  std::map<ArmName, size_t> row_of;
  for (size_t k = 0; k < static_cast<size_t>(arm_summary.rows()); ++k) {
    row_of[{arm_summary.texts("encoder")[k], arm_summary.texts("arm")[k]}] = k;
  }
  std::vector<Chart> charts;
  const auto add = [&](const char* column, const char* count, const char* title, const char* caption) {
    json::array rows;
    for (const ArmName& arm : view.arms()) {
      const auto found = row_of.find(arm);
      const double value = found == row_of.end() ? std::nan("") : arm_summary.doubles(column)[found->second];
      if (std::isnan(value)) continue;
      rows.push_back(json::object{{"arm", view.label(arm)},
                                  {"kind", kind_of(arm.arm)},
                                  {"value", number(value)},
                                  {"low", 0},
                                  {"high", number(value)},
                                  {"n", arm_summary.integers(count)[found->second]}});
    }
    if (rows.empty()) return;
    json::object spec = arms_spec(std::move(rows), title, fmt::format("{} of each arm; {}", title, caption));
    set(spec, "/layer/1/encoding/x/scale/zero", true);  // its intervals reach from 0 to the value
    charts.push_back({slug(std::string("chart-") + column), title, caption, {std::move(spec)}});
  };
  add("average_rank", "rank_n", "average rank", "1 is best");
  add("regret", "regret_n", "regret, test points", "0 is the oracle");
  return charts;
}

}  // namespace invaria::report

#include "report/page.hpp"

#include <set>

#include "config/setting.hpp"
#include "report/charts.hpp"
#include "report/merge.hpp"
#include "report/sections.hpp"
#include "report/summary_view.hpp"
#include "tests/report/small_run.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::report;

namespace {

io::Results small_results() {
  return merge(small_info(), small_axes(), small_segment(), small_expectation());
}

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

/// The rows of a chart's data.
std::vector<config::json::object> rows_of(const Chart& chart) {
  std::vector<config::json::object> rows;
  for (const auto& row : chart.specs.front().at("data").at("values").as_array()) rows.push_back(row.as_object());
  return rows;
}

/// Those that are of a kind.
std::vector<config::json::object> rows_of(const Chart& chart, const std::string& what) {
  std::vector<config::json::object> rows;
  for (const auto& row : chart.specs.front().at("data").at("values").as_array()) {
    if (row.at("what").as_string() == what) rows.push_back(row.as_object());
  }
  return rows;
}

}  // namespace

TEST_CASE("a page says first whether the run is valid, and asks for nothing from elsewhere", "[report][page]") {
  const std::string text = page({small_results()});
  CHECK(text.find("<b>VALID</b>") < text.find("<table>"));
  CHECK(text.find("default-src 'none'") != std::string::npos);
  CHECK(text.find("src=\"http") == std::string::npos);
  CHECK(text.find("<link rel=\"stylesheet\"") == std::string::npos);
  CHECK(text.find("//# sourceMappingURL") == std::string::npos);
  CHECK(text.find("University of Washington Interactive Data Lab") != std::string::npos);
  CHECK(text.find("Redistributions in binary form must reproduce") != std::string::npos);
}

TEST_CASE("of several runs a page says first which are valid", "[report][page]") {
  io::Segment segment = small_segment();
  segment.jobs.front().status = "failed";
  const io::Results broken = merge(small_info(), small_axes(), segment, small_expectation());
  REQUIRE_FALSE(broken.info.valid);
  const std::string text = page({small_results(), broken});
  const size_t invalid = text.find("<b>INVALID</b> <a href=\"#run2-top\">");
  CHECK(invalid < text.find("<header"));
  CHECK(text.find("<header id=\"run2-top\">") != std::string::npos);
  CHECK(page({broken}).find("class=\"verdicts\"") == std::string::npos);
}

TEST_CASE("a page has every table of the text report, and ids that occur once", "[report][page]") {
  const io::Results results = small_results();
  size_t n_tables = 0;
  for (const Section& section : sections_of(results)) n_tables += section.tables.size();
  for (const size_t n_parts : {size_t{1}, size_t{2}}) {
    const std::string whole = page(std::vector<io::Results>(n_parts, results));
    const std::string text = whole.substr(0, whole.find("</footer>"));  // what follows are libraries
    CHECK(count(text, "<table>") == n_parts * n_tables);
    std::multiset<std::string> ids;
    for (size_t at = text.find(" id=\""); at != std::string::npos; at = text.find(" id=\"", at + 1)) {
      ids.insert(text.substr(at + 5, text.find('"', at + 5) - at - 5));
    }
    CHECK(ids.size() > 20);
    for (const std::string& id : ids) {
      CAPTURE(id);
      CHECK(ids.count(id) == 1);
    }
  }
}

TEST_CASE("text of a run cannot become markup, in tables or in the data of charts", "[report][page]") {
  io::Segment segment = small_segment();
  for (io::JobRecord& row : segment.jobs) row.task += "</script><b>";
  io::RunInfo info = small_info();
  info.suite = "<i>&";
  const std::string text = page({merge(info, small_axes(), segment, small_expectation())});
  CHECK(text.find("</script><b>") == std::string::npos);
  CHECK(text.find("<h1>&lt;i&gt;&amp;</h1>") != std::string::npos);
}

TEST_CASE("the square shows each learned i, their mean, and the corner that a known task is marked for",
          "[report][page]") {
  io::Results results = small_results();
  results.info.settings =
      R"({"tasks": [{"name": "known-01", "kind": "known", "known": {"marks": "01"}}, {"name": "other"}]})";
  const std::vector<Chart> charts = learned_charts(results, SummaryView(results));
  REQUIRE(charts.size() == 1);
  CHECK(rows_of(charts[0], "run").size() == 4);
  const auto means = rows_of(charts[0], "mean");
  REQUIRE(means.size() == 2);
  CHECK(means[0].at("task").as_string() == "known-01");
  CHECK(means[0].at("x").to_number<double>() == 0.125);
  CHECK(means[0].at("y").to_number<double>() == 1.0);
  const auto marked = rows_of(charts[0], "marked");
  REQUIRE(marked.size() == 1);
  CHECK(marked[0].at("x").to_number<double>() == 0.0);
  CHECK(marked[0].at("y").to_number<double>() == 1.0);
}

TEST_CASE("a grid's heat map has a cell a point and the marks of what was learned and chosen", "[report][page]") {
  const io::Results results = small_results();
  const std::vector<Chart> charts = grid_charts(results, SummaryView(results));
  REQUIRE(charts.size() == 2);
  const auto cells = rows_of(charts[0], "cell");
  REQUIRE(cells.size() == 4);
  CHECK(cells[1].at("value").to_number<double>() == Approx(93.0));  // at 0,1
  CHECK(cells[1].at("left").to_number<double>() == -0.5);
  CHECK(cells[1].at("top").to_number<double>() == 1.5);
  CHECK(rows_of(charts[0], "learned-projected").size() == 2);
  CHECK(rows_of(charts[0], "oracle").size() == 2);
  CHECK(rows_of(charts[0], "grid-best").size() == 2);
  const std::string text = page({results});
  CHECK(text.find("\u25B3 learned-episode") != std::string::npos);
  CHECK(text.find("Marks on tiles") == std::string::npos);
}

TEST_CASE("with five axes the learned i is drawn as parallel coordinates and grids as tiles", "[report][page]") {
  io::Segment segment;
  const std::vector<std::string> axes{"crop", "jitter", "grey", "blur", "flip"};
  io::JobRecord learned = job("learned-projected", "t", 0, 0.5);
  learned.invariance = {0.1, 0.2, 0.3, 0.4, 0.5};
  segment.jobs = {learned, job("grid-0,0,0,0,1", "t", 0, 0.25), job("grid-0,0,0,0,0", "t", 0, 0.5)};
  const io::Results results = merge(small_info(), axes, segment, {});
  const SummaryView view(results);
  const std::vector<Chart> charts = learned_charts(results, view);
  REQUIRE(charts.size() == 1);
  CHECK(rows_of(charts[0], "run").size() == 5);
  CHECK(rows_of(charts[0], "mean")[4].at("i").to_number<double>() == 0.5);
  REQUIRE(grid_charts(results, view).size() == 1);
  CHECK(grid_charts(results, view)[0].specs[0].at("data").at("values").as_array().size() == 2);
  CHECK(page({results}).find("\u25CF the point next to a learned i") != std::string::npos);
}

TEST_CASE("long trajectories and curves are thinned out but keep their ends", "[report][page]") {
  io::Segment segment;
  io::JobRecord learned = job("learned-projected", "t", 0, 0.5);
  for (int point = 0; point < 1000; ++point) learned.trajectory.add({0.5, point / 1000.0}, 1.0, 0.5, 40, 1.0);
  segment.jobs = {learned};
  segment.encoders = {encoder("amortised")};
  segment.encoders[0].pretraining =
      io::Table({{"step", std::vector<int64_t>{}, "", ""}, {"loss", std::vector<double>{}, "", ""}});
  for (int64_t step = 0; step < 10'000; ++step) {
    segment.encoders[0].pretraining.append({step, static_cast<double>(step % 2)});
  }
  const io::Results results = merge(small_info(), small_axes(), segment, {});
  const std::vector<Chart> paths = trajectory_charts(results, SummaryView(results));
  REQUIRE(paths.size() == 1);
  const auto& rows = paths[0].specs[0].at("data").at("values").as_array();
  CHECK(rows.size() < 2 * 130);
  CHECK(rows.back().at("point").to_number<int>() == 999);
  const std::vector<Chart> curves = pretraining_charts(results.content);
  const auto& curve = curves.at(0).specs[0].at("data").at("values").as_array();
  CHECK(curve.size() == 250);
  CHECK(curve.front().at("value").to_number<double>() == 0.5);  // a mean over forty steps, not one of them
}

TEST_CASE("measured similarities are drawn over strengths at corners, and along each axis of i", "[report][page]") {
  io::Segment segment = small_segment();
  for (double there : {0.0, 1.0}) {  // along appearance, with a second seed
    for (int64_t seed : {0, 1})
      segment.similarities.push_back({"amortised",
                                      seed,
                                      {1.0, there},
                                      "flip",
                                      "cosine",
                                      7,
                                      R"({"images": 20})",
                                      {1},
                                      {0.5 * there + 0.1 * double(seed)}});
  }
  const io::Results results = merge(small_info(), small_axes(), std::move(segment), {});
  const std::vector<Chart> charts = similarity_charts(results, "cosine");
  REQUIRE(charts.size() == 3);  // flip has one strength, and none over it
  CHECK(charts[0].id == "chart-cosine-along-spatial");
  CHECK(rows_of(charts[0]).size() == 3);  // flip at 0 and 1, rotation at 0
  CHECK(charts[1].id == "chart-cosine-along-appearance");
  const auto along = rows_of(charts[1]);  // flip at 0, .5 and 1, rotation at .5
  REQUIRE(along.size() == 4);
  CHECK(along[2].at("name") == "amortised: flip");
  CHECK(along[2].at("x").to_number<double>() == 1.0);
  CHECK(along[2].at("value").to_number<double>() == Approx(0.55));
  CHECK(charts[2].id == "chart-cosine-rotation");
  const auto over_strengths = rows_of(charts[2]);
  REQUIRE(over_strengths.size() == 2);  // at the corner (0,1) alone
  CHECK(over_strengths[0].at("x").to_number<double>() == -180.0);
  CHECK(similarity_charts(results, "mahalanobis").empty());
}

TEST_CASE("what a monitor saw is drawn for each corner", "[report][page]") {
  io::Segment segment;
  segment.encoders = {encoder("amortised")};
  segment.encoders[0].monitor = io::Table({{"step", std::vector<int64_t>{10, 10, 20, 20}, "", ""},
                                           {"corner", std::vector<std::string>{"01", "10", "01", "10"}, "", ""},
                                           {"knn_top1", std::vector<double>{0.25, 0.3, 0.5, 0.4}, "", ""}});
  const std::vector<Chart> charts = pretraining_charts(segment);
  REQUIRE(charts.back().id == "chart-monitor-knn");
  const auto rows = rows_of(charts.back());
  REQUIRE(rows.size() == 4);
  CHECK(rows[2].at("name") == "amortised at 01");
  CHECK(rows[2].at("x").to_number<double>() == 20.0);
  CHECK(rows[2].at("value").to_number<double>() == 50.0);
}

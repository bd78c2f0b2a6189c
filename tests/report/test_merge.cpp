#include <algorithm>
#include <cmath>

#include "report/derived_arms.hpp"
#include "report/merge.hpp"
#include "report/verify.hpp"
#include "tests/report/small_run.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::report;

namespace {

io::Results merged(io::Segment segment) {
  return merge(small_info(), small_axes(), std::move(segment), small_expectation());
}

/// The rows of one arm, in the order of the results.
std::vector<io::JobRecord> rows_of(const io::Results& results, const std::string& arm) {
  std::vector<io::JobRecord> rows;
  for (const io::JobRecord& row : results.content.jobs) {
    if (row.arm == arm) rows.push_back(row);
  }
  return rows;
}

io::JobRecord with_status(io::JobRecord row, const std::string& status, const std::string& host) {
  row.status = status;
  row.host = host;
  if (status != "finished") row.value = row.validation_value = kNoNumber;
  return row;
}

}  // namespace

TEST_CASE("of several attempts at a job the last finished one counts", "[report][merge]") {
  const io::JobRecord attempt = job("centre", "known-01", 0, 0.5);
  io::Segment segment;
  segment.jobs = {with_status(attempt, "failed", "a"), with_status(attempt, "finished", "b"),
                  with_status(attempt, "finished", "c"), with_status(attempt, "blocked", "d")};
  const io::Results results = merge({}, small_axes(), segment, {});
  REQUIRE(results.content.jobs.size() == 1);
  CHECK(results.content.jobs[0].host == "c");
  CHECK(results.info.valid);
}

TEST_CASE("a job that never finished keeps its last attempt", "[report][merge]") {
  const io::JobRecord attempt = job("centre", "known-01", 0, 0.5);
  io::Segment segment;
  segment.jobs = {with_status(attempt, "blocked", "a"), with_status(attempt, "failed", "b")};
  const io::Results results = merge({}, small_axes(), segment, {});
  REQUIRE(results.content.jobs.size() == 1);
  CHECK(results.content.jobs[0].host == "b");
  CHECK_FALSE(results.info.valid);
}

TEST_CASE("a failed attempt does not outlive its job's other metrics", "[report][merge]") {
  io::Segment segment;
  segment.jobs = {job("centre", "known-01", 0, 0.5), job("centre", "known-01", 0, 0.4),
                  with_status(job("centre", "known-01", 0, 0.5), "failed", "a")};
  segment.jobs[1].metric = "mean_per_class";
  segment.jobs[2].metric = "";
  const io::Results results = merge({}, small_axes(), segment, {});
  REQUIRE(results.content.jobs.size() == 2);
  CHECK(results.content.jobs[0].metric == "mean_per_class");
  CHECK(results.content.jobs[1].metric == "top1");
}

TEST_CASE("the order in which ranks recorded a run changes nothing", "[report][merge][property]") {
  const io::Results straight = merged(small_segment());
  io::Segment shuffled = small_segment();
  std::reverse(shuffled.jobs.begin(), shuffled.jobs.end());
  std::rotate(shuffled.jobs.begin(), shuffled.jobs.begin() + 7, shuffled.jobs.end());
  std::reverse(shuffled.encoders.begin(), shuffled.encoders.end());
  std::reverse(shuffled.sensitivity.begin(), shuffled.sensitivity.end());
  std::reverse(shuffled.similarities.begin(), shuffled.similarities.end());
  std::reverse(shuffled.tasks.begin(), shuffled.tasks.end());
  const io::Results other = merged(shuffled);

  REQUIRE(straight.info.invalid_because == "");
  REQUIRE(straight.content.jobs.size() == other.content.jobs.size());
  for (size_t k = 0; k < straight.content.jobs.size(); ++k) {
    CHECK(straight.content.jobs[k].job_id == other.content.jobs[k].job_id);
    CHECK(straight.content.jobs[k].metric == other.content.jobs[k].metric);
  }
  CHECK(straight.summary == other.summary);
  CHECK(straight.arm_summary == other.arm_summary);
  CHECK(straight.content.sensitivity == other.content.sensitivity);
  CHECK(straight.content.similarities == other.content.similarities);
  CHECK(straight.content.tasks == other.content.tasks);
  CHECK(straight.content.encoders[0].name == other.content.encoders[0].name);

  const auto key = [](const io::JobRecord& row) {
    return std::tie(row.encoder, row.encoder_seed, row.task, row.repeat, row.arm, row.metric);
  };
  CHECK(std::is_sorted(straight.content.jobs.begin(), straight.content.jobs.end(),
                       [&](const auto& a, const auto& b) { return key(a) < key(b); }));
}

TEST_CASE("merging what is merged changes nothing", "[report][merge][property]") {
  const io::Results once = merged(small_segment());
  const io::Results twice = merged(once.content);
  CHECK(once.content.jobs.size() == twice.content.jobs.size());
  CHECK(once.summary == twice.summary);
  CHECK(once.arm_summary == twice.arm_summary);
  CHECK(once.content.stage_times == twice.content.stage_times);
  CHECK(merge({}, small_axes(), once.content, {}).content.jobs.size() == once.content.jobs.size());
}

TEST_CASE("what the suite no longer has is left out", "[report][merge]") {
  io::Segment segment = small_segment();
  segment.jobs.push_back(job("centre", "known-01", 0, 0.5));
  segment.encoders.push_back(encoder("fixed-spatial"));
  segment.encoders.back().status = "failed";
  segment.sensitivity.push_back({"fixed-spatial", 0, "01", "flip", 0.5});
  io::SimilarityRecord foreign = segment.similarities.back();
  foreign.encoder = "fixed-spatial";
  segment.similarities.push_back(foreign);
  segment.tasks.insert(segment.tasks.begin(), {"known-01", 0, "the split of an earlier suite", {}});
  segment.tasks.push_back({"known-01", 0, "the split of another suite", {}});

  const io::Results results = merged(segment);
  CHECK(results.info.invalid_because == "");
  CHECK(rows_of(results, "centre").empty());
  CHECK(results.content.encoders.size() == 3);
  CHECK(results.content.sensitivity.size() == 5);
  CHECK(results.content.similarities.size() == 4);
  CHECK(results.content.tasks.size() == 4);
  CHECK(results.summary == merged(small_segment()).summary);
}

TEST_CASE("an encoder that finished at the second attempt counts as finished", "[report][merge]") {
  io::Segment segment = small_segment();
  io::EncoderRecord failed = encoder("amortised");
  failed.status = "failed";
  segment.encoders.insert(segment.encoders.begin(), failed);
  segment.encoders.push_back(failed);
  CHECK(merged(segment).info.valid);
}

TEST_CASE("times of one stage and rank are added up", "[report][merge]") {
  const std::vector<io::StageTime> expected{
      {"extract", 0, 15.0}, {"extract", 1, 20.0}, {"pretrain", 0, 300.0}, {"pretrain", 1, 290.0}};
  CHECK(merged(small_segment()).content.stage_times == expected);
}

TEST_CASE("grid-best is chosen by validation, the oracle by the test set", "[report][derived]") {
  std::vector<io::JobRecord> grid{job("grid-0,0", "known-01", 0, 0.8), job("grid-0,1", "known-01", 0, 0.7)};
  grid[0].validation_value = 0.6;
  grid[1].validation_value = 0.9;
  grid[0].job_id = "b";
  grid[1].job_id = "a";
  grid[1].seconds = 3.0;
  grid[1].encoder_passes = 50;
  grid[1].invariance = {0.0, 1.0};

  const std::vector<io::JobRecord> derived = derived_arms(grid);
  REQUIRE(derived.size() == 2);
  CHECK(derived[0].arm == "grid-best");
  CHECK(derived[0].value == 0.7);
  CHECK(derived[0].validation_value == 0.9);
  CHECK(derived[0].invariance == std::vector<double>{0.0, 1.0});
  CHECK(derived[0].seconds == 5.0);
  CHECK(derived[0].encoder_passes == 250);
  CHECK(derived[0].job_id == sha256_hex(R"({"derived":"grid-best","from":["a","b"]})"));
  CHECK(derived[1].arm == "oracle");
  CHECK(derived[1].value == 0.8);
  CHECK(derived[1].job_id == sha256_hex(R"({"derived":"oracle","from":["a","b"]})"));
}

TEST_CASE("ties on the grid go to the first point in grid order, read as numbers", "[report][derived]") {
  // As text, "grid-0.5,0" comes before "grid-1e-05,0".
  std::vector<io::JobRecord> grid{job("grid-0.5,0", "t", 0, 0.8), job("grid-1e-05,1", "t", 0, 0.8),
                                  job("grid-1e-05,0", "t", 0, 0.8)};
  for (size_t k = 0; k < grid.size(); ++k) grid[k].invariance = *grid_point(grid[k].arm);
  for (const io::JobRecord& row : derived_arms(grid)) CHECK(row.invariance == std::vector<double>{1e-05, 0.0});
}

TEST_CASE("derived arms leave out what is not a finished number", "[report][derived]") {
  std::vector<io::JobRecord> grid{job("grid-0,0", "t", 0, 0.8), job("grid-0,1", "t", 0, 0.9),
                                  job("grid-1,1", "t", 0, 0.7)};
  grid[0].validation_value = kNoNumber;
  grid[1].status = "failed";  // its value, the greatest, does not count
  std::vector<io::JobRecord> derived = derived_arms(grid);
  REQUIRE(derived.size() == 2);
  CHECK(derived[0].value == 0.7);
  CHECK(derived[1].value == 0.8);

  grid[2].validation_value = kNoNumber;
  derived = derived_arms(grid);
  REQUIRE(derived.size() == 1);
  CHECK(derived[0].arm == "oracle");
  CHECK(derived_arms({job("centre", "t", 0, 0.8), job("grid-best", "t", 0, 0.8), job("grid-x", "t", 0, 0.8)}).empty());
}

TEST_CASE("derived arms are made per encoder, seed, task, repeat and metric", "[report][derived]") {
  std::vector<io::JobRecord> grid(6, job("grid-0,0", "t", 0, 0.8));
  grid[1].encoder = "film";
  grid[2].encoder_seed = 1;
  grid[3].task = "u";
  grid[4].repeat = 1;
  grid[5].metric = "mean_per_class";
  CHECK(derived_arms(grid).size() == 12);
}

TEST_CASE("of an error the least is the grid's best and the oracle", "[report][derived]") {
  std::vector<io::JobRecord> grid{job("grid-0,0", "t", 0, 0.3), job("grid-0,1", "t", 0, 0.1),
                                  job("grid-1,0", "t", 0, 0.2)};
  for (io::JobRecord& row : grid) row.metric = "nme";
  grid[0].validation_value = 0.05;
  const std::vector<io::JobRecord> derived = derived_arms(grid);
  REQUIRE(derived.size() == 2);
  CHECK(derived[0].arm == "grid-best");
  CHECK(derived[0].value == 0.3);
  CHECK(derived[1].arm == "oracle");
  CHECK(derived[1].value == 0.1);
}

TEST_CASE("a grid point is read from its arm's name and from no other", "[report][arms]") {
  CHECK(grid_point("grid-0,0.5") == config::Invariance{0.0, 0.5});
  CHECK(grid_point("grid-1") == config::Invariance{1.0});
  for (const char* arm :
       {"grid-best", "grid-", "grid-0,", "grid-0,,1", "grid-0;1", "grid-2,0", "grid-nan", "corner-01", "oracle"}) {
    CAPTURE(arm);
    CHECK_FALSE(grid_point(arm).has_value());
  }
  CHECK(main_metric({"mean_per_class", "r2", "top1"}) == "top1");
  CHECK(main_metric({"mean_per_class", "r2"}) == "r2");
  CHECK(main_metric({"nme", "r2", "box_iou"}) == "box_iou");
  CHECK(goodness("nme", 0.25) == -0.25);
  CHECK(goodness("top1", 0.25) == 0.25);
  CHECK(main_metric({"r2_flat", "mean_per_class"}) == "mean_per_class");
  CHECK(main_metric({"loss", "error"}) == "error");
  CHECK(main_metric({}) == "");
}

TEST_CASE("of measured similarities those of the last settings are kept, each once, the last", "[report][merge]") {
  io::Segment segment = small_segment();
  io::SimilarityRecord again = segment.similarities.front();
  again.values.front() = 0.125;
  segment.similarities.push_back(again);
  CHECK(merged(segment).content.similarities.size() == 4);
  const auto has_new = [](const io::Results& results) {
    return std::any_of(results.content.similarities.begin(), results.content.similarities.end(),
                       [](const io::SimilarityRecord& row) { return row.values.front() == 0.125; });
  };
  CHECK(has_new(merged(segment)));
  again.settings = R"({"images": 30})";
  segment.similarities.push_back(again);
  CHECK(merged(segment).content.similarities.size() == 1);
  CHECK(has_new(merged(segment)));
}

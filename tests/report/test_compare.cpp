#include "report/compare.hpp"

#include "core/errors.hpp"
#include "report/merge.hpp"
#include "report/report.hpp"
#include "tests/report/small_run.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/error_of.hpp"

using namespace invaria;
using namespace invaria::report;

namespace {

NamedResults named(const std::string& file, const io::Segment& segment) {
  return {file, merge(small_info(), small_axes(), segment, {})};
}

/// The small run, its values of one arm on one task moved by so much in each of two repeats.
NamedResults changed(const std::string& arm, const std::string& task, double first, double second) {
  io::Segment segment = small_segment();
  for (io::JobRecord& row : segment.jobs) {
    if (row.arm == arm && row.task == task) row.value += row.repeat == 0 ? first : second;
  }
  return named("after.h5", segment);
}

const Change* find(const Comparison& comparison, const std::string& arm, const std::string& task) {
  for (const Change& change : comparison.changes) {
    if (change.arm == arm && change.task == task) return &change;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("runs are paired by job, and only what changed has a difference", "[report][compare]") {
  const NamedResults a = named("before.h5", small_segment());
  const Comparison comparison = compare(a, changed("fixed-default", "known-10", -0.02, -0.04));
  const Change* change = find(comparison, "fixed-default", "known-10");
  REQUIRE(change != nullptr);
  CHECK(change->n == 2);
  CHECK(change->before == Approx(34.0));
  CHECK(change->after == Approx(31.0));
  CHECK(change->difference == Approx(-3.0));
  CHECK(change->half_width == Approx(12.7062047 * 1.0));  // t(0.975, 1) s / sqrt(2), s = sqrt(2)
  CHECK(change->p == 0.5);
  CHECK(change->p_holm == 1.0);  // of two tasks
  CHECK(find(comparison, "fixed-default", "known-01")->difference == 0.0);
  CHECK(find(comparison, "oracle", "known-01") == nullptr);
  CHECK(find(comparison, "grid-0,0", "known-01") == nullptr);
  CHECK(comparison.n_jobs == comparison.n_same_settings);
  CHECK(comparison.changes.front().arm == "learned-projected");

  CHECK(regressions(comparison, 1.0).size() == 1);
  CHECK(regressions(comparison, 3.5).empty());
  const std::string text = text_of(comparison_section(comparison, a, a), Style::kPlain);
  CAPTURE(text);
  CHECK(text.find("34.0  31.0  -3.0 ± 12.7  0.5000   1.0000") != std::string::npos);
}

TEST_CASE("that tasks of one name are not the same is said beside their difference", "[report][compare]") {
  NamedResults a = named("before.h5", small_segment()), b = changed("fixed-default", "known-10", 0.01, 0.01);
  a.results.info.settings = R"({"tasks": [{"name": "known-10", "few_shot": {"shots": 1}}]})";
  b.results.info.settings = R"({"tasks": [{"name": "known-10", "few_shot": {"shots": 5}}]})";
  CHECK_THAT(text_of(comparison_section(compare(a, b), a, b), Style::kPlain),
             Catch::Contains("not the same task: task known-10.few_shot.shots: 1 in before.h5, 5 in after.h5"));
}

TEST_CASE("of several encoder seeds each counts once, by the mean of its repeats", "[report][compare]") {
  const auto with_seeds = [](double change) {
    io::Segment segment;
    for (const int64_t seed : {0, 1}) {
      for (const int64_t repeat : {0, 1}) {
        io::JobRecord row = job("centre", "known-01", repeat, 0.5 + (seed == 1 ? change : 0.0) * double(repeat + 1));
        row.encoder_seed = seed;
        row.job_id += std::to_string(seed);
        segment.jobs.push_back(row);
      }
    }
    return named(change == 0.0 ? "before.h5" : "after.h5", segment);
  };
  const Comparison comparison = compare(with_seeds(0.0), with_seeds(0.04));
  REQUIRE(comparison.changes.size() == 1);
  CHECK(comparison.changes[0].n == 2);
  CHECK(comparison.n_jobs == 4);
  CHECK(comparison.changes[0].difference == Approx(3.0));  // seed 0 gains nothing, seed 1 (4 + 8) / 2 points
}

TEST_CASE("what finished before and fails now is named, what is gone is counted", "[report][compare]") {
  const NamedResults a = named("before.h5", small_segment());
  CHECK(compare(a, a).broken.empty());
  io::Segment segment = small_segment();
  std::erase_if(segment.jobs, [](const io::JobRecord& row) { return row.arm == "fixed-default" && row.repeat == 1; });
  for (io::JobRecord& row : segment.jobs) {
    if (row.arm != "learned-projected" || row.task != "known-01") continue;
    if (row.repeat == 1) {
      row.status = "failed";
      row.error = "no memory";
    }
    row.value = NAN;
  }
  const Comparison comparison = compare(a, named("after.h5", segment));
  REQUIRE(comparison.broken.size() == 1);
  CHECK(comparison.broken[0].arm == "learned-projected");
  CHECK(comparison.broken[0].task == "known-01");
  CHECK(comparison.broken[0].n == 2);
  CHECK(comparison.n_only_in_a == 2);  // fixed-default on two tasks
  CHECK(find(comparison, "learned-projected", "known-01") == nullptr);
  CHECK(find(comparison, "learned-projected", "known-10") != nullptr);
}

TEST_CASE("where everything fails now, that is what is said", "[report][compare]") {
  const NamedResults a = named("before.h5", small_segment());
  io::Segment segment = small_segment();
  for (io::JobRecord& row : segment.jobs) row.status = "failed";
  const Comparison comparison = compare(a, named("after.h5", segment));
  CHECK(comparison.changes.empty());
  CHECK(comparison.broken.size() > 4);
}

TEST_CASE("an error that grew is a loss", "[report][compare]") {
  io::Segment before, after;
  before.jobs = {job("centre", "t", 0, 0.2)};
  before.jobs[0].metric = "nme";
  after = before;
  after.jobs[0].value = 0.25;
  const Comparison comparison = compare(named("a", before), named("b", after));
  CHECK(comparison.changes.at(0).difference == Approx(-5.0));
  CHECK(comparison.changes.at(0).after == Approx(25.0));
  CHECK(std::isnan(comparison.changes.at(0).p_holm));
}

TEST_CASE("other pictures, another protocol and nothing in common are refused by name", "[report][compare]") {
  const NamedResults a = named("before.h5", small_segment());
  const auto refused = [&](const auto& alter) {
    io::Segment segment = small_segment();
    for (io::JobRecord& row : segment.jobs) alter(row);
    segment.tasks.clear();
    return error_of([&] { compare(a, named("after.h5", segment)); });
  };
  const std::string split = refused([](io::JobRecord& row) {
    if (row.task == "known-01" && row.repeat == 1) row.split_hash = "other pictures";
  });
  CHECK(split.find("split of known-01, repeat 1: ") != std::string::npos);
  CHECK(split.find("other pictur in after.h5") != std::string::npos);
  CHECK(refused([](io::JobRecord& row) {
          row.protocol = "paper";
        }).find("protocol of known-01: default in before.h5, paper in after.h5") != std::string::npos);
  CHECK(refused([](io::JobRecord& row) { row.task = "other-" + row.task; }).find("no job in common") !=
        std::string::npos);
}

#include <functional>
#include <limits>

#include "report/merge.hpp"
#include "report/verify.hpp"
#include "tests/report/small_run.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::report;

namespace {

struct Damage {
  const char* reason;  ///< what invalid_because must contain
  std::function<void(io::Segment&, MergeExpectation&)> inflict;
};

io::JobRecord& row(io::Segment& segment, const std::string& arm, const std::string& task, int64_t repeat) {
  for (io::JobRecord& job : segment.jobs) {
    if (job.arm == arm && job.task == task && job.repeat == repeat && job.metric == "top1") return job;
  }
  FAIL("no row " << arm << ", " << task << ", " << repeat);
  return segment.jobs.front();
}

const std::vector<Damage>& damages() {
  static const std::vector<Damage> kDamages{
      {"job failed: corner-01 on known-01, repeat 0 (amortised, encoder seed 0): out of memory",
       [](auto& s, auto&) {
         row(s, "corner-01", "known-01", 0).status = "failed";
         row(s, "corner-01", "known-01", 0).error = "out of memory\nat: somewhere";
       }},
      {"job blocked: random on known-10, repeat 1",
       [](auto& s, auto&) { row(s, "random", "known-10", 1).status = "blocked"; }},
      {"encoder failed: amortised, encoder seed 0: loss is nan at step 3",
       [](auto& s, auto&) {
         s.encoders[1].status = "failed";
         s.encoders[1].error = "loss is nan at step 3";
       }},
      {"encoder hash changed: random on known-10, repeat 1 (random, encoder seed 0)",
       [](auto& s, auto&) { row(s, "random", "known-10", 1).encoder_hash_after = "other"; }},
      {"encoder hash not recorded: random on known-10, repeat 1",
       [](auto& s, auto&) {
         row(s, "random", "known-10", 1).encoder_hash_before = "";
         row(s, "random", "known-10", 1).encoder_hash_after = "";
       }},
      {"encoder differs between jobs: random on known-01, repeat 0 (random, encoder seed 0) has",
       [](auto& s, auto&) {
         row(s, "random", "known-10", 1).encoder_hash_before = "other";
         row(s, "random", "known-10", 1).encoder_hash_after = "other";
       }},
      {"split hash differs: known-10, repeat 1: ",
       [](auto& s, auto&) {
         s.tasks.clear();
         row(s, "random", "known-10", 1).split_hash = "another split";
       }},
      {"split hash differs: known-01, repeat 1: ",
       [](auto& s, auto&) {
         for (io::TaskRecord& task : s.tasks) {
           if (task.task == "known-01" && task.repeat == 1) task.split_hash = "another split";
         }
       }},
      {"value not finite: random on known-10, repeat 1 (random, encoder seed 0): top1 is nan",
       [](auto& s, auto&) { row(s, "random", "known-10", 1).value = kNoNumber; }},
      {"validation value not finite: random on known-10, repeat 1 (random, encoder seed 0): top1 is inf",
       [](auto& s, auto&) {
         row(s, "random", "known-10", 1).validation_value = std::numeric_limits<double>::infinity();
       }},
      {"loss not finite: learned-projected on known-10, repeat 1",
       [](auto& s, auto&) { row(s, "learned-projected", "known-10", 1).trajectory.loss[0] = kNoNumber; }},
      {"loss not finite: learned-projected on known-10, repeat 1",  // an i that is no number has no loss
       [](auto& s, auto&) { row(s, "learned-projected", "known-10", 1).trajectory.invariance[1][0] = kNoNumber; }},
      {"loss not finite: pretraining of amortised, encoder seed 0: nan in row 1",
       [](auto& s, auto&) {
         s.encoders[1].pretraining = io::Table({{"loss", std::vector<double>{1.0, kNoNumber}, "", ""}});
       }},
      {"too few repeats: corner-01 on known-01 (amortised, encoder seed 0) finished 2, expected 3 (and ",
       [](auto&, auto& e) { e.repeats = 3; }},
      {"too few repeats: random on known-01 (random, encoder seed 0) finished 2, expected 4 (and 1 more)",
       [](auto&, auto& e) { e.repeats_of_arm["random"] = 4; }},
      {"sensitivity missing (log.jsonl says why): crop of amortised, encoder seed 7, at 01",
       [](auto&, auto& e) { e.sensitivity.push_back({"amortised", 7, "01", "crop", 0.0}); }},
      {"sensitivity not finite: flip of amortised, encoder seed 0, at 01",
       [](auto& s, auto&) { s.sensitivity.front().value = std::numeric_limits<double>::infinity(); }},
      {"job missing: feedfeedfeed", [](auto&, auto& e) { e.job_ids.push_back("feedfeedfeedfeed"); }},
      {"nothing finished", [](auto& s, auto& e) {
         s = {};
         e = {};
       }}};
  return kDamages;
}

}  // namespace

TEST_CASE("an undamaged run is valid", "[report][validity]") {
  const io::Results results = merge(small_info(), small_axes(), small_segment(), small_expectation());
  CHECK(results.info.valid);
  CHECK(results.info.invalid_because == "");
}

TEST_CASE("each damage makes a run invalid and is named", "[report][validity]") {
  for (const Damage& damage : damages()) {
    io::Segment segment = small_segment();
    MergeExpectation expected = small_expectation();
    damage.inflict(segment, expected);
    const io::Results results = merge(small_info(), small_axes(), segment, expected);
    CAPTURE(damage.reason, results.info.invalid_because);
    CHECK_FALSE(results.info.valid);
    CHECK(results.info.invalid_because.find(damage.reason) != std::string::npos);
    CHECK(results.info.invalid_because.find('\n') == std::string::npos);
    // A damaged run that says so is a truthful file.
    CHECK(verify_results(results, expected).empty());
  }
}

TEST_CASE("an arm with fewer repeats by its own setting is complete with these", "[report][validity]") {
  io::Segment segment = small_segment();
  MergeExpectation expected = small_expectation();
  segment.jobs.push_back(job("learned-joint", "known-01", 0, 0.6));
  expected.job_ids.push_back(segment.jobs.back().job_id);
  CHECK_FALSE(merge(small_info(), small_axes(), segment, expected).info.valid);
  expected.repeats_of_arm["learned-joint"] = 1;
  CHECK(merge(small_info(), small_axes(), segment, expected).info.valid);
}

TEST_CASE("the start of learned-joint and the end of learned-projected have no loss", "[report][validity]") {
  io::Segment segment = small_segment();
  io::JobRecord& learned = row(segment, "learned-projected", "known-10", 1);
  learned.trajectory.loss = {0.5, kNoNumber};
  CHECK(merge(small_info(), small_axes(), segment, small_expectation()).info.valid);
  learned.arm = "learned-joint";
  CHECK_FALSE(why_invalid(segment, {}).empty());
  learned.trajectory.loss = {kNoNumber, 0.5};
  CHECK(why_invalid(segment, {}).empty());
}

TEST_CASE("what validation chose after learned-projected's end has no loss either, but its points before have",
          "[report][validity]") {
  io::Segment segment = small_segment();
  io::JobRecord& learned = row(segment, "learned-projected", "known-10", 1);
  learned.trajectory = {};
  learned.trajectory.add({0.5, 0.5}, 0.5, kNoNumber, 40, 1.0);
  learned.trajectory.add({0.7, 0.4}, kNoNumber, kNoNumber, 40, 1.0);
  learned.trajectory.add({1.0, 0.0}, kNoNumber, 0.75, 80, 2.0);
  CHECK(why_invalid(segment, {}).empty());
  learned.trajectory.loss[0] = kNoNumber;
  CHECK_FALSE(why_invalid(segment, {}).empty());
}

TEST_CASE("the paper's protocol may do without validation", "[report][validity]") {
  io::Segment segment = small_segment();
  row(segment, "random", "known-10", 1).validation_value = kNoNumber;
  CHECK_FALSE(merge(small_info(), small_axes(), segment, small_expectation()).info.valid);
  row(segment, "random", "known-10", 1).protocol = "paper";
  CHECK(merge(small_info(), small_axes(), segment, small_expectation()).info.valid);
}

TEST_CASE("several reasons are all given", "[report][validity]") {
  io::Segment segment = small_segment();
  row(segment, "random", "known-10", 1).status = "blocked";
  row(segment, "random", "known-10", 0).status = "blocked";
  segment.encoders[0].status = "failed";
  segment.encoders[0].error = "no memory";
  CHECK(merge(small_info(), small_axes(), segment, small_expectation()).info.invalid_because ==
        "encoder failed: random, encoder seed 0: no memory; "
        "job blocked: random on known-10, repeat 0 (random, encoder seed 0) (and 1 more); "
        "too few repeats: random on known-10 (random, encoder seed 0) finished 0, expected 2");
}

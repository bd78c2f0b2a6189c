#include <functional>

#include "report/merge.hpp"
#include "report/verify.hpp"
#include "tests/report/small_run.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::report;

namespace {

io::Results sound() {
  return merge(small_info(), small_axes(), small_segment(), small_expectation());
}

io::JobRecord& row(io::Results& results, const std::string& arm, const std::string& task, int64_t repeat) {
  for (io::JobRecord& job : results.content.jobs) {
    if (job.arm == arm && job.task == task && job.repeat == repeat && job.metric == "top1") return job;
  }
  FAIL("no row " << arm << ", " << task << ", " << repeat);
  return results.content.jobs.front();
}

/// The table with one number changed by 1e-9: in the row where `key` holds `label`.
io::Table altered(const io::Table& table, const std::string& key, const std::string& label, const std::string& column) {
  std::vector<io::Column> columns = table.columns();
  for (io::Column& candidate : columns) {
    if (candidate.name != column) continue;
    for (size_t k = 0; k < static_cast<size_t>(table.rows()); ++k) {
      if (table.texts(key)[k] == label) std::get<std::vector<double>>(candidate.cells)[k] += 1e-9;
    }
  }
  return io::Table(columns);
}

struct Alteration {
  const char* named;  ///< what one of the differences must contain
  std::function<void(io::Results&)> alter;
};

const std::vector<Alteration>& alterations() {
  static const std::vector<Alteration> kAlterations{
      {"summary: arm learned-projected, encoder amortised, metric top1, task known-01: mean is 0.9",
       [](auto& r) { row(r, "learned-projected", "known-01", 0).value += 1e-9; }},
      {"jobs: grid-best on known-01, repeat 0, top1 (amortised, encoder seed 0): validation_value is 0.9",
       [](auto& r) { row(r, "grid-0,1", "known-01", 0).validation_value += 1e-9; }},
      {"jobs: oracle on known-10, repeat 1, top1 (amortised, encoder seed 0): value is 0.9",
       [](auto& r) { row(r, "oracle", "known-10", 1).value = 0.9; }},
      {"jobs: oracle on known-10, repeat 1, top1 (amortised, encoder seed 0): job_id is feed",
       [](auto& r) { row(r, "oracle", "known-10", 1).job_id = "feed"; }},
      {"jobs: oracle on known-10, repeat 1, top1 (amortised, encoder seed 0): seconds is 1, recomputed 8",
       [](auto& r) { row(r, "oracle", "known-10", 1).seconds = 1.0; }},
      {"jobs: grid-best on known-10, repeat 1, top1 (amortised, encoder seed 0): invariance is [0.5, 0], recomputed "
       "[1, 0]",
       [](auto& r) { row(r, "grid-best", "known-10", 1).invariance[0] = 0.5; }},
      {"jobs: oracle on known-10, repeat 1, top1 (amortised, encoder seed 0): missing",
       [](auto& r) {
         std::erase_if(r.content.jobs, [](const auto& j) { return j.arm == "oracle" && j.task == "known-10"; });
       }},
      {"jobs: oracle on known-99, repeat 0, top1 (amortised, encoder seed 0): does not follow from the grid",
       [](auto& r) { r.content.jobs.push_back(job("oracle", "known-99", 0, 0.9)); }},
      {"jobs: centre on known-01, repeat 0, top1 (amortised, encoder seed 0): the suite has no such job",
       [](auto& r) { r.content.jobs.push_back(job("centre", "known-01", 0, 0.9)); }},
      {"jobs: random on known-01, repeat 0, top1 (random, encoder seed 0): stored twice",
       [](auto& r) { r.content.jobs.push_back(row(r, "random", "known-01", 0)); }},
      {"split hash differs: known-10, repeat 1: ",
       [](auto& r) { row(r, "random", "known-10", 1).split_hash = "feed"; }},
      {"encoder hash changed: random on known-10",
       [](auto& r) { row(r, "random", "known-10", 1).encoder_hash_after = "feed"; }},
      {"job missing", [](auto& r) { row(r, "random", "known-10", 1).job_id = "feed"; }},
      {"job failed: random on known-10", [](auto& r) { row(r, "random", "known-10", 1).status = "failed"; }},
      {"validity: the file says INVALID: , recomputed VALID", [](auto& r) { r.info.valid = false; }},
      {"summary: arm random, encoder random, metric top1, task known-01: standard_deviation is ",
       [](auto& r) { r.summary = altered(r.summary, "arm", "random", "standard_deviation"); }},
      {"arm_summary: arm fixed-default, encoder fixed-default: regret is ",
       [](auto& r) { r.arm_summary = altered(r.arm_summary, "arm", "fixed-default", "regret"); }},
      {"summary: arm corner-01, encoder amortised, metric top1, task known-01: missing",
       [](auto& r) { r.summary = r.summary.where("arm", "random"); }},
      {"summary: arm invented, encoder amortised, metric top1, task known-01: does not follow from the jobs",
       [](auto& r) { r.summary.append({"amortised", "invented", "known-01", "top1", 0.5, 0.1, 0.1, int64_t{2}}); }}};
  return kAlterations;
}

}  // namespace

TEST_CASE("a file that tells the truth has no differences", "[report][verify]") {
  const io::Results results = sound();
  REQUIRE(results.info.valid);
  CHECK(verify_results(results, small_expectation()).empty());
}

TEST_CASE("each altered value, hash and row is named", "[report][verify]") {
  for (const Alteration& alteration : alterations()) {
    io::Results results = sound();
    alteration.alter(results);
    std::string differences;
    for (const std::string& line : verify_results(results, small_expectation())) differences += line + "\n";
    CAPTURE(alteration.named, differences);
    CHECK(differences.find(alteration.named) != std::string::npos);
  }
}

TEST_CASE("what cannot be recomputed is compared with the files that the results came from", "[report][verify]") {
  const auto differences_after = [](const std::function<void(io::Segment&)>& alter) {
    io::Results results = sound();
    alter(results.content);
    std::string differences;
    for (const std::string& line : compare_with_disk(results, sound())) differences += line + "\n";
    return differences;
  };
  CHECK(differences_after([](auto&) {}).empty());
  // A file fills short trajectories up.
  CHECK(differences_after([](auto& content) {
          for (io::JobRecord& job : content.jobs) {
            job.trajectory.add({kNoNumber, kNoNumber}, kNoNumber, kNoNumber, 0, kNoNumber);
          }
        }).empty());

  const auto learner = [](io::Segment& content) -> io::JobRecord& {
    for (io::JobRecord& job : content.jobs) {
      if (!job.trajectory.loss.empty()) return job;
    }
    FAIL("the small run has no trajectory");
    return content.jobs.front();
  };
  const std::vector<std::pair<const char*, std::function<void(io::Segment&)>>> alterations{
      {"trajectory, point 1: i ", [&](auto& content) { learner(content).trajectory.loss[1] += 1e-9; }},
      {"trajectory, point 0: i ", [&](auto& content) { learner(content).trajectory.invariance[0][1] += 1e-9; }},
      {"trajectory, point 0: i ", [&](auto& content) { learner(content).trajectory.validation[0] = 0.25; }},
      {"trajectory, point 1: i ", [&](auto& content) { learner(content).trajectory.encoder_passes[1] += 1; }},
      {"trajectory, point 1: i ", [&](auto& content) { learner(content).trajectory.seconds[1] += 1e-9; }},
      {"its segment has ",
       [&](auto& content) {
         io::Trajectory& trajectory = learner(content).trajectory;
         trajectory.loss.pop_back();
         trajectory.validation.pop_back();
         trajectory.invariance.pop_back();
       }},
      {"value is ", [](auto& content) { content.jobs.front().value += 1e-9; }},
      {"halves is views", [](auto& content) { content.jobs.front().halves = "views"; }},
      {"sensitivity: ", [](auto& content) { content.sensitivity.front().value += 1e-9; }},
      {": missing", [](auto& content) { content.sensitivity.pop_back(); }},
      {"invariance: amortised (encoder seed 0) at [0, 1], flip, cosine: it is not what its segment has",
       [](auto& content) { content.similarities.front().values.front() += 1e-9; }},
      {"invariance: ", [](auto& content) { content.similarities.front().strengths.front() += 1e-9; }},
      {"rotation, cosine: missing", [](auto& content) { content.similarities.pop_back(); }},
      {"blur, cosine: no segment has it", [](auto& content) { content.similarities.front().transformation = "blur"; }},
      {"encoder amortised (seed 0): parameters is 1, ", [](auto& content) { content.encoders[0].parameters = 1; }},
      {"encoder amortised (seed 0): pretraining/loss is not ",
       [](auto& content) {
         std::vector<io::Column> columns = content.encoders[0].pretraining.columns();
         std::get<std::vector<double>>(columns[1].cells)[2] += 1e-9;
         content.encoders[0].pretraining = io::Table(columns);
       }},
      {"data set ", [](auto& content) { content.data.front().files_left_out.push_back("train/a.jpg"); }}};
  for (const auto& [named, alter] : alterations) {
    const std::string differences = differences_after(alter);
    CAPTURE(named, differences);
    CHECK(differences.find(named) != std::string::npos);
  }
}

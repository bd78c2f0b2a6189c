#include "suite/run.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "core/errors.hpp"
#include "io/segments.hpp"
#include "tests/suite/small_suite.hpp"
#include "tests/support/error_of.hpp"
#include "tests/train/small_pretraining.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::suite;
using namespace invaria::suite::testing;
using train::testing::SharedScratch;

namespace {

RunEnd run_small(const Suite& suite, const comm::Communicator& comm, const std::filesystem::path& output) {
  std::error_code ignored;
  std::filesystem::create_directories(output, ignored);
  EventLog log((output / "log.jsonl").string(), comm.rank());
  return run(suite, small_manifests(), small_plan(suite),
             {comm, c10::Device(c10::kCPU), output, {}, &log, [] { return false; }});
}

/// Run on all ranks and give what is on disk afterwards. Collective.
RunEnd run_together(const Suite& suite, const comm::Communicator& comm, const std::filesystem::path& output) {
  const RunEnd end = run_small(suite, comm, output);
  comm.barrier();
  return end;
}

std::vector<config::json::object> events(const std::filesystem::path& output, const std::string& wanted) {
  std::vector<config::json::object> found;
  std::ifstream file(output / "log.jsonl");
  for (std::string line; std::getline(file, line);) {
    const auto event = config::parse_text(line, "log").as_object();
    if (event.at("event").as_string() == wanted.c_str()) found.push_back(event);
  }
  return found;
}

std::multiset<std::string> begun(const std::filesystem::path& output) {
  std::multiset<std::string> names;
  for (const auto& event : events(output, "unit_begin")) names.emplace(event.at("unit").as_string());
  return names;
}

/// The last row of each job.
std::map<std::string, io::JobRecord> rows_of(const std::filesystem::path& output) {
  std::map<std::string, io::JobRecord> rows;
  for (const io::JobRecord& job : io::read_segments(output / "segments").jobs) rows[job.job_id] = job;
  return rows;
}

}  // namespace

TEST_CASE("a suite has the same results on any number of ranks, and each unit runs once", "[suite][mpi]") {
  const auto comm = comm::Communicator::world();
  const SharedScratch scratch(comm);
  const Suite suite = small_suite();
  const Plan plan = small_plan(suite);
  CHECK(run_together(suite, comm, scratch / "shared") == RunEnd::kFinished);
  if (comm.is_root()) CHECK(run_small(suite, comm::Communicator::alone(), scratch / "single") == RunEnd::kFinished);
  comm.barrier();

  std::multiset<std::string> planned;
  for (const Unit& unit : plan.units) planned.insert(unit.name);
  CHECK(std::set(planned.begin(), planned.end()).size() == planned.size());
  CHECK(begun(scratch / "shared") == planned);

  const auto shared = rows_of(scratch / "shared");
  const auto single = rows_of(comm.is_root() || comm.size() > 1 ? scratch / "single" : scratch / "shared");
  std::set<std::string> ids;
  for (const auto& [id, row] : shared) ids.insert(id);
  CHECK(ids == plan.job_ids());
  CHECK(io::read_segments(scratch / "shared" / "segments").jobs.size() == ids.size());
  for (const auto& [id, row] : shared) {
    INFO(row.encoder << " " << row.arm << " " << row.task << " " << row.repeat << " " << row.metric);
    CHECK(row.status == "finished");
    CHECK(row.encoder_hash_before == row.encoder_hash_after);
    const io::JobRecord& other = single.at(id);
    CHECK(row.split_hash == other.split_hash);
    if (row.encoder == "random") {  // its weights know nothing of ranks
      CHECK(row.value == other.value);
      CHECK(row.encoder_hash_after == other.encoder_hash_after);
    } else {
      CHECK(row.value == Approx(other.value).margin(0.2));  // of 40 test pictures: rounding moves a few
      for (size_t axis = 0; axis < row.invariance.size(); ++axis) {
        CHECK((std::isnan(row.invariance[axis]) == std::isnan(other.invariance[axis])));
        if (!std::isnan(row.invariance[axis]))
          CHECK(row.invariance[axis] == Approx(other.invariance[axis]).margin(0.1));
      }
    }
  }
  CHECK(io::read_segments(scratch / "shared" / "segments").sensitivity.size() == (4 + 1 + 1) * 4);
}

TEST_CASE("a second run repeats nothing, and does what was added", "[suite][mpi][resume]") {
  const auto comm = comm::Communicator::world();
  const SharedScratch scratch(comm);
  const std::vector<std::string> brief{"arms=[\"corners\"]", "repeats=1"};
  CHECK(run_together(small_suite(brief), comm, scratch.path()) == RunEnd::kFinished);
  const auto first = rows_of(scratch.path());
  const size_t n_units = begun(scratch.path()).size();
  CHECK(run_together(small_suite(brief), comm, scratch.path()) == RunEnd::kFinished);
  CHECK(begun(scratch.path()).size() == n_units);
  CHECK(rows_of(scratch.path()).size() == first.size());

  CHECK(run_together(small_suite({"arms=[\"corners\", \"centre\"]", "repeats=1"}), comm, scratch.path()) ==
        RunEnd::kFinished);
  CHECK(begun(scratch.path()).size() == n_units + 2);  // the centre on two tasks
  CHECK(rows_of(scratch.path()).size() == first.size() + 2);
}

TEST_CASE("encoders and a sensitivity table of other settings are refused, naming the paths", "[suite][mpi][resume]") {
  const auto comm = comm::Communicator::world();
  const SharedScratch scratch(comm);
  const auto suite_with = [](std::vector<std::string> more) {
    more.insert(more.end(), {"arms=[\"centre\"]", "repeats=1", "tasks=[]"});
    return small_suite(more);
  };
  CHECK(run_together(suite_with({}), comm, scratch.path()) == RunEnd::kFinished);
  const size_t n_units = begun(scratch.path()).size();
  comm.barrier();
  const std::string encoder =
      error_of([&] { run_small(suite_with({"encoder_defaults.pretraining.steps=5"}), comm, scratch.path()); });
  INFO(encoder);
  CHECK(encoder.find("amortised-seed0") != std::string::npos);
  CHECK(encoder.find("pretraining.steps: 4 there, 5 here") != std::string::npos);
  const std::string sensitivity =
      error_of([&] { run_small(suite_with({"sensitivity.images=21"}), comm, scratch.path()); });
  INFO(sensitivity);
  CHECK(sensitivity.find("sensitivity.images: 20 there, 21 here") != std::string::npos);
  // An encoder put in front would set the strengths that the others were asked about.
  const std::string strengths = error_of([&] {
    run_small(suite_with({"encoders=[{\"name\": \"new\", \"pretraining\": {\"steps\": 0, \"model\": {\"conditioning\": "
                          "\"hypernetwork\"}, \"augment\": {\"jitter\": {\"hue\": 0.3}}}}, {\"name\": \"random\", "
                          "\"pretraining\": {\"steps\": 0}}]"}),
              comm, scratch.path());
  });
  INFO(strengths);
  CHECK(strengths.find("augment.jitter.hue: ") != std::string::npos);
  comm.barrier();
  CHECK(begun(scratch.path()).size() == n_units);
  CHECK(run_together(suite_with({"sensitivity.data="}), comm, scratch.path()) == RunEnd::kFinished);
}

TEST_CASE("a failed job is recorded, stops no other, and is tried again", "[suite][mpi]") {
  const auto comm = comm::Communicator::world();
  const SharedScratch scratch(comm);
  // One step as long as this leaves weights that are finite, and features that are not.
  const Suite suite = small_suite({"encoders[1].pretraining.schedule.learning_rate=1e20",
                                   "encoders[1].pretraining.optimizer.algorithm=sgd", "encoders[1].pretraining.steps=1",
                                   "arms=[\"learned-projected\", \"centre\"]", "repeats=1"});
  CHECK(run_together(suite, comm, scratch.path()) == RunEnd::kSomeFailed);
  size_t n_failed = 0;
  for (const auto& [id, row] : rows_of(scratch.path())) {
    const bool must_fail = row.encoder == "fixed-default";
    INFO(row.encoder << " " << row.arm << " " << row.task << ": " << row.error);
    CHECK(row.status == (must_fail ? "failed" : "finished"));
    CHECK(row.error.empty() != must_fail);
    if (must_fail) CHECK(std::isnan(row.value));
    n_failed += must_fail ? 1 : 0;
  }
  CHECK(n_failed == 2);  // one a task
  const std::multiset<std::string> first = begun(scratch.path());
  comm.barrier();
  CHECK(run_together(suite, comm, scratch.path()) == RunEnd::kSomeFailed);
  const std::multiset<std::string> both = begun(scratch.path());
  CHECK(both.size() == first.size() + 2);
  CHECK(both.count("fixed-default-seed0 features shapes-4 repeat 0") == 2);
}

TEST_CASE("an encoder whose loss is not finite blocks its jobs and no others", "[suite][mpi]") {
  const auto comm = comm::Communicator::world();
  const SharedScratch scratch(comm);
  const Suite suite =
      small_suite({"encoders[1].pretraining.schedule.learning_rate=1e38",
                   "encoders[1].pretraining.optimizer.algorithm=sgd", "arms=[\"centre\"]", "repeats=1"});
  CHECK(run_together(suite, comm, scratch.path()) == RunEnd::kSomeFailed);
  for (const auto& [id, row] : rows_of(scratch.path())) {
    INFO(row.encoder << ": " << row.error);
    const bool is_blocked = row.encoder == "fixed-default";
    CHECK(row.status == (is_blocked ? "blocked" : "finished"));
    CHECK((row.error.find("step 1") != std::string::npos) == is_blocked);
  }
  const auto encoders = io::read_segments(scratch.path() / "segments").encoders;
  CHECK((encoders.size() == 1 && encoders.front().name == "fixed-default" && encoders.front().status == "failed"));
}

TEST_CASE("no rank idles while a unit is unclaimed, however long one of them takes", "[suite][mpi]") {
  const auto comm = comm::Communicator::world();
  const SharedScratch scratch(comm);
  const Suite suite = small_suite({"tasks=[{\"name\": \"shapes-4\"}]", "downstream.joint.epochs=120"});
  CHECK(run_together(suite, comm, scratch.path()) == RunEnd::kFinished);
  constexpr double kBound_s = 0.5;  // four ranks may share two cores
  std::map<int64_t, std::vector<double>> begins, ends;
  double last_claim = 0.0;
  for (const auto& event : events(scratch.path(), "unit_begin")) {
    const double t = event.at("t").to_number<double>();
    begins[event.at("rank").to_number<int64_t>()].push_back(t);
    last_claim = std::max(last_claim, t);
  }
  double longest = 0.0, total = 0.0;
  for (const auto& event : events(scratch.path(), "unit_end")) {
    ends[event.at("rank").to_number<int64_t>()].push_back(event.at("t").to_number<double>());
    longest = std::max(longest, event.at("seconds").to_number<double>());
    total += event.at("seconds").to_number<double>();
  }
  const auto sweep = events(scratch.path(), "sweep_begin");
  CHECK(sweep.size() == 1);
  CHECK(longest > 0.3 * total);  // the slow unit is slow
  CHECK(static_cast<int>(begins.size()) == comm.size());
  for (const auto& [rank, times] : begins) {
    INFO("rank " << rank);
    double free_since = sweep.front().at("t").to_number<double>();
    for (size_t unit = 0; unit < times.size(); ++unit) {
      CHECK(times[unit] - free_since < kBound_s);
      free_since = ends[rank][unit];
    }
    CHECK(last_claim - free_since < kBound_s);  // free for good only when nothing was left to claim
  }
  // Longest first: the slow unit is its rank's first.
  std::map<int64_t, double> first_cost;
  for (const auto& event : events(scratch.path(), "unit_begin"))
    first_cost.emplace(event.at("rank").to_number<int64_t>(), event.at("cost").to_number<double>());
  CHECK(std::any_of(first_cost.begin(), first_cost.end(),
                    [&](const auto& first) { return first.second == small_plan(suite).units.front().cost; }));
}

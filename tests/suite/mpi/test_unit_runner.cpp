// What units share on a rank, and what they must not.
#include <ATen/ATen.h>

#include <filesystem>
#include <map>
#include <set>

#include "suite/unit_runner.hpp"
#include "tests/suite/small_suite.hpp"
#include "tests/train/small_pretraining.hpp"
#include "train/checkpoint.hpp"
#include "train/pretrain.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::suite;
using namespace invaria::suite::testing;
using train::testing::SharedScratch;

namespace {

/// Finished encoders of a small suite on disk, to be run by each rank alone. Collective.
struct Ready {
  Ready(const Suite& of, const comm::Communicator& comm, const std::filesystem::path& folder)
      : suite(of),
        plan(small_plan(suite)),
        datasets(load_datasets(suite, small_manifests(), {}, comm)),
        output(folder) {
    for (const train::EncoderPlan& encoder : plan.encoders) {
      const auto outcome = train::pretrain(encoder, datasets.at(encoder.settings.data).split(encoder.settings.split),
                                           {comm, c10::Device(c10::kCPU), output, 1e9, nullptr, {}});
      CHECK(outcome.end == train::PretrainEnd::kFinished);
    }
    comm.barrier();
  }

  UnitRunner runner(int64_t most_encoder_bytes = int64_t{1} << 30) const {
    return {suite, plan, datasets, output, c10::Device(c10::kCPU), {0, "here"}, {}, most_encoder_bytes};
  }

  /// The first unit of this kind of the encoder with this name.
  const Unit& unit(const std::string& encoder, UnitKind kind = UnitKind::kFixed) const {
    for (const Unit& candidate : plan.units) {
      if (candidate.kind == kind && plan.encoders[candidate.encoder].name == encoder) return candidate;
    }
    throw PreconditionError("no such unit");
  }

  Suite suite;
  Plan plan;
  Datasets datasets;
  std::filesystem::path output;
};

std::set<std::string> statuses(const io::Segment& rows) {
  std::set<std::string> found;
  for (const io::JobRecord& job : rows.jobs) found.insert(job.status);
  return found;
}

}  // namespace

TEST_CASE("a rank reads small encoders once and holds one large encoder at a time", "[suite][mpi]") {
  const auto comm = comm::Communicator::world();
  const SharedScratch scratch(comm);
  const Ready ready(small_suite({"repeats=1", "arms=[\"centre\"]"}), comm, scratch.path());
  UnitRunner keeps_all = ready.runner(), keeps_one = ready.runner(1);
  for (UnitRunner* runner : {&keeps_all, &keeps_one}) {
    CHECK(statuses(runner->run(ready.unit("amortised"))) == std::set<std::string>{"finished"});
    CHECK(statuses(runner->run(ready.unit("fixed-default"))) == std::set<std::string>{"finished"});
  }
  comm.barrier();
  if (comm.is_root())
    std::filesystem::remove(train::CheckpointFolder(scratch.path(), "amortised-seed0").encoder_file());
  comm.barrier();
  CHECK(statuses(keeps_all.run(ready.unit("amortised"))) == std::set<std::string>{"finished"});
  CHECK(statuses(keeps_one.run(ready.unit("amortised"))) ==
        std::set<std::string>{"failed"});  // it had to be read again
}

TEST_CASE("rows do not depend on which units a rank ran before, or on what it keeps", "[suite][mpi]") {
  const auto comm = comm::Communicator::world();
  const SharedScratch scratch(comm);
  const Ready ready(
      small_suite({"repeats=2", "encoder_seeds=[0, 1]", "arms=[\"learned-projected\", \"centre\", \"corners\"]"}), comm,
      scratch.path());
  std::map<std::string, io::JobRecord> together;
  UnitRunner one = ready.runner();
  for (const Unit& unit : ready.plan.units) {
    for (const io::JobRecord& row : one.run(unit).jobs) together[row.job_id] = row;
  }
  size_t n_compared = 0;
  for (size_t n = 0; n < ready.plan.units.size(); n += 3) {
    UnitRunner fresh = ready.runner(1);
    for (const io::JobRecord& row : fresh.run(ready.plan.units[n]).jobs) {
      INFO(ready.plan.units[n].name << ": " << row.error);
      const io::JobRecord& other = together.at(row.job_id);
      CHECK(row.status == "finished");
      CHECK(row.value == other.value);
      CHECK(row.validation_value == other.validation_value);
      CHECK(row.invariance.size() == other.invariance.size());
      CHECK(row.bn_hash == other.bn_hash);
      CHECK(row.encoder_hash_before == other.encoder_hash_before);
      CHECK(row.encoder_hash_after == row.encoder_hash_before);
      CHECK(row.encoder_hash_before.size() == 64);
      ++n_compared;
    }
  }
  CHECK(n_compared > 10);
}

TEST_CASE("all encoders of a suite meet the same known tasks and the same sensitivity table", "[suite][mpi]") {
  const auto comm = comm::Communicator::world();
  const SharedScratch scratch(comm);
  // Two untrained encoders of equal weights; the second would draw stronger jitter and smaller crops in pretraining.
  const Ready ready(
      small_suite({"encoders=[{\"name\": \"a\", \"pretraining\": {\"steps\": 0}}, {\"name\": \"b\", \"pretraining\": "
                   "{\"steps\": 0, \"augment\": {\"crop_area\": [0.05, 0.1], \"jitter\": {\"hue\": 0.5}}}}]",
                   "repeats=1", "tasks=[{\"name\": \"known\", \"kind\": \"known\", \"known\": {\"marks\": \"01\"}}]"}),
      comm, scratch.path());
  UnitRunner runner = ready.runner();
  const io::Segment a = runner.run(ready.unit("a")), b = runner.run(ready.unit("b"));
  REQUIRE(a.jobs.size() == 1);
  REQUIRE(b.jobs.size() == 1);
  CHECK(a.jobs[0].error.empty());
  CHECK(a.jobs[0].encoder_hash_after == b.jobs[0].encoder_hash_after);
  CHECK(a.jobs[0].value == b.jobs[0].value);
  const auto sensitivity_of = [&](const std::string& name) {
    std::map<std::string, double> values;
    for (const auto& row : runner.run(ready.unit(name, UnitKind::kSensitivity)).sensitivity)
      values[row.transformation] = row.value;
    return values;
  };
  CHECK(sensitivity_of("a").size() == 4);
  CHECK(sensitivity_of("a") == sensitivity_of("b"));
}

TEST_CASE("rows of learned-projected say what the halves were: samples, or views where a class has one sample",
          "[suite][mpi]") {
  const auto comm = comm::Communicator::world();
  const SharedScratch scratch(comm);
  // Half of two pictures a class leaves one to learn from.
  const Ready ready(small_suite({"data=[{\"name\": \"shapes\", \"size\": 36}, {\"name\": \"few\", \"size\": 36}]",
                                 "tasks=[{\"name\": \"shapes-4\"}, {\"name\": \"few\", \"validation_fraction\": 0.5}]",
                                 "tasks[1].data=few", "arms=[\"learned-projected\", \"centre\"]", "repeats=1"}),
                    comm, scratch.path());
  UnitRunner runner = ready.runner();
  std::map<std::string, std::string> halves;
  for (const Unit& unit : ready.plan.units) {
    for (const io::JobRecord& row : runner.run(unit).jobs) {
      INFO(row.arm << " on " << row.task << ": " << row.error);
      CHECK(row.status == "finished");
      if (row.encoder == "amortised") halves[row.arm + " " + row.task] = row.halves;
    }
  }
  CHECK(halves == std::map<std::string, std::string>{{"learned-projected shapes-4", "samples"},
                                                     {"learned-projected few", "views"},
                                                     {"centre shapes-4", ""},
                                                     {"centre few", ""}});
}

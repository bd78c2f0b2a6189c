// Controls: what must come out at chance, or equal, whatever the arm.
#include <ATen/ATen.h>

#include <cmath>
#include <map>
#include <set>

#include "core/philox.hpp"
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

constexpr int64_t kTestPictures = 600;

/// small_manifests() with enough pictures for a narrow interval.
Manifests larger_manifests() {
  Manifests manifests = small_manifests();
  manifests.at("shapes").splits[0].count = 160;
  manifests.at("shapes").splits[1].count = kTestPictures;
  return manifests;
}

/// Move every split's labels to other pictures.
void shuffle_labels(Datasets& datasets) {
  for (auto& [name, dataset] : datasets) {
    uint64_t sample = 0;
    for (auto& [split_name, split] : dataset.splits)
      Draws({.seed = 9, .purpose = Purpose::kTest, .sample = sample++}).shuffle(std::span(split.labels));
  }
}

/// Pretrain all encoders, four steps each. Collective.
void pretrain_all(const Plan& plan, const Datasets& datasets, const comm::Communicator& comm,
                  const std::filesystem::path& output) {
  for (const train::EncoderPlan& encoder : plan.encoders) {
    const auto outcome = train::pretrain(encoder, datasets.at("shapes").split("train"),
                                         {comm, c10::Device(c10::kCPU), output, 1e9, nullptr, {}});
    REQUIRE(outcome.end == train::PretrainEnd::kFinished);
  }
  comm.barrier();
}

/// All units, each on one of the ranks; gives this rank's rows.
io::Segment run_units(const Suite& suite, const Plan& plan, const Datasets& datasets, const comm::Communicator& comm,
                      const std::filesystem::path& output) {
  UnitRunner runner(suite, plan, datasets, output, c10::Device(c10::kCPU), {comm.rank(), comm.host()}, {});
  io::Segment rows;
  for (size_t unit = 0; unit < plan.units.size(); ++unit) {
    if (static_cast<int>(unit) % comm.size() == comm.rank()) io::append(rows, runner.run(plan.units[unit]));
  }
  return rows;
}

/// Rewrite a finished encoder with E = 0, so that no kernel depends on i. Its hash is made to fit.
void make_ignorant(const train::EncoderPlan& plan, const std::filesystem::path& output) {
  const std::filesystem::path path = train::CheckpointFolder(output, plan.key()).encoder_file();
  train::Checkpoint checkpoint = train::read_checkpoint(path);
  for (auto& [name, tensor] : checkpoint.tensors) {
    if (name.ends_with(".hyper.E")) tensor = at::zeros_like(tensor);
  }
  model::Encoder encoder(plan.settings.model, plan.n_axes(), 0, plan.settings.view_size);
  encoder.load_state(checkpoint.tensors);
  checkpoint.metadata["encoder_hash"] = encoder.hash();
  train::write_checkpoint(path, checkpoint);
}

/// Values of a conditioned encoder's arms for each task and repeat, over all ranks. Collective.
std::map<std::string, std::set<std::string>> values_of_arms(const io::Segment& mine, const comm::Communicator& comm) {
  std::string lines;
  for (const io::JobRecord& job : mine.jobs) {
    if (job.encoder != "amortised" || job.metric != "top1") continue;
    lines += fmt::format("{} repeat {}|{:.17g}\n", job.task, job.repeat, job.value);
  }
  std::map<std::string, std::set<std::string>> values;
  for (const std::string& text : comm.all_gather(lines)) {
    for (size_t from = 0, to = text.find('\n'); to != std::string::npos; from = to + 1, to = text.find('\n', from)) {
      const std::string line = text.substr(from, to - from);
      values[line.substr(0, line.find('|'))].insert(line.substr(line.find('|') + 1));
    }
  }
  return values;
}

}  // namespace

TEST_CASE("with shuffled labels every arm of every encoder is at chance", "[suite][mpi][control]") {
  const auto comm = comm::Communicator::world();
  const SharedScratch scratch(comm);
  const Suite suite = small_suite({"tasks=[{\"name\": \"shapes-4\"}]", "sensitivity.data=",
                                   "arms=[\"learned-projected\", \"learned-projected-discretised\", \"learned-joint\", "
                                   "\"learned-joint-discretised\", \"corners\", \"centre\", \"grid\"]"});
  const Manifests manifests = larger_manifests();
  Plan plan = make_plan(suite);
  estimate_costs(plan, suite, task_sizes(suite, summaries_of(manifests)));
  Datasets datasets = load_datasets(suite, manifests, {}, comm);
  pretrain_all(plan, datasets, comm, scratch.path());

  double best = 0.0;
  for (const io::JobRecord& job : run_units(suite, plan, datasets, comm, scratch.path()).jobs)
    best = std::max(best, job.value);
  for (double other : comm.all_gather(best)) best = std::max(best, other);
  CHECK(best > 0.4);  // there is something to learn

  // Four standard deviations of guesses at four classes: some 40 values are asked for.
  const double margin = 4 * std::sqrt(0.25 * 0.75 / kTestPictures);
  shuffle_labels(datasets);
  std::string arms;
  for (const io::JobRecord& job : run_units(suite, plan, datasets, comm, scratch.path()).jobs) {
    INFO(job.encoder << " " << job.arm << " repeat " << job.repeat << " " << job.metric << ": " << job.error);
    CHECK(job.status == "finished");
    CHECK(job.value == Approx(0.25).margin(margin));
    arms += job.arm + "\n";
  }
  std::string all_arms;
  for (const std::string& some : comm.all_gather(arms)) all_arms += some;
  for (const char* arm :
       {"learned-projected\n", "learned-projected-discretised\n", "learned-joint\n", "learned-joint-discretised\n",
        "corner-00\n", "corner-11\n", "centre\n", "grid-0.5,1\n", "fixed-default\n", "random\n"}) {
    INFO(arm);
    CHECK(all_arms.find(arm) != std::string::npos);
  }
}

TEST_CASE("an encoder that ignores i shows no separation between arms or corners", "[suite][mpi][control]") {
  const auto comm = comm::Communicator::world();
  const SharedScratch scratch(comm);
  const Suite suite =
      small_suite({"encoders=[{\"name\": \"amortised\", \"pretraining\": {\"model\": "
                   "{\"conditioning\": \"hypernetwork\"}}}]",
                   "repeats=1"});
  const Plan plan = small_plan(suite);
  const Datasets datasets = load_datasets(suite, small_manifests(), {}, comm);
  pretrain_all(plan, datasets, comm, scratch.path());

  for (const auto& [task, values] : values_of_arms(run_units(suite, plan, datasets, comm, scratch.path()), comm)) {
    INFO(task);
    CHECK(values.size() > 1);  // as it is, it does not ignore i
  }
  comm.barrier();
  if (comm.is_root()) make_ignorant(plan.encoders.front(), scratch.path());
  comm.barrier();

  const io::Segment rows = run_units(suite, plan, datasets, comm, scratch.path());
  const auto values = values_of_arms(rows, comm);
  CHECK(values.size() == 2);
  for (const auto& [task, of_arms] : values) {
    INFO(task);
    CHECK(of_arms.size() == 1);  // projected, joint, corners, centre and grid alike, to the last bit
  }
  for (const io::JobRecord& job : rows.jobs) {
    INFO(job.arm << ": " << job.error);
    CHECK(job.status == "finished");
    if (job.arm == "learned-projected" || job.arm == "learned-joint") CHECK(job.invariance == config::centre(2));
  }
  std::map<std::string, std::set<double>> of_transformation;
  for (const auto& row : rows.sensitivity) of_transformation[row.transformation].insert(row.value);
  for (const auto& [transformation, of_corners] : of_transformation) {
    INFO(transformation);
    CHECK(of_corners.size() == 1);
  }
}

#include "train/pretrain.hpp"

#include <fstream>
#include <limits>

#include "core/errors.hpp"
#include "tests/support/error_of.hpp"
#include "tests/train/small_pretraining.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::train;
using namespace invaria::train::testing;

namespace {

const std::vector<double>& losses(const io::Table& log) {
  return std::get<std::vector<double>>(log.column("loss").cells);
}

/// What must not depend on interruptions: weights, losses and corners to the bit.
void check_equal(const Checkpoint& found, const Checkpoint& expected) {
  for (const auto& [name, tensor] : expected.tensors) {
    INFO(name);
    CHECK((found.tensors.contains(name) && at::equal(found.tensors.at(name), tensor)));
  }
  CHECK(found.tensors.size() == expected.tensors.size());
  for (const char* column : {"step", "loss", "top1", "lr", "corner"}) {
    INFO(column);
    CHECK(found.log.column(column).cells == expected.log.column(column).cells);
  }
}

}  // namespace

TEST_CASE("a pretraining that is stopped and continued ends with the same bits", "[train][mpi][resume]") {
  const auto comm = comm::Communicator::world();
  const auto plan = GENERATE(small_plan(Algorithm::kAdamW), small_plan(Algorithm::kLars),
                             small_moco_plan(objective::Kind::kMocoV2), small_moco_plan(objective::Kind::kMocoV3));
  const data::DataSplit pictures = made_pictures(30);
  const SharedScratch scratch(comm);
  const auto file = [&](const std::string& run) { return CheckpointFolder(scratch / run, plan.key()).encoder_file(); };
  CHECK(pretrain_small(plan, pictures, comm, scratch / "whole").end == PretrainEnd::kFinished);
  const Checkpoint whole = read_checkpoint(file("whole"));
  CHECK(losses(whole.log).size() == 12);

  // Stopped before the first step, after it, amid an epoch, before the last.
  for (const std::vector<int64_t>& stops : {std::vector<int64_t>{0, 1, 4}, std::vector<int64_t>{11}}) {
    const std::string name = fmt::format("stopped-{}", stops.size());
    for (const int64_t stop : stops) {
      CHECK(pretrain_small(plan, pictures, comm, scratch / name, stop).end == PretrainEnd::kStopped);
      CHECK(CheckpointFolder(scratch / name, plan.key()).has_state());
      CHECK_FALSE(CheckpointFolder(scratch / name, plan.key()).has_encoder());
      comm.barrier();
    }
    CHECK(pretrain_small(plan, pictures, comm, scratch / name).end == PretrainEnd::kFinished);
    check_equal(read_checkpoint(file(name)), whole);
    CHECK_FALSE(CheckpointFolder(scratch / name, plan.key()).has_state());
  }

  // Checkpoints on the way change nothing.
  CHECK(pretrain_small(plan, pictures, comm, scratch / "often", -1, 0.0).end == PretrainEnd::kFinished);
  check_equal(read_checkpoint(file("often")), whole);
}

TEST_CASE("what an objective remembers is saved and comes back bit for bit", "[train][mpi][resume]") {
  const auto comm = comm::Communicator::world();
  const auto kind = GENERATE(objective::Kind::kMocoV2, objective::Kind::kMocoV3);
  const data::DataSplit pictures = made_pictures(30);
  const EncoderPlan plan = small_moco_plan(kind);
  const SharedScratch scratch(comm);
  const auto state_after = [&](const std::string& run, const std::vector<int64_t>& stops) {
    for (const int64_t stop : stops) pretrain_small(plan, pictures, comm, scratch / run, stop);
    comm.barrier();
    return read_checkpoint(CheckpointFolder(scratch / run, plan.key()).state_file()).tensors;
  };
  const model::StateDict straight = state_after("straight", {8});
  const model::StateDict resumed = state_after("resumed", {3, 5});
  int64_t of_the_objective = 0;
  for (const auto& [name, tensor] : straight) {
    INFO(name);
    CHECK(at::equal(resumed.at(name), tensor));
    if (name.starts_with("objective/")) ++of_the_objective;
  }
  CHECK(of_the_objective > 100);
  CHECK(resumed.size() == straight.size());

  // The finished encoder is the query encoder, and nothing else.
  pretrain_small(plan, pictures, comm, scratch / "straight");
  const auto finished = read_checkpoint(CheckpointFolder(scratch / "straight", plan.key()).encoder_file()).tensors;
  model::StateDict names = model::Encoder(plan.settings.model, 2, 5, plan.settings.view_size).state();
  for (const auto& [name, tensor] : finished) CHECK(names.contains(name));
  CHECK(finished.size() == names.size());
  Run twin(plan, pictures, comm);
  while (twin.state.step < plan.settings.steps)
    twin.step(learning_rate(plan.settings.schedule, twin.state.step, plan.settings.steps));
  for (const auto& [name, tensor] : twin.state.encoder.state()) {
    INFO(name);
    CHECK(at::equal(finished.at(name), tensor));
  }
}

TEST_CASE("one rank that is asked to stop stops all", "[train][mpi][resume]") {
  const auto comm = comm::Communicator::world();
  const data::DataSplit pictures = made_pictures(30);
  const EncoderPlan plan = small_plan();
  const SharedScratch scratch(comm);
  int64_t steps = 0;
  const PretrainOutcome outcome = pretrain(plan, pictures,
                                           {comm, c10::Device(c10::kCPU), scratch.path(), 1e9, nullptr,
                                            [&] { return ++steps == 4 && comm.rank() == comm.size() - 1; }});
  CHECK(outcome.end == PretrainEnd::kStopped);
  CHECK(steps == 4);
  const Checkpoint state = read_checkpoint(CheckpointFolder(scratch.path(), plan.key()).state_file());
  CHECK(state.metadata.at("step") == "3");
}

TEST_CASE("a finished encoder returns at once and is read back as it was written", "[train][mpi]") {
  const auto comm = comm::Communicator::world();
  const data::DataSplit pictures = made_pictures(30);
  const EncoderPlan plan = small_plan();
  const SharedScratch scratch(comm);
  pretrain_small(plan, pictures, comm, scratch.path());
  const auto file = CheckpointFolder(scratch.path(), plan.key()).encoder_file();
  const auto written = std::filesystem::last_write_time(file);
  int64_t asked = 0;
  const PretrainOutcome again =
      pretrain(plan, pictures, {comm, c10::Device(c10::kCPU), scratch.path(), 0.0, nullptr, [&] {
                                  ++asked;
                                  return true;
                                }});
  CHECK(again.end == PretrainEnd::kFinished);
  CHECK(asked == 0);
  CHECK(std::filesystem::last_write_time(file) == written);

  const TrainedEncoder trained = load_encoder(plan, scratch.path());
  CHECK(trained.encoder.hash() == trained.hash);
  CHECK(trained.record.status == "finished");
  CHECK(trained.record.parameters == trained.encoder.n_parameters());
  CHECK(losses(trained.record.pretraining).size() == 12);
  CHECK(config::parse_text(trained.record.settings, "settings") == plan.identity);
  CHECK(CheckpointFolder(scratch.path(), plan.key()).identity() == plan.identity);
}

TEST_CASE("without steps the encoder is the untrained one of its seed", "[train][mpi]") {
  const auto comm = comm::Communicator::world();
  EncoderPlan plan = small_plan();
  plan.settings.steps = 0;
  const SharedScratch scratch(comm);
  CHECK(pretrain_small(plan, made_pictures(2), comm, scratch.path()).end == PretrainEnd::kFinished);
  CHECK(load_encoder(plan, scratch.path()).hash ==
        model::Encoder(plan.settings.model, 2, 5, plan.settings.view_size).hash());
}

TEST_CASE("a loss that is not finite ends the encoder before the update, naming step and rank", "[train][mpi]") {
  const auto comm = comm::Communicator::world();
  const data::DataSplit pictures = made_pictures(30);
  EncoderPlan plan = small_plan(Algorithm::kSgd);
  plan.settings.schedule.learning_rate = 1e38;
  plan.settings.schedule.warmup_fraction = 0.0;
  const SharedScratch scratch(comm);
  const PretrainOutcome outcome = pretrain_small(plan, pictures, comm, scratch.path());
  CHECK(outcome.end == PretrainEnd::kFailed);
  CHECK(outcome.error.find("at step 1") != std::string::npos);
  CHECK(outcome.error.find(fmt::format("rank {}: weight", comm.size() - 1)) != std::string::npos);
  CHECK_FALSE(CheckpointFolder(scratch.path(), plan.key()).has_encoder());

  // Of the last step no loss is taken any more.
  plan.settings.steps = 1;
  const PretrainOutcome last = pretrain_small(plan, pictures, comm, scratch.path());
  CHECK(last.end == PretrainEnd::kFailed);
  CHECK(last.error.find("after the last update, not finite: rank 0: weight") != std::string::npos);
  CHECK_FALSE(CheckpointFolder(scratch.path(), plan.key()).has_encoder());

  // A weight of one rank alone: all see it, and nobody's parameters move.
  TrainState state(plan);
  Trainer trainer(plan, pictures, comm, c10::Device(c10::kCPU), state);
  if (comm.rank() == comm.size() - 1) {
    state.encoder.state().at("layer2.0.conv1.weight").view(-1)[0].fill_(std::numeric_limits<float>::quiet_NaN());
  }
  std::map<std::string, at::Tensor> before;
  for (const auto& parameter : state.encoder.parameters()) before[parameter.name] = parameter.value.detach().clone();
  for (const auto& parameter : state.encoder.factored_parameters()) before[parameter.name] = parameter.value_PH.clone();
  CHECK_FALSE(std::isfinite(trainer.step(0.1).loss));
  CHECK(trainer.what_is_not_finite() == fmt::format("rank {}: weight layer2.0.conv1.weight", comm.size() - 1));
  CHECK(state.optimizer.state().empty());
  const model::StateDict after = state.encoder.state();
  for (const auto& [name, value] : before) {
    INFO(name);
    CHECK(at::allclose(after.at(name), value, 0.0, 0.0, true));
  }
}

TEST_CASE("a truncated checkpoint is refused on every rank, naming the file", "[train][mpi]") {
  const auto comm = comm::Communicator::world();
  const data::DataSplit pictures = made_pictures(30);
  const EncoderPlan plan = small_plan();
  const SharedScratch scratch(comm);
  pretrain_small(plan, pictures, comm, scratch.path(), 2);
  const auto file = CheckpointFolder(scratch.path(), plan.key()).state_file();
  const auto size = std::filesystem::file_size(file);
  for (const std::uintmax_t left : {size - 1, size / 2, std::uintmax_t{20}, std::uintmax_t{0}}) {
    comm.barrier();
    if (comm.is_root()) std::filesystem::resize_file(file, left);
    comm.barrier();
    const std::string error = error_of([&] { pretrain_small(plan, pictures, comm, scratch.path()); });
    INFO(left << " of " << size << " bytes: " << error);
    CHECK(error.find(file.string()) != std::string::npos);
  }
}

TEST_CASE("checkpoints keep tensors, metadata and log", "[train][mpi]") {
  const auto comm = comm::Communicator::world();
  const SharedScratch scratch(comm);
  if (!comm.is_root()) return;
  Checkpoint checkpoint;
  checkpoint.tensors = {{"float", at::arange(6, at::kFloat).view({2, 3})},
                        {"double", at::full({3}, 0.1, at::kDouble)},
                        {"counter", at::scalar_tensor(7, at::kLong)},
                        {"empty", at::empty({0, 4})}};
  checkpoint.metadata = {{"settings", "{\"a\": \"\\u00e4\"}"}, {"step", "3"}};
  checkpoint.log = io::Table({{"step", std::vector<int64_t>{0, 1}, "", "a step"},
                              {"loss", std::vector<double>{0.5, 1e-300}, "nat", "a loss"},
                              {"corner", std::vector<std::string>{"01", ""}, "", "bits"}});
  write_checkpoint(scratch / "a.safetensors", checkpoint);
  const Checkpoint found = read_checkpoint(scratch / "a.safetensors");
  CHECK(found.metadata == checkpoint.metadata);
  CHECK(found.tensors.size() == checkpoint.tensors.size());
  for (const auto& [name, tensor] : checkpoint.tensors) {
    INFO(name);
    CHECK(found.tensors.at(name).sizes() == tensor.sizes());
    CHECK(at::equal(found.tensors.at(name), tensor));
  }
  CHECK(found.log.columns().size() == 3);
  for (const io::Column& column : checkpoint.log.columns()) {
    CHECK(found.log.column(column.name).cells == column.cells);
    CHECK(found.log.column(column.name).units == column.units);
    CHECK(found.log.column(column.name).long_name == column.long_name);
  }
}

// Guards refactorings. Other processors round otherwise, and Adam's first steps make a sign of the smallest gradient:
// the losses drift apart, by 0.2 % in 18 steps on what was tried. Remake, where numbers are meant to change, on one
// rank (OMP_NUM_THREADS=1):
//   INVARIA_REMAKE_GOLDEN=1 build/release/tests/test_train_mpi "twenty losses*"
TEST_CASE("twenty losses are the stored ones", "[train][mpi][golden]") {
  const auto comm = comm::Communicator::world();
  if (comm.size() > 1) INVARIA_SKIP("the losses are stored for one rank");
  const char* path = INVARIA_SOURCE_DIR "/tests/golden/train/losses.json";
  EncoderPlan plan = small_plan();
  plan.settings.steps = 20;
  plan.settings.global_batch = 24;
  plan.settings.schedule.learning_rate = 1e-4;
  const SharedScratch scratch(comm);
  pretrain_small(plan, made_pictures(60), comm, scratch.path());
  const io::Table log = read_checkpoint(CheckpointFolder(scratch.path(), plan.key()).encoder_file()).log;
  if (std::getenv("INVARIA_REMAKE_GOLDEN") != nullptr && comm.is_root()) {
    std::ofstream(path) << config::pretty(config::json::object{{"loss", config::write(losses(log))}}) << "\n";
  }
  comm.barrier();
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto golden = config::parse_text(text, path).at("loss").as_array();
  CHECK(golden.size() == losses(log).size());
  for (size_t step = 0; step < std::min(golden.size(), losses(log).size()); ++step) {
    INFO("step " << step);
    CHECK(losses(log)[step] == Approx(golden[step].to_number<double>()).epsilon(step < 10 ? 1e-3 : 1e-2));
  }
}

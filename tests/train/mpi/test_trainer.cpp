#include "train/trainer.hpp"

#include <set>

#include "tests/train/materialised.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::train;
using namespace invaria::train::testing;

TEST_CASE("the gradient of every tensor is that of the materialised network in one process",
          "[train][mpi][oracle][uneven]") {
  const auto comm = comm::Communicator::world();
  const int64_t batch = GENERATE(10, 9, 12);  // over 4 ranks 3 3 2 2, over 3 ranks 4 3 3, over 2 ranks 5 4, equal
  const data::DataSplit pictures = made_pictures(30);
  EncoderPlan plan = small_plan(Algorithm::kSgd);
  plan.settings.global_batch = batch;
  plan.settings.optimizer.momentum = 0.0;
  plan.settings.optimizer.weight_decay = 0.0;
  Materialised twin(plan, pictures);
  Run run(plan, pictures, comm);
  const model::StateDict before = copy_of(weights_of(run.state));

  // With a rate of one and no momentum the weights' change is the gradient, A's too.
  const double loss = run.step(1.0).loss;
  CHECK(loss == Approx(twin.step(0, 1.0)).epsilon(1e-6));
  const model::StateDict after = weights_of(run.state);
  for (const auto& [name, leaf] : twin.leaves) {
    INFO(name << " at a batch of " << batch);
    const at::Tensor gradient = (before.at(name) - after.at(name)).to(at::kDouble);
    if (!leaf.grad().defined()) {
      CHECK(length(gradient) == 0.0);
      continue;
    }
    // The last term: what subtracting two floats of this size costs.
    CHECK(length(gradient - leaf.grad()) <= 5e-5 * length(leaf.grad()) + 1e-7 * length(before.at(name)));
  }
}

// Training is chaotic: where a ReLU flips, rounding decides, and two trajectories part. So the twin starts each step
// from the trainer's state. (test_free_running.cpp lets them run freely, where no ReLU flips.)
TEST_CASE("twenty steps of each optimiser are those of the materialised network", "[train][mpi][oracle]") {
  const auto comm = comm::Communicator::world();
  const auto [algorithm, rate] = GENERATE(table<Algorithm, double>(
      {{Algorithm::kSgd, 1e-3}, {Algorithm::kAdam, 1e-3}, {Algorithm::kAdamW, 1e-3}, {Algorithm::kLars, 1e-2}}));
  const data::DataSplit pictures = made_pictures(30);
  EncoderPlan plan = small_plan(algorithm);
  plan.settings.optimizer.epsilon = 1e-3;  // gradients that are zero but for rounding must not decide a direction
  plan.settings.optimizer.trust_coefficient = 0.1;
  plan.settings.optimizer.weight_decay = 0.3;  // enough to be seen
  Materialised twin(plan, pictures);
  Run run(plan, pictures, comm);
  std::set<size_t> corners;
  FarSteps far;
  for (int64_t step = 0; step < 20; ++step) {
    const model::StateDict before = copy_of(weights_of(run.state));
    twin.load(run.state);
    corners.insert(run.plan.corner_index(step));
    const double loss = run.step(rate).loss;
    if (!comm.is_root()) continue;  // one twin is enough: all ranks hold the same weights
    const double expected = twin.step(step, rate);
    INFO("step " << step);
    CHECK(loss == Approx(expected).epsilon(1e-5));
    far.check(step, distance(weights_of(run.state), twin.state(), before), 1e-3);
  }
  CHECK(corners.size() == 3);
  INFO(far.what());
  CHECK(far.count() <= 4);
}

TEST_CASE("ten SGD steps agree over ranks within the tolerance that pretrain.hpp states", "[train][mpi][oracle]") {
  const auto comm = comm::Communicator::world();
  const bool conditioned = GENERATE(true, false);
  constexpr double kRate = 1e-5;
  const data::DataSplit pictures = made_pictures(130);
  EncoderPlan plan = small_plan(Algorithm::kSgd);
  plan.settings.global_batch = 61;  // over 4 ranks 16 15 15 15, over 2 ranks 31 30
  if (!conditioned) {
    plan.settings.model.conditioning = model::Conditioning::kNone;
    plan.corners = {{1, 1}};
  }
  const auto alone = comm::Communicator::alone();
  Run shared(plan, pictures, comm);
  Run single(plan, pictures, alone);
  const model::StateDict before = copy_of(weights_of(shared.state));
  for (int64_t step = 0; step < 10; ++step) {
    shared.step(kRate);
    single.step(kRate);
  }
  const Distance found = distance(weights_of(shared.state), weights_of(single.state), before);
  INFO(found.name);
  CHECK(found.worst < kRankTolerance);
}

TEST_CASE("ten steps of a ViT in bfloat16 end near those in float, whatever the ranks and the objective",
          "[train][mpi][oracle]") {
  const auto comm = comm::Communicator::world();
  const auto kind = GENERATE(objective::Kind::kSimclr, objective::Kind::kMocoV2, objective::Kind::kMocoV3);
  CAPTURE(config::name_of(kind));
  constexpr double kRate = 1e-5;
  const data::DataSplit pictures = made_pictures(130);
  EncoderPlan plan =
      kind == objective::Kind::kSimclr ? small_plan(Algorithm::kSgd) : small_moco_plan(kind, Algorithm::kSgd);
  plan.settings.global_batch = 61;
  plan.settings.objective.queue = 122;
  plan.settings.model.backbone = model::Architecture::kVitTiny;
  plan.settings.model.conditioning = model::Conditioning::kPrompt;
  plan.settings.model.vit = {.patch = 8, .width = 48, .depth = 2};
  const auto alone = comm::Communicator::alone();
  Run exact(plan, pictures, alone);
  plan.settings.precision = model::Precision::kBfloat16;
  Run shared(plan, pictures, comm);
  Run single(plan, pictures, alone);
  const model::StateDict before = copy_of(weights_of(shared.state));
  for (int64_t step = 0; step < 10; ++step) {
    for (Run* run : {&exact, &shared, &single}) run->step(kRate);
  }
  const double from_float = distance_of_all(weights_of(single.state), weights_of(exact.state), before);
  const double over_ranks = distance_of_all(weights_of(shared.state), weights_of(single.state), before);
  CAPTURE(from_float, over_ranks);
  CHECK(from_float > 1e-3);  // it is rounded at all
  CHECK(from_float < 0.7);   // gradients of embeddings that hardly differ yet
  CHECK(over_ranks < kBfloat16RankTolerance);
}

TEST_CASE("the momentum encoder's keys are made in the precision of the queries", "[train][mpi]") {
  const auto comm = comm::Communicator::world();
  const data::DataSplit pictures = made_pictures(30);
  EncoderPlan plan = small_moco_plan(objective::Kind::kMocoV2);
  plan.settings.model.width = 16;
  std::vector<model::StateDict> states;
  for (const auto precision : {model::Precision::kFloat32, model::Precision::kBfloat16}) {
    plan.settings.precision = precision;
    Run run(plan, pictures, comm);
    run.step(1e-3);  // the keys of the first step are those of the start
    states.push_back(copy_of(run.state.objective->state()));
  }
  double largest = 0.0;
  for (const auto& [name, keys] : states[0]) {
    if (name.find("queue") == std::string::npos || !keys.is_floating_point()) continue;
    largest = std::max(largest, (states[1].at(name) - keys).abs().max().item<double>());
  }
  CHECK(largest > 1e-4);
  CHECK(largest < 0.3);
}

TEST_CASE("every rank draws the same corner and holds the same weights", "[train][mpi]") {
  const auto comm = comm::Communicator::world();
  const data::DataSplit pictures = made_pictures(30);
  EncoderPlan plan = small_plan();
  plan.settings.precision = GENERATE(model::Precision::kFloat32, model::Precision::kBfloat16);
  Run run(plan, pictures, comm);
  for (int64_t step = 0; step < 50; ++step) {
    const std::vector<double> corners = comm.all_gather(static_cast<double>(run.plan.corner_index(step)));
    CHECK(std::set(corners.begin(), corners.end()).size() == 1);
  }
  for (int step = 0; step < 3; ++step) run.step(2e-3);
  for (const auto& [name, value] : everything(run.state)) {
    const at::Tensor all = comm.all_gather_rows(value.to(at::kDouble).flatten().unsqueeze(0));
    INFO(name);
    for (int64_t rank = 1; rank < all.size(0); ++rank) CHECK(at::equal(all[rank], all[0]));
  }
}

TEST_CASE("views made ahead and gradients that travel during the backward pass change no bit", "[train][mpi]") {
  const auto comm = comm::Communicator::world();
  const data::DataSplit pictures = made_pictures(30);
  Run plain(small_plan(), pictures, comm, comm::Overlap::kNone);
  Run overlapped(small_plan(), pictures, comm, comm::Overlap::kThread);
  for (int step = 0; step < 7; ++step) {                          // 3 steps an epoch
    if (step == 5) plain.state.step = overlapped.state.step = 2;  // not what was made ahead
    CHECK(plain.step(2e-3).loss == overlapped.step(2e-3).loss);
  }
  const model::StateDict expected = everything(plain.state);
  for (const auto& [name, value] : everything(overlapped.state)) {
    INFO(name);
    CHECK(at::equal(value, expected.at(name)));
  }
}

TEST_CASE("heads of corners that were not drawn are left alone, values, moments and counters", "[train][mpi]") {
  const auto comm = comm::Communicator::world();
  const data::DataSplit pictures = made_pictures(30);
  Run run(small_plan(), pictures, comm);
  std::vector<int64_t> draws(3, 0);
  for (int64_t step = 0; step < 8; ++step) {
    const int64_t drawn = run.plan.corner_index(step);
    ++draws[static_cast<size_t>(drawn)];
    const model::StateDict before = copy_of(everything(run.state));
    run.step(2e-3);
    const std::string head = fmt::format("projector.{}.", drawn);
    for (const auto& [name, value] : everything(run.state)) {
      const size_t place = name.find("projector.");
      if (place == std::string::npos) continue;
      const bool is_drawn = name.compare(place, head.size(), head) == 0;
      const auto found = before.find(name);
      INFO(name << " at step " << step);
      if (is_drawn) {
        CHECK((found == before.end() || !at::equal(found->second, value)));
      } else {
        CHECK((found != before.end() && at::equal(found->second, value)));
      }
    }
  }
  const model::StateDict state = run.state.optimizer.state();
  for (size_t head = 0; head < 3; ++head) {
    const auto steps = state.find(fmt::format("projector.{}.linear1.weight.steps", head));
    CHECK((steps == state.end() ? 0 : steps->second.item<int64_t>()) == draws[head]);
  }
}

TEST_CASE("only the operations of the axes that i switches on reach the views", "[train][mpi]") {
  const auto comm = comm::Communicator::world();
  const data::DataSplit pictures = made_pictures(30);
  const auto weights_after_two_steps = [&](const config::Invariance& corner, bool other_crop, bool other_colour) {
    EncoderPlan plan = small_plan();
    plan.corners = {corner};
    if (other_crop) plan.settings.augment.crop_area = {0.5, 0.6};
    if (other_colour) plan.settings.augment.jitter.hue = 0.4;
    Run run(plan, pictures, comm);
    run.step(1e-3);
    run.step(1e-3);
    return run.state.encoder.hash();
  };
  const std::string spatial = weights_after_two_steps({1, 0}, false, false);
  CHECK(weights_after_two_steps({1, 0}, false, true) == spatial);
  CHECK(weights_after_two_steps({1, 0}, true, false) != spatial);
  const std::string appearance = weights_after_two_steps({0, 1}, false, false);
  CHECK(weights_after_two_steps({0, 1}, true, false) == appearance);
  CHECK(weights_after_two_steps({0, 1}, false, true) != appearance);
}

TEST_CASE("of a prompt's MLPs a step reduces the token's gradient alone", "[train][mpi]") {
  const auto comm = comm::Communicator::world();
  if (comm.size() == 1) INVARIA_SKIP("one rank reduces nothing");
  const data::DataSplit pictures = made_pictures(30);
  EncoderPlan plan = small_plan();
  plan.settings.model = {};
  plan.settings.model.backbone = model::Architecture::kVitTiny;
  plan.settings.model.conditioning = model::Conditioning::kPrompt;
  plan.settings.model.vit.patch = 8;
  plan.settings.model.vit.width = 24;
  plan.settings.model.vit.depth = 2;
  Run run(plan, pictures, comm);
  int64_t dense = 0, of_prompt = 0;
  for (const auto& parameter : run.state.encoder.parameters())
    (parameter.name.starts_with("prompt.") ? of_prompt : dense) += parameter.value.numel();
  for (const auto& parameter : run.state.heads.parameters(0)) dense += parameter.value.numel();
  const int64_t before = comm.bytes_reduced();
  run.step(1e-3);
  const int64_t bytes = comm.bytes_reduced() - before;
  CHECK(bytes >= 4 * (dense + 24));
  // Beside them the head's BatchNorm of 12 channels, and what is logged.
  CHECK(bytes <= 4 * (dense + 24) + 8 * (4 * 12 + 2 + 2));
  CHECK(of_prompt > 20'000);
}

TEST_CASE("a step reduces the dense and the generated weights' gradients, never A's", "[train][mpi]") {
  const auto comm = comm::Communicator::world();
  if (comm.size() == 1) INVARIA_SKIP("one rank reduces nothing");
  const data::DataSplit pictures = made_pictures(30);
  EncoderPlan plan = small_plan();
  plan.settings.model.width = 8;
  Run run(plan, pictures, comm);
  int64_t factored = 0, dense = 0;
  for (const auto& parameter : run.state.encoder.factored_parameters()) factored += parameter.value_PH.numel();
  for (const auto& parameter : run.state.encoder.parameters()) {
    if (parameter.name.find("hyper") == std::string::npos) dense += parameter.value.numel();  // b stands for k
  }
  for (const auto& parameter : run.state.heads.parameters(0)) dense += parameter.value.numel();
  int64_t channels = 12;  // of all BatchNorm layers, the head's 12 included
  for (const auto& [name, value] : run.state.encoder.state()) {
    if (name.ends_with("running_mean")) channels += value.numel();
  }
  const int64_t before = comm.bytes_reduced();
  run.step(1e-3);
  const int64_t bytes = comm.bytes_reduced() - before;
  CHECK(bytes >= 4 * dense);
  // Beside them: two sums a channel and a count a layer, forward and backward, and the two numbers that are logged.
  CHECK(bytes <= 4 * dense + 8 * (4 * channels + 2 * 21 + 2));
  CHECK(4 * factored > 28 * bytes);  // 33 times at full width, where the rest does not count
}

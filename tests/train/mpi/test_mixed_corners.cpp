#include <ATen/ATen.h>

#include "objective/nt_xent.hpp"
#include "tests/train/small_pretraining.hpp"
#include "train/trainer.hpp"
#include "train/view_loader.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::train;
using namespace invaria::train::testing;

namespace {

EncoderPlan mixed_plan(Algorithm algorithm = Algorithm::kAdamW) {
  EncoderPlan plan = small_plan(algorithm);
  plan.settings.corners_per_step = CornersPerStep::kMixed;
  plan.settings.model.conditioning = model::Conditioning::kFilm;
  return plan;
}

/// Of one process that makes all of a step's views.
StepViews all_views(const EncoderPlan& plan, const data::DataSplit& pictures, int64_t step) {
  const data::Share all{0, plan.settings.global_batch};
  ViewLoader loader(
      plan, pictures, [&](int64_t number) { return both_views(plan.blocks(number), all); }, c10::Device(c10::kCPU),
      Loading::kInStep);
  return loader.views(step);
}

}  // namespace

TEST_CASE("a step of mixed corners is the sum of its corners' steps, each a batch of its own",
          "[train][mpi][oracle][uneven]") {
  const auto comm = comm::Communicator::world();
  const bool per_corner = GENERATE(true, false);
  const data::DataSplit pictures = made_pictures(30);
  EncoderPlan plan = mixed_plan(Algorithm::kSgd);
  plan.settings.optimizer.momentum = 0.0;
  plan.settings.optimizer.weight_decay = 0.0;
  plan.settings.projection.per_corner = per_corner;
  Run run(plan, pictures, comm);
  const model::StateDict before = copy_of(weights_of(run.state));
  const double found_loss = run.step(1.0).loss;  // with a rate of one the weights' change is the gradient

  const TrainState twin(plan);
  const StepViews views = all_views(plan, pictures, 0);
  std::vector<const model::Parameter*> parameters;
  for (const auto& parameter : twin.encoder.parameters()) parameters.push_back(&parameter);
  for (int64_t head = 0; head < twin.heads.size(); ++head) {
    for (const auto& parameter : twin.heads.parameters(head)) parameters.push_back(&parameter);
  }
  double loss = 0.0;
  model::StateDict gradients;
  int64_t row = 0;
  for (const CornerBlock& block : plan.blocks(0)) {
    for (const model::Parameter* parameter : parameters) parameter->value.mutable_grad().reset();
    const auto alone = model::BatchNormPass::train({});
    const model::Generated generated = twin.encoder.generate(plan.corners[block.corner]);
    const at::Tensor embeddings = twin.heads.forward(
        head_of(twin.heads, block.corner),
        twin.encoder.forward(views.views_BCHW.narrow(0, row, 2 * block.count), generated, alone), alone);
    const double share = static_cast<double>(block.count) / static_cast<double>(plan.settings.global_batch);
    const at::Tensor part =
        share * objective::nt_xent(embeddings.narrow(0, 0, block.count), embeddings.narrow(0, block.count, block.count),
                                   plan.settings.objective.temperature,
                                   {.first = 0, .total = block.count, .n_ranks = 1}, {})
                    .loss;
    part.backward();
    CHECK(twin.encoder.generator_backward(generated, generated.gradients()).empty());
    loss += part.item<double>();
    for (const model::Parameter* parameter : parameters) {
      if (!parameter->value.grad().defined()) continue;
      at::Tensor& sum = gradients[parameter->name];
      sum = sum.defined() ? sum + parameter->value.grad() : parameter->value.grad().clone();
    }
    row += 2 * block.count;
  }
  CHECK(found_loss == Approx(loss).epsilon(1e-5));
  const model::StateDict after = weights_of(run.state);
  CHECK(gradients.size() == parameters.size());
  for (const auto& [name, gradient] : gradients) {
    INFO(name);
    const at::Tensor found = (before.at(name) - after.at(name)).to(at::kDouble);
    // The last term: what subtracting two floats of this size costs.
    CHECK(length(found - gradient) <= 1e-3 * length(gradient) + 2e-7 * length(before.at(name)) + 1e-7);
  }
}

TEST_CASE("in a mixed batch each picture's views have its own corner's operations", "[train][mpi]") {
  const auto comm = comm::Communicator::world();
  if (!comm.is_root()) return;
  const data::DataSplit pictures = made_pictures(30);
  const EncoderPlan plan = mixed_plan();
  const StepViews mixed = all_views(plan, pictures, 1);
  int64_t row = 0;
  for (const CornerBlock& block : plan.blocks(1)) {
    EncoderPlan single = small_plan();
    single.corners = {plan.corners[block.corner]};
    const StepViews of_corner = all_views(single, pictures, 1);
    CHECK(of_corner.pictures == mixed.pictures);
    for (int64_t view = 0; view < 2; ++view) {
      CHECK(at::equal(mixed.views_BCHW.narrow(0, row + view * block.count, block.count),
                      of_corner.views_BCHW.narrow(0, view * plan.settings.global_batch + block.first, block.count)));
    }
    row += 2 * block.count;
  }
  CHECK(row == 2 * plan.settings.global_batch);
}

TEST_CASE("the blocks of a batch cover it once, in order, one for each corner", "[train][mpi]") {
  EncoderPlan plan = mixed_plan();
  plan.settings.global_batch = GENERATE(6, 7, 8, 256);
  const std::vector<CornerBlock> blocks = plan.blocks(3);
  REQUIRE(blocks.size() == plan.corners.size());
  int64_t next = 0;
  for (size_t block = 0; block < blocks.size(); ++block) {
    CHECK(blocks[block].corner == block);
    CHECK(blocks[block].first == next);
    CHECK(std::abs(3 * blocks[block].count - plan.settings.global_batch) < 3);
    for (int64_t position = next; position < next + blocks[block].count; ++position)
      CHECK(block_of(blocks, position) == block);
    next += blocks[block].count;
  }
  CHECK(next == plan.settings.global_batch);
  plan.settings.corners_per_step = CornersPerStep::kOne;
  CHECK(plan.blocks(3).size() == 1);
  CHECK(plan.blocks(3).front().corner == plan.corner_index(3));
}

TEST_CASE("every rank holds the same weights after steps of mixed corners, and the log calls them mixed",
          "[train][mpi][uneven]") {
  const auto comm = comm::Communicator::world();
  const data::DataSplit pictures = made_pictures(30);
  const EncoderPlan plan = mixed_plan();
  Run run(plan, pictures, comm);
  for (int step = 0; step < 3; ++step) run.step(2e-3);
  for (const auto& [name, value] : everything(run.state)) {
    const at::Tensor all = comm.all_gather_rows(value.to(at::kDouble).flatten().unsqueeze(0));
    INFO(name);
    for (int64_t rank = 1; rank < all.size(0); ++rank) CHECK(at::equal(all[rank], all[0]));
  }
  CHECK(plan.corner_name(0) == "mixed");
}

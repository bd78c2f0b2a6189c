#include <ATen/ATen.h>

#include <numeric>
#include <set>

#include "tests/train/plain_moco.hpp"
#include "train/gather.hpp"
#include "train/trainer.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::train;
using namespace invaria::train::testing;
using objective::BatchNormScope;
using objective::Kind;

namespace {

/// Settings under which a step's change can be compared: see test_trainer.cpp.
EncoderPlan comparable(EncoderPlan plan) {
  plan.settings.optimizer.epsilon = 1e-3;
  plan.settings.optimizer.weight_decay = 0.3;
  return plan;
}

model::StateDict only_leaves(const model::StateDict& all, const model::StateDict& leaves) {
  model::StateDict some;
  for (const auto& [name, leaf] : leaves) some[name] = all.at(name);
  return some;
}

}  // namespace

TEST_CASE("a MoCo-v2 step is that of a plain process: loss, weights, averages and queue",
          "[train][mpi][oracle][uneven]") {
  const auto comm = comm::Communicator::world();
  const auto [scope, masks] =
      GENERATE(table<BatchNormScope, bool>({{BatchNormScope::kSync, true}, {BatchNormScope::kGroups, false}}));
  const data::DataSplit pictures = made_pictures(30);
  EncoderPlan plan = comparable(small_moco_plan(Kind::kMocoV2));
  plan.settings.objective.batch_norm = scope;
  plan.settings.objective.batch_norm_group = 5;  // over 4 ranks 3 3 2 2: groups lie across ranks
  plan.settings.objective.mask_own_keys = masks;
  Run run(plan, pictures, comm);
  PlainMocoV2 twin(plan, pictures, run.state);
  std::set<int64_t> corners;
  FarSteps far;
  for (int64_t step = 0; step < 8; ++step) {
    twin.load(run.state);
    const model::StateDict before = copy_of(PlainMoco::with_predictors(run.state));
    const model::StateDict momentum_before = copy_of(PlainMoco::momentum_of(run.state));
    corners.insert(head_of(run.state.heads, plan.corner_index(step)));
    const double loss = run.step(1e-3).loss;
    if (!comm.is_root()) continue;  // one twin is enough: that all ranks hold the same has a test of its own
    INFO("step " << step);
    CHECK(loss == Approx(twin.step(step, 1e-3)).epsilon(1e-5));
    constexpr double kTolerance = 1e-3;
    far.check(step, distance(PlainMoco::with_predictors(run.state), twin.query.state(), before), kTolerance);
    const model::StateDict momentum = PlainMoco::momentum_of(run.state);
    far.check(step, distance(only_leaves(momentum, twin.key.leaves), twin.key.leaves, momentum_before), kTolerance);
    const Distance off = distance(only_leaves(momentum, twin.key.buffers), twin.key.buffers, momentum_before);
    INFO(off.name);
    CHECK(off.worst < kTolerance);
    for (const auto& [corner, queue] : twin.queues) {
      const auto found = take_prefixed(run.state.objective->state(), fmt::format("queue.{}/", corner));
      CHECK(at::allclose(found.at("keys").to(at::kDouble), queue.keys, 0.0, 1e-4));
      CHECK(at::equal(found.at("pictures"), queue.pictures));
      CHECK(found.at("next").item<int64_t>() == queue.next);
    }
  }
  CHECK(corners.size() == 3);
  INFO(far.what());
  CHECK(far.count() <= 2);
}

TEST_CASE("a MoCo-v3 step is that of a plain process: loss, weights, predictors and averages",
          "[train][mpi][oracle][uneven]") {
  const auto comm = comm::Communicator::world();
  const data::DataSplit pictures = made_pictures(30);
  const EncoderPlan plan = comparable(small_moco_plan(Kind::kMocoV3));
  Run run(plan, pictures, comm);
  PlainMocoV3 twin(plan, pictures, run.state);
  FarSteps far;
  for (int64_t step = 0; step < 6; ++step) {
    twin.load(run.state);
    const model::StateDict before = copy_of(PlainMoco::with_predictors(run.state));
    const model::StateDict momentum_before = copy_of(PlainMoco::momentum_of(run.state));
    const double loss = run.step(1e-3).loss;
    if (!comm.is_root()) continue;
    INFO("step " << step);
    CHECK(loss == Approx(twin.step(step, 1e-3)).epsilon(1e-5));
    constexpr double kTolerance = 1e-2;
    model::StateDict expected = twin.query.state();
    // What a predictor's first layer makes of normalised embeddings has mean zero, but for rounding.
    for (int head = 0; head < 3; ++head) expected.erase(fmt::format("predictor.{}.bn1.running_mean", head));
    far.check(step, distance(PlainMoco::with_predictors(run.state), expected, before), kTolerance);
    const model::StateDict momentum = PlainMoco::momentum_of(run.state);
    far.check(step, distance(only_leaves(momentum, twin.key.leaves), twin.key.leaves, momentum_before), kTolerance);
  }
  INFO(far.what());
  CHECK(far.count() <= 2);
}

TEST_CASE("queues are the same on every rank, and those of one process", "[train][mpi][property][uneven]") {
  const auto comm = comm::Communicator::world();
  const auto scope = GENERATE(BatchNormScope::kSync, BatchNormScope::kGroups);
  const data::DataSplit pictures = made_pictures(30);
  EncoderPlan plan = small_moco_plan(Kind::kMocoV2, Algorithm::kSgd);
  plan.settings.objective.batch_norm = scope;
  plan.settings.objective.batch_norm_group = 5;
  const auto alone = comm::Communicator::alone();
  Run shared(plan, pictures, comm);
  Run single(plan, pictures, alone);
  for (int step = 0; step < 6; ++step) {
    shared.step(1e-5);
    single.step(1e-5);
  }
  const model::StateDict expected = single.state.objective->state();
  for (const auto& [name, value] : shared.state.objective->state()) {
    INFO(name);
    const at::Tensor all = comm.all_gather_rows(value.to(at::kDouble).flatten().unsqueeze(0));
    for (int64_t rank = 1; rank < all.size(0); ++rank) CHECK(at::equal(all[rank], all[0]));
    if (!name.starts_with("queue.")) continue;
    if (name.ends_with("keys")) {
      CHECK(at::allclose(value, expected.at(name), 0.0, 1e-4));
    } else {
      CHECK(at::equal(value, expected.at(name)));
    }
  }
}

TEST_CASE("keys never mix corners, and a corner's projectors move in its own steps alone", "[train][mpi]") {
  const auto comm = comm::Communicator::world();
  const data::DataSplit pictures = made_pictures(30);
  EncoderPlan plan = small_moco_plan(Kind::kMocoV2);
  plan.settings.projection.per_corner = GENERATE(true, false);
  Run run(plan, pictures, comm);
  std::vector<int64_t> pushed(3, 0);
  for (int64_t step = 0; step < 8; ++step) {
    const size_t drawn = run.plan.corner_index(step);
    const int64_t head = head_of(run.state.heads, drawn);
    pushed[drawn] += run.plan.settings.global_batch;
    const model::StateDict before = copy_of(run.state.objective->state());
    run.step(2e-3);
    for (const auto& [name, value] : run.state.objective->state()) {
      const bool of_a_corner = name.starts_with("queue.") || name.starts_with("momentum/heads/projector.");
      if (!of_a_corner) continue;
      const bool of_the_drawn = name.starts_with(fmt::format("queue.{}/", drawn)) ||
                                name.starts_with(fmt::format("momentum/heads/projector.{}.", head));
      INFO(name << " at step " << step);
      CHECK(at::equal(value, before.at(name)) == !of_the_drawn);
    }
  }
  for (size_t corner = 0; corner < 3; ++corner) {
    const auto queue = take_prefixed(run.state.objective->state(), fmt::format("queue.{}/", corner));
    CHECK(queue.at("next").item<int64_t>() == pushed[corner] % 24);
    CHECK((queue.at("pictures") >= 0).sum().item<int64_t>() == std::min<int64_t>(pushed[corner], 24));
  }
}

TEST_CASE("the ranks' key views are a permutation of the batch, drawn anew each step, and queries stay in place",
          "[train][mpi][property]") {
  EncoderPlan plan = small_moco_plan(Kind::kMocoV2);
  plan.settings.objective.batch_norm = BatchNormScope::kGroups;
  plan.settings.objective.batch_norm_group = 5;
  const TrainState state(plan);
  const int world = GENERATE(1, 2, 3, 4);
  std::set<std::vector<int64_t>> orders;
  for (int64_t step = 0; step < 5; ++step) {
    std::vector<int64_t> keys;
    for (int rank = 0; rank < world; ++rank) {
      const data::Share share = data::local_share(10, rank, world);
      const std::vector<ViewPlace> places = state.objective->views(step, plan.blocks(step), share);
      CHECK(static_cast<int64_t>(places.size()) == 2 * share.count);
      for (int64_t index = 0; index < share.count; ++index) {
        CHECK(places[static_cast<size_t>(index)] == ViewPlace{share.first + index, 0});
        CHECK(places[static_cast<size_t>(share.count + index)].view == 1);
        keys.push_back(places[static_cast<size_t>(share.count + index)].position);
      }
    }
    orders.insert(keys);
    std::sort(keys.begin(), keys.end());
    std::vector<int64_t> all(10);
    std::iota(all.begin(), all.end(), 0);
    CHECK(keys == all);
  }
  CHECK(orders.size() == 5);
}

TEST_CASE("shuffled and put back, keys are those of the unshuffled batch", "[train][mpi][property][uneven]") {
  const auto comm = comm::Communicator::world();
  const data::DataSplit pictures = made_pictures(30);
  EncoderPlan plan = small_moco_plan(Kind::kMocoV2);
  Run synchronised(plan, pictures, comm);
  // One group of the whole batch: statistics that do not see the order.
  plan.settings.objective.batch_norm = BatchNormScope::kGroups;
  plan.settings.objective.batch_norm_group = 10;
  Run shuffled(plan, pictures, comm);
  CHECK(synchronised.step(1e-3).loss == Approx(shuffled.step(1e-3).loss).epsilon(1e-5));
  const model::StateDict found = shuffled.state.objective->state();
  for (const auto& [name, value] : synchronised.state.objective->state()) {
    if (!name.starts_with("queue.")) continue;
    INFO(name);
    CHECK(at::allclose(found.at(name).to(at::kDouble), value.to(at::kDouble), 0.0, 1e-4));
  }
}

TEST_CASE("MoCo-v3's loss is the same with its views swapped", "[train][mpi][property]") {
  const auto comm = comm::Communicator::world();
  const EncoderPlan plan = small_moco_plan(Kind::kMocoV3);
  double waited_s = 0.0;
  Ranks ranks{static_cast<size_t>(comm.rank()), {}, gather_with_gradient(comm, waited_s), {}, {}};
  for (int rank = 0; rank < comm.size(); ++rank) ranks.shares.push_back(data::local_share(10, rank, comm.size()));
  ranks.gather_values = [comm](const at::Tensor& rows) { return comm.all_gather_rows(rows); };
  ranks.sum_over_ranks = [&](at::Tensor& tensor) { comm.all_reduce_sum(tensor); };
  const int64_t n = ranks.share().count;
  const at::Tensor views = [&] {
    at::Tensor values = at::empty({2 * n, 3, 32, 32});
    Draws draws({.seed = 3, .sample = static_cast<uint64_t>(comm.rank())});
    for (int64_t index = 0; index < values.numel(); ++index)
      values.data_ptr<float>()[index] = static_cast<float>(draws.normal());
    return values;
  }();
  const at::Tensor swapped = at::cat({views.narrow(0, n, n), views.narrow(0, 0, n)});
  const std::vector<int64_t> batch(10, 0);
  const std::vector<CornerBlock> blocks{{1, 0, 10}};
  TrainState state(plan);
  const auto evaluate = [&](const at::Tensor& both) {
    const model::Generated generated = state.encoder.generate(plan.corners[1]);
    const std::vector<ViewPlace> places = both_views(blocks, ranks.share());
    const Evaluation evaluation =
        state.objective->evaluate({plan, 0, blocks, both, places, batch, state.encoder, state.heads, generated}, ranks);
    return std::pair(evaluation.contrast.loss.item<double>(), evaluation.contrast.top1.item<double>());
  };
  const auto straight = evaluate(views);
  CHECK(evaluate(swapped) == straight);
  const at::Tensor other = at::cat({views.narrow(0, 0, n), views.narrow(0, 0, n)});
  CHECK(evaluate(other) != straight);
}

TEST_CASE("masking a picture's own keys takes them out of the negatives", "[train][mpi]") {
  const auto comm = comm::Communicator::world();
  const data::DataSplit pictures = made_pictures(10);  // every batch is the whole data set
  EncoderPlan plan = small_moco_plan(Kind::kMocoV2);
  plan.corners = {{1, 1}};
  plan.settings.objective.queue = 10;
  const auto losses = [&](bool masks) {
    plan.settings.objective.mask_own_keys = masks;
    Run run(plan, pictures, comm);
    const double first = run.step(1e-3).loss;
    return std::pair(first, run.step(1e-3).loss);
  };
  const auto masked = losses(true), plain = losses(false);
  CHECK(masked.first == plain.first);   // random keys belong to no picture
  CHECK(masked.second < plain.second);  // one negative less, and a near one
}

TEST_CASE("MoCo trains a vision transformer alike on any number of ranks, and leaves a frozen patch projection alone",
          "[train][mpi][property][uneven]") {
  const auto comm = comm::Communicator::world();
  const auto kind = GENERATE(Kind::kMocoV2, Kind::kMocoV3, Kind::kSimclr);
  const data::DataSplit pictures = made_pictures(30);
  EncoderPlan plan = small_moco_plan(kind, Algorithm::kSgd);
  plan.settings.model = {};
  plan.settings.model.backbone = model::Architecture::kVitTiny;
  plan.settings.model.conditioning = model::Conditioning::kPrompt;
  plan.settings.model.vit.patch = 8;
  plan.settings.model.vit.width = 24;
  plan.settings.model.vit.depth = 2;
  plan.settings.model.vit.drop_path = 0.5;  // drawn for each picture: which rank holds it must not matter
  plan.settings.model.vit.freeze_patch_projection = true;
  const auto alone = comm::Communicator::alone();
  Run shared(plan, pictures, comm), single(plan, pictures, alone);
  const model::StateDict before = copy_of(everything(shared.state));
  for (int step = 0; step < 4; ++step) CHECK(shared.step(1e-2).loss == Approx(single.step(1e-2).loss).epsilon(1e-3));
  const model::StateDict after = everything(shared.state);
  int64_t frozen = 0;
  for (const auto& [name, value] : before) {
    if (name.find("patch_embed.proj.") == std::string::npos) continue;
    INFO(name);
    CHECK(at::equal(after.at(name), value));
    ++frozen;
  }
  CHECK(frozen == (kind == Kind::kSimclr ? 2 : 4));  // the momentum encoder has one too
  CHECK_FALSE(at::equal(after.at("blocks.0.attn.qkv.weight"), before.at("blocks.0.attn.qkv.weight")));
}

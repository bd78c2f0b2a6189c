// Downstream numbers on one thread and on two: sums differ in their last bits at most.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "downstream/features.hpp"
#include "downstream/learned_invariance.hpp"
#include "tests/downstream/made.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::downstream;

namespace {

struct Numbers {
  at::Tensor features;
  at::Tensor scores;
  model::BatchNormStatistics statistics;
  LearnedInvariance projected;
  LearnedInvariance joint;
};

TaskData noise_task(const model::Encoder& encoder) {
  TaskData task;
  task.n_classes = 4;
  for (Samples* part : {&task.train, &task.validation, &task.test}) {
    part->labels_B = at::arange(48, at::kLong).remainder(4);
    const uint64_t sample = part == &task.train ? 81 : part == &task.validation ? 82 : 83;
    part->pictures =
        (noise({4, 3, 32, 32}, 80).index_select(0, part->labels_B) + noise({48, 3, 32, 32}, sample)).to(at::kFloat);
  }
  freeze(encoder);
  return task;
}

/// Everything an arm computes, on so many threads.
Numbers on_threads(int n_threads) {
  const int before = at::get_num_threads();
  at::set_num_threads(n_threads);
  const model::Encoder encoder = small_encoder(2);
  const TaskData task = noise_task(encoder);
  Numbers numbers;
  const model::Generated generated = encoder.generate({1, 0});
  numbers.statistics = reestimate_statistics(encoder, generated, task.train.pictures.all(), 16);
  const auto pass = model::BatchNormPass::with(numbers.statistics);
  numbers.features = extract_features(encoder, generated, pass, task.test.pictures.all());
  const Readout readout = fit_readout(
      {extract_features(encoder, generated, pass, task.train.pictures.all()), task.train.labels_B, {}, 4}, 1e-2, 500);
  numbers.scores = readout.predict(numbers.features);
  numbers.projected = learn_projected(encoder, task.train, 4, {.steps = 10}, 5, {});
  numbers.joint = learn_joint(encoder, task, {.epochs = 4}, Metric::kTop1, 5, {}).learned;
  at::set_num_threads(before);
  return numbers;
}

void check_close(const LearnedInvariance& found, const LearnedInvariance& expected) {
  REQUIRE(found.trajectory.loss.size() == expected.trajectory.loss.size());
  for (size_t step = 0; step < expected.trajectory.loss.size(); ++step) {
    const double loss = expected.trajectory.loss[step];
    CHECK(std::isnan(found.trajectory.loss[step]) == std::isnan(loss));
    if (!std::isnan(loss)) CHECK(found.trajectory.loss[step] == Approx(loss).epsilon(1e-3));
    for (size_t axis = 0; axis < 2; ++axis)
      CHECK(found.trajectory.invariance[step][axis] == Approx(expected.trajectory.invariance[step][axis]).margin(1e-3));
  }
}

}  // namespace

TEST_CASE("one thread and two give the same features to 1e-5, scores and learned i to 1e-3", "[downstream]") {
  const Numbers one = on_threads(1);
  const Numbers two = on_threads(2);
  CHECK(at::allclose(two.features, one.features, 1e-5, 1e-5));
  CHECK(at::allclose(two.scores, one.scores, 1e-3, 1e-3));
  for (size_t layer = 0; layer < one.statistics.mean_C.size(); ++layer) {
    CHECK(at::allclose(two.statistics.mean_C[layer], one.statistics.mean_C[layer], 1e-5, 1e-5));
    CHECK(at::allclose(two.statistics.var_C[layer], one.statistics.var_C[layer], 1e-5, 1e-5));
  }
  check_close(two.projected, one.projected);
  check_close(two.joint, one.joint);
}

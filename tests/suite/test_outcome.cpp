#include "suite/outcome.hpp"

#include <ATen/ATen.h>

#include <limits>

#include "tests/downstream/made.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::suite;

namespace {

/// Scores of two classes for n samples of class 0, right on the first so many.
Validated right_on(int64_t right, int64_t n) {
  at::Tensor scores_BC = at::zeros({n, 2}, at::kDouble);
  scores_BC.select(1, 1).fill_(0.5);
  scores_BC.select(1, 0).narrow(0, 0, right).fill_(1.0);
  return {static_cast<double>(right) / static_cast<double>(n), scores_BC};
}

}  // namespace

TEST_CASE("one point of i is better than another by so many standard errors of the paired difference", "[suite]") {
  downstream::TaskSettings settings;
  downstream::DownstreamSettings downstream;
  downstream::TaskData data;
  data.n_classes = 2;
  data.validation.labels_B = at::zeros({100}, at::kLong);
  const Judged task{settings, data, downstream, 0, 0};
  // Of 100 paired samples d are right in one alone: a difference of d %, its standard error about sqrt(d) %.
  const Validated base = right_on(50, 100);
  CHECK(is_better(task, right_on(51, 100), base, 0.0));
  CHECK_FALSE(is_better(task, right_on(50, 100), base, 0.0));
  CHECK_FALSE(is_better(task, right_on(49, 100), base, 0.0));
  CHECK(is_better(task, right_on(59, 100), base, 2.0));
  CHECK_FALSE(is_better(task, right_on(53, 100), base, 2.0));
  CHECK(is_better(task, right_on(53, 100), base, 1.0));
}

TEST_CASE("of an error less is better", "[suite]") {
  downstream::TaskSettings settings;
  settings.kind = downstream::TaskKind::kKeypoints;
  settings.metrics = {downstream::Metric::kNme};
  downstream::DownstreamSettings downstream;
  downstream::TaskData data;
  const Judged task{settings, data, downstream, 0, 0};
  CHECK(is_better(task, {0.1, {}}, {0.2, {}}, 0.0));
  CHECK_FALSE(is_better(task, {0.2, {}}, {0.1, {}}, 0.0));
}

TEST_CASE("a few-shot task is validated by its episodes, and points of i compared on the same ones", "[suite]") {
  downstream::TaskSettings settings;
  settings.name = "episodes";
  settings.kind = downstream::TaskKind::kFewShot;
  settings.data = "made";
  settings.few_shot = {.ways = 2, .shots = 2, .queries = 3, .validation_episodes = 50, .novel_classes = 4};
  const downstream::TaskData data = downstream::made_task(settings, downstream::made_dataset(10, 8));
  const downstream::DownstreamSettings downstream;
  const Judged task{settings, data, downstream, 0, 0};
  // Features that tell the base classes apart, and the novel ones not at all: what validation must not see.
  at::Tensor telling = at::zeros({data.pool.size(), 8});
  for (const downstream::Samples* part : {&data.train, &data.validation})
    telling.index_copy_(0, part->rows_B, at::one_hot(part->labels_B, 8).to(at::kFloat));
  telling.index_fill_(0, data.test.rows_B, std::numeric_limits<double>::quiet_NaN());  // as where nothing was read
  const Validated good = validated(task, telling);
  CHECK(good.value == 1.0);
  CHECK(good.scores.sizes() == at::IntArrayRef({50}));
  const Validated noise = validated(task, downstream::noise({data.pool.size(), 8}, 3, at::kFloat));
  CHECK(noise.value < 0.75);
  CHECK(is_better(task, good, noise, 3.0));
  CHECK_FALSE(is_better(task, noise, good, 0.0));

  // The error of a mean over episodes: of 50 differences 0.1 +- 0.3 it is 0.042.
  Validated a{0.6, at::full({50}, 0.6, at::kDouble)}, b{0.5, at::full({50}, 0.5, at::kDouble)};
  b.scores.narrow(0, 0, 25).add_(0.3);
  b.scores.narrow(0, 25, 25).sub_(0.3);
  CHECK(is_better(task, a, b, 2.0));
  CHECK_FALSE(is_better(task, a, b, 3.0));
}

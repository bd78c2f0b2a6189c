#include "suite/outcome.hpp"

#include <ATen/ATen.h>

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

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

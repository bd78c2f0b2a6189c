#include <ATen/ATen.h>

#include "downstream/metrics.hpp"
#include "tests/support/catch.hpp"

using namespace invaria::downstream;

TEST_CASE("top1 is the share of rows whose largest score is at the label", "[downstream]") {
  const at::Tensor scores = at::tensor({3., 1., 2., 0., 5., 1., 1., 0., 2., 9., 1., 0.}, at::kDouble).reshape({4, -1});
  CHECK(top1(scores, at::tensor({0, 1, 0, 0}, at::kLong)) == Approx(0.75));
}

TEST_CASE("mean_per_class weighs classes equally and leaves out those that do not occur", "[downstream]") {
  const at::Tensor scores = at::tensor({1., 0., 0., 1., 0., 0., 1., 0., 0., 0., 0., 1.}, at::kDouble).reshape({4, -1});
  // Class 0: 3 of 3; class 1: 0 of 1; class 2 does not occur.
  CHECK(mean_per_class(scores, at::tensor({0, 0, 0, 1}, at::kLong)) == Approx(0.5));
}

TEST_CASE("r2 of the mean is 0, of the truth 1, and is averaged over coordinates", "[downstream]") {
  const at::Tensor targets = at::tensor({1., 10., 2., 30., 3., 20.}, at::kDouble).reshape({3, -1});
  CHECK(r2(targets, targets) == Approx(1.0));
  CHECK(r2(targets.mean(0).expand_as(targets), targets) == Approx(0.0).margin(1e-12));
  at::Tensor half = targets.clone();
  half.select(1, 0).fill_(2.0);
  CHECK(r2(half, targets) == Approx(0.5));
}

TEST_CASE("r2_flat flatters a constant pose whose coordinates differ", "[downstream]") {
  const at::Tensor targets = at::tensor({1., 101., 3., 99.}, at::kDouble).reshape({2, -1});
  const at::Tensor constant = targets.mean(0).expand_as(targets);
  CHECK(r2(constant, targets) == Approx(0.0).margin(1e-12));
  CHECK(r2_flat(constant, targets) > 0.99);
}

#include <map>
#include <vector>

#include "tests/support/catch.hpp"
#include "train/pretrain_settings.hpp"

using namespace invaria;
using namespace invaria::train;

TEST_CASE("corners are drawn as often as their weights say, without weights alike", "[train][corners]") {
  EncoderPlan plan;
  plan.seed = 3;
  plan.corners = {{0, 1}, {1, 0}, {1, 1}};
  constexpr int64_t kSteps = 20000;
  const auto shares = [&] {
    std::vector<double> share(plan.corners.size());
    for (int64_t step = 0; step < kSteps; ++step) share.at(plan.corner_index(step)) += 1.0 / kSteps;
    return share;
  };
  for (const double share : shares()) CHECK(share == Approx(1.0 / 3).margin(0.015));
  plan.corner_weights = {1, 1, 6};
  const std::vector<double> weighted = shares();
  CHECK(weighted[0] == Approx(0.125).margin(0.01));
  CHECK(weighted[1] == Approx(0.125).margin(0.01));
  CHECK(weighted[2] == Approx(0.75).margin(0.015));
  const size_t drawn = plan.corner_index(7);
  plan.corner_weights = {10, 10, 60};  // only their proportions count
  CHECK(plan.corner_index(7) == drawn);
}

#include "core/errors.hpp"
#include "tests/support/catch.hpp"
#include "train/schedule.hpp"

using namespace invaria;
using namespace invaria::train;

TEST_CASE("the rate rises in equal parts to its peak", "[train][schedule]") {
  const ScheduleSettings settings{.learning_rate = 2.0, .warmup_fraction = 0.05};
  for (int64_t step = 0; step < 10; ++step) {
    CHECK(learning_rate(settings, step, 200) == Approx(0.2 * static_cast<double>(step + 1)));
  }
  CHECK(learning_rate(settings, 10, 200) == Approx(2.0));
}

TEST_CASE("after the warm-up the rate is half a cosine to the final fraction", "[train][schedule]") {
  const ScheduleSettings settings{.learning_rate = 2.0, .warmup_fraction = 0.2, .final_fraction = 0.25};
  CHECK(learning_rate(settings, 60, 100) == Approx(2.0 * (0.25 + 0.75 * 0.5)));  // half way
  CHECK(learning_rate(settings, 40, 100) == Approx(2.0 * (0.25 + 0.75 * 0.8535533906)));
  CHECK(learning_rate(settings, 99, 100) == Approx(0.5).epsilon(2e-3));
  for (int64_t step = 20; step < 99; ++step) {
    CHECK(learning_rate(settings, step + 1, 100) < learning_rate(settings, step, 100));
  }
}

TEST_CASE("a schedule may have no warm-up, nothing else, or one step", "[train][schedule]") {
  CHECK(learning_rate({.learning_rate = 1.0, .warmup_fraction = 0.0}, 0, 10) == 1.0);
  CHECK(learning_rate({.learning_rate = 1.0, .warmup_fraction = 1.0}, 9, 10) == 1.0);
  CHECK(learning_rate({.learning_rate = 1.0, .warmup_fraction = 0.05}, 0, 1) == 1.0);
  CHECK_THROWS_AS(learning_rate({}, 10, 10), PreconditionError);
  CHECK_THROWS_AS(learning_rate({}, -1, 10), PreconditionError);
}

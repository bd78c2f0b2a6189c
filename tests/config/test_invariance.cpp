#include "config/invariance.hpp"

#include "core/errors.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::config;

TEST_CASE("corners have bits, points have decimals", "[config]") {
  CHECK(bits({0, 1, 1}) == "011");
  CHECK(from_bits("10") == Invariance{1, 0});
  CHECK_THROWS_AS(from_bits("1x"), ConfigError);
  CHECK_THROWS_AS(bits({0.5}), PreconditionError);
  CHECK(to_string({0, 0.5}) == "0,0.5");
  CHECK(centre(3) == Invariance{0.5, 0.5, 0.5});
}

TEST_CASE("a grid is factorial, last axis fastest, and its coarsest is the corners", "[config]") {
  const auto points = grid(2, 3);
  REQUIRE(points.size() == 9);
  CHECK(points[1] == Invariance{0, 0.5});
  CHECK(points[8] == Invariance{1, 1});
  CHECK(all_corners(3).size() == 8);
  CHECK(bits(all_corners(3)[5]) == "101");
}

#include "core/philox.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "tests/support/catch.hpp"

using namespace invaria;

TEST_CASE("Philox gives the reference's known answers", "[core]") {
  using Words = std::array<uint32_t, 4>;
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("every part of an address changes the draws, and equal addresses agree", "[core]") {
  const DrawAddress base{.seed = 1, .purpose = Purpose::kTest, .epoch = 2, .sample = 3, .view = 4};
  const uint64_t first = Draws(base).next_u64();
  CHECK(Draws(base).next_u64() == first);
  DrawAddress other = base;
  SECTION("seed") {
    other.seed = 9;
  }
  SECTION("purpose") {
    other.purpose = Purpose::kCrop;
  }
  SECTION("epoch") {
    other.epoch = 9;
  }
  SECTION("sample") {
    other.sample = 9;
  }
  SECTION("view") {
    other.view = 9;
  }
  CHECK(Draws(other).next_u64() != first);
}

TEST_CASE("uniform, normal and bounded draws have their distributions", "[core]") {
  Draws draws({.seed = 5});
  constexpr int kN = 40000;
  double sum = 0.0, squares = 0.0, normal_sum = 0.0, normal_squares = 0.0;
  std::array<int, 6> counts{};
  for (int n = 0; n < kN; ++n) {
    const double u = draws.uniform();
    REQUIRE((u >= 0.0 && u < 1.0));
    sum += u;
    squares += u * u;
    const double z = draws.normal();
    normal_sum += z;
    normal_squares += z * z;
    ++counts[static_cast<size_t>(draws.below(6))];
  }
  // Four standard errors.
  CHECK(std::abs(sum / kN - 0.5) < 4 * std::sqrt(1.0 / 12 / kN));
  CHECK(std::abs(squares / kN - 1.0 / 3) < 4 * std::sqrt(4.0 / 45 / kN));
  CHECK(std::abs(normal_sum / kN) < 4 / std::sqrt(kN));
  CHECK(std::abs(normal_squares / kN - 1.0) < 4 * std::sqrt(2.0 / kN));
  for (int count : counts) CHECK(std::abs(count - kN / 6.0) < 4 * std::sqrt(kN / 6.0));
  CHECK_THROWS(draws.below(0));
}

TEST_CASE("a shuffle is a permutation", "[core]") {
  std::vector<int64_t> values(100);
  std::iota(values.begin(), values.end(), 0);
  Draws({.seed = 6}).shuffle(std::span(values));
  CHECK_FALSE(std::is_sorted(values.begin(), values.end()));
  std::sort(values.begin(), values.end());
  for (int64_t n = 0; n < 100; ++n) CHECK(values[static_cast<size_t>(n)] == n);
}

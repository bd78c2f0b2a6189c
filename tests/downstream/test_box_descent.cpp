#include <cmath>
#include <stdexcept>

#include "downstream/box_descent.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::downstream;

namespace {

/// A bowl with axes that lean into one another, its lowest point at `lowest`, its height times `scale`.
BoxFunction bowl(config::Invariance lowest, double scale, std::vector<config::Invariance>* visited = nullptr) {
  return [=](const config::Invariance& at) {
    if (visited != nullptr) visited->push_back(at);
    const double x = at[0] - lowest[0], y = at[1] - lowest[1];
    return PointValue{scale * (2 * x * x + 1.5 * x * y + y * y),
                      {scale * (4 * x + 1.5 * y), scale * (1.5 * x + 2 * y)}};
  };
}

}  // namespace

TEST_CASE("the quasi-Newton descent finds the lowest point inside the box in a few evaluations", "[downstream]") {
  std::vector<config::Invariance> visited;
  const config::Invariance found = descend_quasi_newton({0.5, 0.5}, bowl({0.8, 0.3}, 3.0, &visited), 30);
  CHECK(found[0] == Approx(0.8).margin(0.01));
  CHECK(found[1] == Approx(0.3).margin(0.01));
  CHECK(visited.size() <= 12);
}

TEST_CASE("the quasi-Newton descent stays in the box and ends at its lowest point", "[downstream]") {
  std::vector<config::Invariance> visited;
  const config::Invariance found = descend_quasi_newton({0.5, 0.5}, bowl({1.6, 0.4}, 1.0, &visited), 30);
  for (const config::Invariance& at : visited) {
    for (double value : at) CHECK((value >= 0.0 && value <= 1.0));
  }
  // On x = 1 the slope in y is 1.5 (1 - 1.6) + 2 (y - 0.4): zero at 0.85.
  CHECK(found[0] == 1.0);
  CHECK(found[1] == Approx(0.85).margin(0.01));
}

TEST_CASE("the quasi-Newton descent takes the same way whatever the function's scale", "[downstream]") {
  std::vector<config::Invariance> large, small;
  descend_quasi_newton({0.5, 0.5}, bowl({0.8, 0.3}, 1.0, &large), 30);
  descend_quasi_newton({0.5, 0.5}, bowl({0.8, 0.3}, 1e-5, &small), 30);
  REQUIRE(large.size() == small.size());
  for (size_t point = 0; point < large.size(); ++point) {
    for (size_t axis : {0, 1}) CHECK(small[point][axis] == Approx(large[point][axis]).margin(1e-9));
  }
}

TEST_CASE("the quasi-Newton descent keeps to its evaluations and returns the best point among them", "[downstream]") {
  std::vector<config::Invariance> visited;
  const BoxFunction function = bowl({0.9, 0.1}, 1.0, &visited);
  const config::Invariance found = descend_quasi_newton({0.5, 0.5}, function, 3);
  REQUIRE(visited.size() <= 3);
  const std::vector<config::Invariance> points = visited;
  for (const config::Invariance& at : points) CHECK(function(found).value <= function(at).value);
}

TEST_CASE("what the function throws leaves the quasi-Newton descent, and a flat function ends it", "[downstream]") {
  int calls = 0;
  const BoxFunction breaks = [&](const config::Invariance&) {
    if (++calls == 2) throw std::runtime_error("stopped");
    return PointValue{1.0, {0.5, -0.5}};
  };
  CHECK_THROWS_AS(descend_quasi_newton({0.5, 0.5}, breaks, 10), std::runtime_error);
  CHECK(calls == 2);
  const BoxFunction flat = [](const config::Invariance&) { return PointValue{1.0, {0.0, 0.0}}; };
  CHECK(descend_quasi_newton({0.5, 0.5}, flat, 10) == config::Invariance{0.5, 0.5});
}

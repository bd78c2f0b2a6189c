#include <ATen/ATen.h>

#include <cmath>

#include "core/errors.hpp"
#include "objective/embedding_health.hpp"
#include "tests/objective/embeddings.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::objective;
using namespace invaria::objective::testing;

TEST_CASE("alignment, uniformity and deviation are their equations, pair by pair", "[objective][oracle]") {
  const int64_t n = GENERATE(2, 7);
  const at::Tensor x = unit_rows(random_embeddings(n, 5, 1));
  const at::Tensor y = unit_rows(x + 0.5 * random_embeddings(n, 5, 2));
  double alignment = 0.0, uniformity = 0.0, deviation = 0.0;
  for (int64_t row = 0; row < n; ++row) alignment += std::pow((x[row] - y[row]).norm().item<double>(), 2) / double(n);
  for (const at::Tensor& view : {x, y}) {
    double sum = 0.0;
    for (int64_t a = 0; a < n; ++a) {
      for (int64_t b = 0; b < n; ++b) {
        if (a != b) sum += std::exp(-2.0 * std::pow((view[a] - view[b]).norm().item<double>(), 2));
      }
    }
    uniformity += std::log(sum / double(n * (n - 1))) / 2.0;
    for (int64_t channel = 0; channel < 5; ++channel) {
      const at::Tensor values = view.select(1, channel);
      deviation += std::sqrt(5.0) * std::sqrt((values - values.mean()).square().mean().item<double>()) / 5.0 / 2.0;
    }
  }
  const EmbeddingHealth found = embedding_health(x, y);
  CHECK(found.alignment.item<double>() == Approx(alignment).epsilon(1e-10));
  CHECK(found.uniformity.item<double>() == Approx(uniformity).epsilon(1e-10));
  CHECK(found.deviation.item<double>() == Approx(deviation).epsilon(1e-10));
}

TEST_CASE("a point has no deviation, a sphere all of it", "[objective]") {
  const at::Tensor point = unit_rows(at::ones({50, 16}));
  const EmbeddingHealth collapsed = embedding_health(point, point);
  CHECK(collapsed.deviation.item<double>() < kCollapsedDeviation);
  CHECK(collapsed.alignment.item<double>() == Approx(0.0).margin(1e-12));
  CHECK(collapsed.uniformity.item<double>() == Approx(0.0).margin(1e-12));
  const at::Tensor sphere = unit_rows(random_embeddings(2000, 16, 1));
  const EmbeddingHealth spread = embedding_health(sphere, unit_rows(random_embeddings(2000, 16, 2)));
  CHECK(spread.deviation.item<double>() == Approx(1.0).epsilon(0.02));
  CHECK(spread.alignment.item<double>() == Approx(2.0).epsilon(0.05));
  CHECK(spread.uniformity.item<double>() < -3.0);
}

TEST_CASE("embedding health refuses views that do not fit", "[objective]") {
  const at::Tensor x = random_embeddings(3, 4, 1);
  CHECK_THROWS_AS(embedding_health(x, random_embeddings(2, 4, 1)), PreconditionError);
  CHECK_THROWS_AS(embedding_health(x.narrow(0, 0, 1), x.narrow(0, 0, 1)), PreconditionError);
}

#include "suite/scaling.hpp"

#include "tests/suite/small_suite.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::suite;

namespace {

constexpr StepTime kTime{.fixed_s = 0.01, .picture_s = 0.003};
constexpr Network kNetwork{.latency_s = 1e-5, .bytes_per_s = 1e9};

}  // namespace

TEST_CASE("a step on one rank says nothing", "[suite][scaling]") {
  const ScaledStep step = scaled_step(kTime, {1e9, 1e6, 100}, kNetwork, 64, 1);
  CHECK(step.compute_s == Approx(0.01 + 64 * 0.003));
  CHECK(step.exposed_s == 0.0);
}

TEST_CASE("gradients travel behind the backward pass, as far as it goes", "[suite][scaling]") {
  constexpr double kGathers_s = 2 * 2 * 1e-5;  // of embeddings, there and back: two rounds of no bytes
  // 16 pictures each: 0.048 s, of which 0.032 s backward. 10 MB over 4 ranks in a ring: 1.5 x 0.01 s and six latencies.
  const ScaledStep hidden = scaled_step(kTime, {.gradient_bytes = 1e7}, kNetwork, 64, 4);
  CHECK(hidden.compute_s == Approx(0.058));
  CHECK(hidden.exposed_s == Approx(kGathers_s));
  const ScaledStep exposed = scaled_step(kTime, {.gradient_bytes = 4e7}, kNetwork, 64, 4);
  CHECK(exposed.exposed_s == Approx(1.5 * 0.04 + 6e-5 - 0.032 + kGathers_s));
  // The rank with the most pictures decides.
  CHECK(scaled_step(kTime, {}, kNetwork, 65, 4).compute_s == Approx(0.01 + 17 * 0.003));
}

TEST_CASE("small sums wait for latencies alone, embeddings travel both ways", "[suite][scaling]") {
  // Recursive doubling over 8 ranks: three rounds.
  CHECK(scaled_step(kTime, {.small_sums = 50}, kNetwork, 64, 8).exposed_s == Approx((50 + 2) * 3 * 1e-5));
  CHECK(scaled_step(kTime, {.embedding_bytes = 1000}, kNetwork, 64, 8).exposed_s ==
        Approx(2 * (3 * 1e-5 + 7.0 / 8.0 * 64000 / 1e9)));
}

TEST_CASE("what a step says follows from the encoder: a hypernetwork's matrices do not travel", "[suite][scaling]") {
  train::EncoderPlan plan;
  plan.settings.model.width = 4;
  plan.settings.projection = {.hidden = 12, .out = 8};
  plan.settings.view_size = 32;
  plan.corners = {{1.0, 1.0}};
  plan.axes = augment::default_axes();
  const StepMessages conditioned = messages_of(plan);
  plan.settings.model.conditioning = model::Conditioning::kNone;
  const StepMessages plain = messages_of(plan);
  // 20 normalisations of a ResNet-18, one of the head.
  CHECK(plain.small_sums == 2 * 21);
  CHECK(conditioned.small_sums == plain.small_sums);
  CHECK(plain.embedding_bytes == 2 * 8 * sizeof(float));
  CHECK(conditioned.gradient_bytes > plain.gradient_bytes);
  CHECK(conditioned.gradient_bytes < 3 * plain.gradient_bytes);  // the matrices alone are 32 times as large
}

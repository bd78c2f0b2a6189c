#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "core/errors.hpp"
#include "objective/info_nce.hpp"
#include "objective/settings.hpp"
#include "tests/objective/embeddings.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::objective;
using namespace invaria::objective::testing;

namespace {

double scalar_product(const at::Tensor& a, const at::Tensor& b) {
  double sum = 0.0;
  for (int64_t channel = 0; channel < a.size(0); ++channel)
    sum += a[channel].item<double>() * b[channel].item<double>();
  return sum;
}

struct Plain {
  double loss = 0.0;
  double top1 = 0.0;
};

/// The equation for one query: its positive's score beside those of its negatives.
Plain plain_query(double positive, const std::vector<double>& negatives, double temperature) {
  double sum = std::exp(positive / temperature);
  bool highest = true;
  for (const double negative : negatives) {
    sum += std::exp(negative / temperature);
    highest = highest && negative < positive;
  }
  return {std::log(sum) - positive / temperature, highest ? 1.0 : 0.0};
}

Plain plain_in_batch(const at::Tensor& query, const at::Tensor& keys, double temperature) {
  Plain mean;
  const int64_t n = query.size(0);
  for (int64_t q = 0; q < n; ++q) {
    std::vector<double> negatives;
    for (int64_t k = 0; k < n; ++k) {
      if (k != q) negatives.push_back(scalar_product(query[q], keys[k]));
    }
    const Plain one = plain_query(scalar_product(query[q], keys[q]), negatives, temperature);
    mean.loss += one.loss / static_cast<double>(n);
    mean.top1 += one.top1 / static_cast<double>(n);
  }
  return mean;
}

}  // namespace

TEST_CASE("InfoNCE in the batch is the double loop of its equation", "[objective][oracle]") {
  const int64_t n = GENERATE(1, 2, 9);
  const double temperature = GENERATE(0.07, 0.2, 1.0);
  const at::Tensor query = unit_rows(random_embeddings(n, 5, 1));
  const at::Tensor keys = unit_rows(query + 0.7 * random_embeddings(n, 5, 2));
  const Plain plain = plain_in_batch(query, keys, temperature);
  const Contrast found = info_nce(query, keys, temperature, alone(n));
  CHECK(found.loss.item<double>() == Approx(plain.loss).epsilon(1e-12).margin(1e-12));
  CHECK(found.top1.item<double>() == Approx(plain.top1));
}

TEST_CASE("InfoNCE with a queue is the double loop of its equation, without the excluded keys", "[objective][oracle]") {
  const double temperature = GENERATE(0.07, 0.5);
  const bool excludes = GENERATE(false, true);
  constexpr int64_t n = 4, remembered = 7;
  const at::Tensor query = unit_rows(random_embeddings(n, 5, 1));
  const at::Tensor positive = unit_rows(query + 0.5 * random_embeddings(n, 5, 2));
  const at::Tensor queue = unit_rows(random_embeddings(remembered, 5, 3));
  at::Tensor excluded;
  if (excludes) excluded = random_embeddings(n, remembered, 4) > 0.3;
  Plain plain;
  for (int64_t q = 0; q < n; ++q) {
    std::vector<double> negatives;
    for (int64_t k = 0; k < remembered; ++k) {
      if (!excludes || !excluded[q][k].item<bool>()) negatives.push_back(scalar_product(query[q], queue[k]));
    }
    const Plain one = plain_query(scalar_product(query[q], positive[q]), negatives, temperature);
    plain.loss += one.loss / n;
    plain.top1 += one.top1 / n;
  }
  const Contrast found = info_nce(query, positive, {queue, excluded}, temperature, alone(n));
  CHECK(found.loss.item<double>() == Approx(plain.loss).epsilon(1e-12));
  CHECK(found.top1.item<double>() == Approx(plain.top1));
}

TEST_CASE("splitting the queries over ranks keeps the mean loss and gradient of InfoNCE", "[objective][property]") {
  const std::vector<int64_t> shares =
      GENERATE(values<std::vector<int64_t>>({{12}, {6, 6}, {5, 3, 4}, {1, 11}, {12, 0}}));
  const bool with_queue = GENERATE(false, true);
  constexpr int64_t n = 12;
  const auto n_ranks = static_cast<int64_t>(shares.size());
  const at::Tensor embeddings = random_embeddings(n, 6, 1);
  const at::Tensor keys = unit_rows(embeddings + random_embeddings(n, 6, 2));
  const at::Tensor queue = unit_rows(random_embeddings(30, 6, 3));
  const auto evaluate = [&](const at::Tensor& leaf, const BatchPlace& place, int64_t count) {
    const at::Tensor query = unit_rows(leaf.narrow(0, place.first, count));
    return with_queue ? info_nce(query, keys.narrow(0, place.first, count), {queue, {}}, 0.2, place)
                      : info_nce(query, keys, 0.2, place);
  };
  const at::Tensor whole_leaf = embeddings.clone().requires_grad_();
  const Contrast whole = evaluate(whole_leaf, alone(n), n);
  whole.loss.backward();

  const at::Tensor split_leaf = embeddings.clone().requires_grad_();
  double loss = 0.0, top1 = 0.0;
  int64_t first = 0;
  for (const int64_t share : shares) {
    const Contrast part = evaluate(split_leaf, {.first = first, .total = n, .n_ranks = n_ranks}, share);
    (part.loss / n_ranks).backward();
    loss += part.loss.item<double>() / static_cast<double>(n_ranks);
    top1 += part.top1.item<double>() / static_cast<double>(n_ranks);
    first += share;
  }
  CHECK(loss == Approx(whole.loss.item<double>()).epsilon(1e-12));
  CHECK(top1 == Approx(whole.top1.item<double>()));
  CHECK(at::allclose(split_leaf.grad(), whole_leaf.grad(), 1e-10, 1e-14));
}

TEST_CASE("InfoNCE's gradient is the slope of its loss and reaches no key", "[objective][gradient]") {
  const at::Tensor query = random_embeddings(3, 4, 1).requires_grad_();
  const at::Tensor keys = random_embeddings(3, 4, 2).requires_grad_();
  const at::Tensor queue = random_embeddings(5, 4, 3).requires_grad_();
  const bool with_queue = GENERATE(false, true);
  const auto loss = [&](const at::Tensor& rows) {
    return with_queue ? info_nce(rows, keys, {queue, {}}, 0.5, alone(3)).loss
                      : info_nce(rows, keys, 0.5, alone(3)).loss;
  };
  loss(query).backward();
  CHECK_FALSE(keys.grad().defined());
  CHECK_FALSE(queue.grad().defined());
  constexpr double kStep = 1e-6;
  for (int64_t index = 0; index < query.numel(); ++index) {
    const auto at = [&](double delta) {
      const at::Tensor moved = query.detach().clone();
      moved.view(-1)[index] += delta;
      return loss(moved).item<double>();
    };
    CHECK(query.grad().view(-1)[index].item<double>() ==
          Approx((at(kStep) - at(-kStep)) / (2 * kStep)).epsilon(1e-6).margin(1e-8));
  }
}

TEST_CASE("InfoNCE refuses shapes and places that do not fit", "[objective]") {
  const at::Tensor rows = random_embeddings(4, 3, 1);
  CHECK_THROWS_AS(info_nce(rows, random_embeddings(3, 3, 2), 0.2, alone(4)), PreconditionError);
  CHECK_THROWS_AS(info_nce(rows, rows, 0.2, {.first = 1, .total = 4, .n_ranks = 2}), PreconditionError);
  CHECK_THROWS_AS(info_nce(rows, random_embeddings(3, 3, 2), {rows, {}}, 0.2, alone(4)), PreconditionError);
  CHECK_THROWS_AS(info_nce(rows, rows, {random_embeddings(5, 2, 2), {}}, 0.2, alone(4)), PreconditionError);
  CHECK_THROWS_AS(info_nce(rows, rows, {rows, at::zeros({4, 3}, at::kBool)}, 0.2, alone(4)), PreconditionError);
}

TEST_CASE("the momentum is constant, or rises along a cosine and ends at one", "[objective][property]") {
  ObjectiveSettings settings;
  settings.momentum = 0.9;
  for (const int64_t step : {0, 5, 10}) CHECK(momentum_at(settings, step, 10) == 0.9);
  settings.momentum_schedule = MomentumSchedule::kCosine;
  CHECK(momentum_at(settings, 0, 10) == Approx(0.9));
  CHECK(momentum_at(settings, 5, 10) == Approx(0.95));
  CHECK(momentum_at(settings, 10, 10) == 1.0);
  for (int64_t step = 0; step < 10; ++step)
    CHECK(momentum_at(settings, step, 10) < momentum_at(settings, step + 1, 10));
  CHECK_THROWS_AS(momentum_at(settings, 11, 10), PreconditionError);
}

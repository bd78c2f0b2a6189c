#include <ATen/ATen.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "core/errors.hpp"
#include "objective/nt_xent.hpp"
#include "tests/objective/embeddings.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::objective;
using namespace invaria::objective::testing;

namespace {

struct Plain {
  double loss = 0.0;
  double top1 = 0.0;
};

// The equation as printed: two loops over anchors and candidates.
Plain plain_nt_xent(const at::Tensor& views_1, const at::Tensor& views_2, double temperature) {
  const at::Tensor z = at::cat({views_1, views_2}).to(at::kDouble).contiguous();
  const int64_t n = views_1.size(0);
  const int64_t channels = z.size(1);
  const double* values = z.data_ptr<double>();
  const auto dot = [&](int64_t a, int64_t b) {
    return std::inner_product(values + a * channels, values + (a + 1) * channels, values + b * channels, 0.0);
  };
  Plain mean;
  for (int64_t anchor = 0; anchor < 2 * n; ++anchor) {
    const int64_t positive = (anchor + n) % (2 * n);
    const auto score = [&](int64_t other) {
      return dot(anchor, other) / std::sqrt(dot(anchor, anchor) * dot(other, other)) / temperature;
    };
    double sum = 0.0;
    bool highest = true;
    for (int64_t other = 0; other < 2 * n; ++other) {
      if (other == anchor) continue;
      sum += std::exp(score(other));
      if (other != positive && score(other) >= score(positive)) highest = false;
    }
    mean.loss += (std::log(sum) - score(positive)) / static_cast<double>(2 * n);
    mean.top1 += (highest ? 1.0 : 0.0) / static_cast<double>(2 * n);
  }
  return mean;
}

}  // namespace

TEST_CASE("NT-Xent is the double loop of its equation", "[objective][oracle]") {
  const int64_t n = GENERATE(1, 2, 7, 32, 300);  // of the last the anchors do not fit into one tile
  const double temperature = GENERATE(0.07, 0.2, 1.0);
  const at::Tensor views_1 = random_embeddings(n, 5, 1);
  const at::Tensor views_2 = views_1 + 0.7 * random_embeddings(n, 5, 2);

  const Plain plain = plain_nt_xent(views_1, views_2, temperature);
  const auto precise = nt_xent(views_1, views_2, temperature, alone(n), {});
  CHECK(precise.loss.item<double>() == Approx(plain.loss).epsilon(1e-12).margin(1e-12));
  CHECK(precise.top1.item<double>() == Approx(plain.top1));
  const auto single = nt_xent(views_1.to(at::kFloat), views_2.to(at::kFloat), temperature, alone(n), {});
  CHECK(single.loss.item<double>() == Approx(plain.loss).epsilon(1e-5).margin(1e-6));
  CHECK(single.loss.scalar_type() == at::kFloat);
}

TEST_CASE("splitting the batch over ranks keeps the mean loss and its gradients", "[objective][property]") {
  const std::vector<int64_t> shares =
      GENERATE(values<std::vector<int64_t>>({{12}, {6, 6}, {3, 3, 3, 3}, {5, 3, 4}, {1, 11}, {12, 0}}));
  const int64_t n = 12;
  const int64_t n_ranks = static_cast<int64_t>(shares.size());
  const at::Tensor views_1 = random_embeddings(n, 6, 1);
  const at::Tensor views_2 = views_1 + random_embeddings(n, 6, 2);
  const at::Tensor whole_1 = views_1.clone().requires_grad_();
  const at::Tensor whole_2 = views_2.clone().requires_grad_();
  const auto whole = nt_xent(whole_1, whole_2, 0.2, alone(n), {});
  whole.loss.backward();

  const at::Tensor split_1 = views_1.clone().requires_grad_();
  const at::Tensor split_2 = views_2.clone().requires_grad_();
  // First every rank's rows are recorded with their graph; then every rank is given all of them, so that the backward
  // pass of the sum of losses reaches each row from every rank, as the gather over MPI does.
  std::vector<at::Tensor> recorded;
  const auto on_every_rank = [&](const GatherRows& gather) {
    std::vector<Contrast> results;
    int64_t first = 0;
    for (const int64_t share : shares) {
      results.push_back(nt_xent(split_1.narrow(0, first, share), split_2.narrow(0, first, share), 0.2,
                                {.first = first, .total = n, .n_ranks = n_ranks}, gather));
      first += share;
    }
    return results;
  };
  on_every_rank([&](const at::Tensor& local) {
    recorded.push_back(local);
    return at::zeros({n, local.size(1)}, local.options());
  });
  at::Tensor loss = at::zeros({}, at::kDouble);
  double top1 = 0.0;
  for (const auto& result : on_every_rank([&](const at::Tensor&) { return at::cat(recorded); })) {
    loss = loss + result.loss / n_ranks;
    top1 += result.top1.item<double>() / static_cast<double>(n_ranks);
  }
  loss.backward();

  CHECK(loss.item<double>() == Approx(whole.loss.item<double>()).epsilon(1e-12));
  CHECK(top1 == Approx(whole.top1.item<double>()));
  CHECK(at::allclose(split_1.grad(), whole_1.grad(), 1e-10, 1e-14));
  CHECK(at::allclose(split_2.grad(), whole_2.grad(), 1e-10, 1e-14));
}

TEST_CASE("a batch of several tiles has the gradient of the plain expression", "[objective][oracle]") {
  const int64_t n = GENERATE(256, 401);
  const double temperature = 0.2;
  const at::Tensor views_1 = random_embeddings(n, 8, 1).requires_grad_();
  const at::Tensor views_2 = (views_1.detach() + random_embeddings(n, 8, 2)).requires_grad_();
  const at::Tensor rows = unit_rows(at::cat({views_1, views_2}));
  const at::Tensor logits = (at::mm(rows, rows.t()) / temperature).masked_fill(at::eye(2 * n, at::kBool), -INFINITY);
  at::cross_entropy_loss(logits, at::arange(2 * n, at::kLong).roll(n)).backward();

  // As two ranks of unequal shares hold it: the second one's tiles begin in the middle of the rows.
  const at::Tensor tiled_1 = views_1.detach().clone().requires_grad_();
  const at::Tensor tiled_2 = views_2.detach().clone().requires_grad_();
  const int64_t n_first = n / 3;
  const auto all = [&](const at::Tensor&) { return at::stack({unit_rows(tiled_1), unit_rows(tiled_2)}, 1).flatten(1); };
  at::Tensor loss = at::zeros({}, at::kDouble);
  for (const auto& [first, count] : {std::pair<int64_t, int64_t>{0, n_first}, {n_first, n - n_first}}) {
    loss = loss + nt_xent(tiled_1.narrow(0, first, count), tiled_2.narrow(0, first, count), temperature,
                          {.first = first, .total = n, .n_ranks = 2}, all)
                          .loss /
                      2;
  }
  loss.backward();
  CHECK(at::allclose(tiled_1.grad(), views_1.grad(), 1e-9, 1e-14));
  CHECK(at::allclose(tiled_2.grad(), views_2.grad(), 1e-9, 1e-14));
}

TEST_CASE("NT-Xent's gradient is the slope of its loss", "[objective][gradient]") {
  const double temperature = GENERATE(0.2, 1.0);
  const at::Tensor views_1 = random_embeddings(5, 4, 1).requires_grad_();
  const at::Tensor views_2 = random_embeddings(5, 4, 2).requires_grad_();
  (3.0 * nt_xent(views_1, views_2, temperature, alone(5), {}).loss).backward();

  for (const at::Tensor& views : {views_1, views_2}) {
    at::Tensor slope = at::empty_like(views.grad());
    double* value = views.data_ptr<double>();
    for (int64_t index = 0; index < views.numel(); ++index) {
      constexpr double kStep = 1e-5;
      const double before = value[index];
      const auto loss_at = [&](double moved) {
        value[index] = moved;
        return 3.0 * nt_xent(views_1.detach(), views_2.detach(), temperature, alone(5), {}).loss.item<double>();
      };
      slope.data_ptr<double>()[index] = (loss_at(before + kStep) - loss_at(before - kStep)) / (2.0 * kStep);
      value[index] = before;
    }
    CHECK(at::allclose(views.grad(), slope, 1e-6, 1e-8));
  }
}

TEST_CASE("identical embeddings lose log(2 N - 1) and count as no hit", "[objective][golden]") {
  const int64_t n = GENERATE(2, 16, 256);
  const at::Tensor views = at::full({n, 8}, 0.3);
  const auto result = nt_xent(views, views, 0.2, alone(n), {});
  CHECK(result.loss.item<double>() == Approx(std::log(2.0 * static_cast<double>(n) - 1.0)).epsilon(1e-5));
  CHECK(result.top1.item<double>() == 0.0);
}

TEST_CASE("orthogonal pictures with equal views always hit, at any scale and the lowest temperature", "[objective]") {
  const at::Tensor views = at::eye(8, at::kFloat);
  const auto result = nt_xent(1e4 * views, 1e-4 * views, 1e-3, alone(8), {});
  CHECK(result.top1.item<double>() == 1.0);
  CHECK(result.loss.item<double>() == Approx(0.0).margin(1e-6));
}

TEST_CASE("a zero embedding gives finite numbers", "[objective]") {
  const at::Tensor views = at::zeros({4, 3}).requires_grad_();
  const auto result = nt_xent(views, views, 0.2, alone(4), {});
  result.loss.backward();
  CHECK(std::isfinite(result.loss.item<double>()));
  CHECK(at::isfinite(views.grad()).all().item<bool>());
}

TEST_CASE("NT-Xent refuses shapes and places that do not fit", "[objective]") {
  const at::Tensor views = random_embeddings(4, 3, 1);
  CHECK_THROWS_AS(nt_xent(views, random_embeddings(3, 3, 2), 0.2, alone(4), {}), PreconditionError);
  CHECK_THROWS_AS(nt_xent(views, views, 0.2, {.first = 5, .total = 8, .n_ranks = 2}, {}), PreconditionError);
  CHECK_THROWS_AS(nt_xent(views, views, 0.2, {.first = 0, .total = 8, .n_ranks = 2}, {}), PreconditionError);
}

#include <ATen/ATen.h>

#include "downstream/readout.hpp"
#include "tests/downstream/made.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::downstream;

namespace {

/// Mean cross-entropy + l2/2 |W|^2 of a readout, and the norm of its gradient, by autograd.
std::pair<double, double> objective(const Readout& readout, const LabelledFeatures& train) {
  at::Tensor weight = readout.weight_DC.clone().requires_grad_();
  at::Tensor bias = readout.bias_C.clone().requires_grad_();
  const at::Tensor scaled = (train.features_BD.to(at::kDouble) - readout.centre_D) / readout.scale;
  const at::Tensor loss = at::cross_entropy_loss(at::addmm(bias, scaled, weight), train.labels_B) +
                          0.5 * readout.l2 * weight.square().sum();
  loss.backward();
  return {loss.item<double>(), std::sqrt((weight.grad().square().sum() + bias.grad().square().sum()).item<double>())};
}

}  // namespace

TEST_CASE("the classifier is at the optimum of its objective, where plain gradient descent also ends", "[downstream]") {
  const LabelledFeatures train = around_centres(90, 6, 3, 0.7, 1);
  const Readout readout = fit_readout(train, 1e-2, 500);
  const auto [loss, gradient] = objective(readout, train);
  CHECK(gradient < 1e-4);

  Readout slow = readout;
  slow.weight_DC = at::zeros_like(readout.weight_DC);
  slow.bias_C = at::zeros_like(readout.bias_C);
  for (int step = 0; step < 4000; ++step) {
    at::Tensor weight = slow.weight_DC.clone().requires_grad_();
    at::Tensor bias = slow.bias_C.clone().requires_grad_();
    const at::Tensor scaled = (train.features_BD.to(at::kDouble) - slow.centre_D) / slow.scale;
    (at::cross_entropy_loss(at::addmm(bias, scaled, weight), train.labels_B) + 0.5 * slow.l2 * weight.square().sum())
        .backward();
    slow.weight_DC = (slow.weight_DC - 0.5 * weight.grad()).detach();
    slow.bias_C = (slow.bias_C - 0.5 * bias.grad()).detach();
  }
  CHECK(loss == Approx(objective(slow, train).first).epsilon(1e-5));
}

TEST_CASE("the regressor solves its ridge equations and predicts in the targets' own units", "[downstream]") {
  LabelledFeatures train;
  train.features_BD = noise({200, 5}, 3).to(at::kFloat);
  const at::Tensor truth = noise({5, 2}, 4);
  train.targets_BT = 100.0 + 7.0 * at::mm(train.features_BD.to(at::kDouble), truth);
  const Readout readout = fit_readout(train, 1e-8, 100);
  CHECK(at::allclose(readout.predict(train.features_BD), train.targets_BT, 1e-5, 1e-3));
  // A heavy penalty leaves the mean.
  const Readout flat = fit_readout(train, 1e8, 100);
  CHECK(
      at::allclose(flat.predict(train.features_BD), train.targets_BT.mean(0).expand_as(train.targets_BT), 1e-4, 1e-3));
}

TEST_CASE("the regressor equals one system solved for weights and an unpenalised bias together",
          "[downstream][oracle]") {
  const double l2 = GENERATE(1e-4, 0.03, 1.0);
  LabelledFeatures train;
  train.features_BD = 3.0 + 2.0 * noise({60, 7}, 20);
  train.targets_BT = 40.0 + 5.0 * (noise({60, 3}, 21) + at::mm(train.features_BD, noise({7, 3}, 22)));
  const at::Tensor mean_D = train.features_BD.mean(0);
  const double scale = (train.features_BD - mean_D).square().mean().sqrt().item<double>();
  const at::Tensor spread_T = train.targets_BT.var(0, false).sqrt();
  // Raw features and a column of ones; a penalty on weights of scaled features is scale^2 of it on raw ones' weights.
  const at::Tensor raw = at::cat({train.features_BD, at::ones({60, 1}, at::kDouble)}, 1);
  at::Tensor penalty = at::full({8}, l2 * scale * scale, at::kDouble);
  penalty[7] = 0.0;
  const at::Tensor solved = at::linalg_solve(at::mm(raw.t(), raw) / 60 + at::diag(penalty),
                                             at::mm(raw.t(), train.targets_BT / spread_T) / 60);
  const at::Tensor fresh = 3.0 + 2.0 * noise({10, 7}, 23);
  const at::Tensor expected = (at::mm(fresh, solved.narrow(0, 0, 7)) + solved[7]) * spread_T;
  CHECK(at::allclose(fit_readout(train, l2, 1).predict(fresh), expected, 1e-9, 1e-9));
}

TEST_CASE("the penalty is the one with the best validation metric, the larger on a tie", "[downstream]") {
  const LabelledFeatures train = around_centres(60, 40, 3, 0.35, 5);
  const LabelledFeatures validation = around_centres(300, 40, 3, 0.35, 6);
  const ReadoutSettings settings{.l2 = {1e-6, 1e-2, 1.0}, .max_iterations = 300};
  const Readout chosen = choose_readout(train, validation, settings, Metric::kTop1);
  for (double l2 : settings.l2) {
    CHECK(evaluate(chosen, validation, Metric::kTop1) >=
          evaluate(fit_readout(train, l2, 300), validation, Metric::kTop1));
  }
  const LabelledFeatures easy = around_centres(60, 4, 2, 30.0, 7);
  CHECK(choose_readout(easy, easy, settings, Metric::kTop1).l2 == 1.0);
}

TEST_CASE("shuffled labels leave a readout at chance", "[downstream][control]") {
  LabelledFeatures train = around_centres(400, 8, 4, 3.0, 8);
  LabelledFeatures test = around_centres(2000, 8, 4, 3.0, 9);
  CHECK(evaluate(fit_readout(train, 1e-2, 300), test, Metric::kTop1) > 0.95);
  uint64_t sample = 10;
  for (LabelledFeatures* part : {&train, &test}) {
    const int64_t* first = part->labels_B.const_data_ptr<int64_t>();
    std::vector<int64_t> labels(first, first + part->labels_B.numel());
    Draws({.purpose = Purpose::kTest, .sample = sample++}).shuffle(std::span(labels));
    part->labels_B = at::tensor(labels, at::kLong);
  }
  // Three binomial standard deviations of 2000 guesses at four classes.
  CHECK(evaluate(fit_readout(train, 1e-2, 300), test, Metric::kTop1) == Approx(0.25).margin(0.03));
}

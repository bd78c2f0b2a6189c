#include <ATen/ATen.h>

#include <cmath>

#include "downstream/descending_readout.hpp"
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
  const ReadoutSettings settings{.l2 = {1e-6, 1e-2, 1.0}, .max_passes = 300};
  const Readout chosen = choose_readout(train, validation, settings, Metric::kTop1).final;
  for (double l2 : settings.l2) {
    CHECK(evaluate(chosen, validation, Metric::kTop1) >=
          evaluate(fit_readout(train, l2, 300), validation, Metric::kTop1));
  }
  const LabelledFeatures easy = around_centres(60, 4, 2, 30.0, 7);
  CHECK(choose_readout(easy, easy, settings, Metric::kTop1).final.l2 == 1.0);
}

TEST_CASE("the penalty of an error is the one with the least", "[downstream]") {
  LabelledFeatures train, validation;
  train.features_BD = noise({12, 10}, 30);
  validation.features_BD = noise({200, 10}, 31);
  const at::Tensor truth = noise({10, 2}, 32);
  for (LabelledFeatures* part : {&train, &validation}) {
    part->targets_BT = at::mm(part->features_BD, truth) + 4.0 * noise({part->features_BD.size(0), 2}, 33);
    part->norm_B = at::ones({part->features_BD.size(0)}, at::kDouble);
  }
  const ReadoutSettings settings{
      .l2 = {1e-8, 1.0, 1e-8}};  // the first interpolates the noise; said twice, it counts once
  CHECK(choose_readout(train, validation, settings, Metric::kNme).final.l2 == 1.0);
}

TEST_CASE("attributes are logistic regressions of their own at one penalty", "[downstream][oracle]") {
  LabelledFeatures train = around_centres(80, 6, 3, 0.7, 40);
  train.n_classes = 0;
  train.target_kind = TargetKind::kAttributes;
  train.targets_BT = at::one_hot(train.labels_B, 3).to(at::kDouble);
  train.targets_BT.select(1, 2).copy_(train.features_BD.select(1, 0).gt(0));
  const Readout together = fit_readout(train, 1e-2, 500);
  for (int64_t attribute = 0; attribute < 3; ++attribute) {
    // Two classes with weights -w/2 and w/2 are this logistic regression, their penalty half of |w|^2.
    LabelledFeatures alone = train;
    alone.n_classes = 2;
    alone.labels_B = train.targets_BT.select(1, attribute).to(at::kLong);
    const Readout two = fit_readout(alone, 2e-2, 500);
    const at::Tensor weight = two.weight_DC.select(1, 1) - two.weight_DC.select(1, 0);
    CHECK(at::allclose(together.weight_DC.select(1, attribute), weight, 1e-3, 1e-3));
  }
}

TEST_CASE("refitting on train and validation is a fit to both at the chosen penalty, and the choice has not seen it",
          "[downstream]") {
  const LabelledFeatures train = around_centres(60, 8, 3, 0.5, 50);
  const LabelledFeatures validation = around_centres(30, 8, 3, 0.5, 51);
  ReadoutSettings settings{.l2 = {0.1, 1.0}, .max_passes = 500, .refit = Refit::kTrainAndValidation};
  const ChosenReadout chosen = choose_readout(train, validation, settings, Metric::kTop1);
  const Readout both = fit_readout(concatenated(train, validation), chosen.on_train.l2, 500);
  CHECK(at::allclose(chosen.final.weight_DC, both.weight_DC, 0.0, 2e-3));
  CHECK_FALSE(at::allclose(chosen.final.weight_DC, chosen.on_train.weight_DC, 0.0, 2e-2));
  settings.refit = Refit::kNone;
  const ChosenReadout plain = choose_readout(train, validation, settings, Metric::kTop1);
  CHECK(at::equal(plain.final.weight_DC, plain.on_train.weight_DC));
  CHECK(at::equal(plain.final.weight_DC, chosen.on_train.weight_DC));
}

TEST_CASE("the transfer protocol finds the penalty under which a made problem was drawn", "[downstream]") {
  // y = x w + e with w ~ N(0, 1) and e ~ N(0, s^2): the best ridge penalty is s^2 / n of unit-variance features.
  config::Problems problems;
  const auto settings =
      config::parse<ReadoutSettings>(protocol_defaults(Protocol::kTransfer).at("readout"), "", problems);
  CHECK(problems.empty());
  REQUIRE(settings.l2.size() == 45);
  CHECK(settings.l2.front() == Approx(1e-6));
  CHECK(settings.l2.back() == Approx(1e5));
  CHECK(settings.l2[1] / settings.l2[0] == Approx(std::pow(10.0, 0.25)));
  const double spread = GENERATE(1.0, 30.0);
  LabelledFeatures train, validation;
  train.features_BD = noise({100, 40}, 60);
  validation.features_BD = noise({4000, 40}, 61);
  const at::Tensor truth = noise({40, 50}, 62);
  train.targets_BT = at::mm(train.features_BD, truth) + spread * noise({100, 50}, 63);
  validation.targets_BT = at::mm(validation.features_BD, truth) + spread * noise({4000, 50}, 64);
  const double best = spread * spread / 100.0;
  const double chosen = choose_readout(train, validation, settings, Metric::kR2).on_train.l2;
  CHECK(std::abs(std::log10(chosen / best)) < 0.4);
}

TEST_CASE("a readout that descends long enough fits what the exact one does, and keeps the epoch that it is told",
          "[downstream]") {
  JointSettings settings{.epochs = 60, .batch = 16, .readout_learning_rate = 0.02};
  const LabelledFeatures train = around_centres(120, 6, 3, 0.8, 90), validation = around_centres(200, 6, 3, 0.8, 91);
  const double exact = evaluate(fit_readout(train, 1e-3, 300), validation, Metric::kTop1);
  CHECK(evaluate(fit_by_descent(train, validation, settings, Metric::kTop1, 1), validation, Metric::kTop1) >=
        exact - 0.03);

  // The best epoch of a descent that goes on to overfit is better on validation than its last.
  const LabelledFeatures few = around_centres(20, 60, 2, 0.12, 92), others = around_centres(400, 60, 2, 0.12, 93);
  settings = {.epochs = 80, .batch = 4, .readout_learning_rate = 0.3};
  const Readout best = fit_by_descent(few, others, settings, Metric::kTop1, 1);
  settings.keep = KeptEpoch::kLast;
  const Readout last = fit_by_descent(few, others, settings, Metric::kTop1, 1);
  CHECK(evaluate(best, others, Metric::kTop1) > evaluate(last, others, Metric::kTop1));
  CHECK(at::equal(last.weight_DC, fit_by_descent(few, others, settings, Metric::kTop1, 1).weight_DC));
  CHECK_FALSE(at::equal(last.weight_DC, fit_by_descent(few, others, settings, Metric::kTop1, 2).weight_DC));

  // Attributes and numbers, in their own units.
  LabelledFeatures numbers = around_centres(200, 5, 2, 0.5, 94);
  numbers.n_classes = 0;
  numbers.targets_BT = 50.0 + 3.0 * numbers.features_BD.narrow(1, 0, 2).to(at::kDouble);
  settings = {.epochs = 40, .batch = 16, .readout_learning_rate = 0.02, .keep = KeptEpoch::kLast};
  CHECK(evaluate(fit_by_descent(numbers, numbers, settings, Metric::kR2, 1), numbers, Metric::kR2) > 0.98);
  numbers.target_kind = TargetKind::kAttributes;
  numbers.targets_BT = numbers.targets_BT.gt(50.0).to(at::kDouble);
  CHECK(evaluate(fit_by_descent(numbers, numbers, settings, Metric::kMap, 1), numbers, Metric::kMap) > 0.98);
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

TEST_CASE("a descent's scaling centres and divides by one scalar, and what it learned reads features as they are",
          "[downstream]") {
  const at::Tensor features = (3.0 * noise({20, 4}, 61) + 5.0).to(at::kFloat);
  const Readout on_scaled{at::zeros({4}, at::kDouble), 1.0, noise({4, 2}, 62), noise({2}, 63), 0.0};
  for (JointScaling kind : {JointScaling::kNone, JointScaling::kBatch, JointScaling::kStart}) {
    DescentScaling scaling(kind);
    if (kind == JointScaling::kStart) scaling.fix(features);
    const at::Tensor scaled = scaling.scaled(features);
    Readout readout = on_scaled;
    scaling.complete(readout);
    CHECK(at::allclose(readout.predict(features), on_scaled.predict(scaled), 1e-4, 1e-5));
    if (kind == JointScaling::kNone) continue;
    CHECK(scaled.mean(0).abs().max().item<double>() < 1e-5);
    CHECK(scaled.square().mean().item<double>() == Approx(1.0).epsilon(1e-4));
    // Other features: a batch has moments of its own, a fixed scaling does not.
    const double shifted_mean = scaling.scaled(features + 2.0).mean().item<double>();
    CHECK((std::abs(shifted_mean) < 1e-4) == (kind == JointScaling::kBatch));
  }
}

TEST_CASE("a descent's rates stay, or fall to nothing along half a cosine", "[downstream]") {
  for (int64_t step : {0, 5, 9}) CHECK(descent_share(JointSchedule::kConstant, step, 10) == 1.0);
  CHECK(descent_share(JointSchedule::kCosine, 0, 10) == 1.0);
  CHECK(descent_share(JointSchedule::kCosine, 5, 10) == Approx(0.5));
  CHECK(descent_share(JointSchedule::kCosine, 10, 10) == Approx(0.0).margin(1e-12));
}

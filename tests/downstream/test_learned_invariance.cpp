#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "core/errors.hpp"
#include "downstream/features.hpp"
#include "downstream/learned_invariance.hpp"
#include "tests/downstream/made.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::downstream;

namespace {

/// The loss in its primal form: W = (F_P^T F_P + lambda I)^-1 F_P^T Y_P.
double primal_loss(const at::Tensor& features, const at::Tensor& targets, const at::Tensor& half, double ridge) {
  const at::Tensor centred = features - features.mean(0);
  const at::Tensor scaled =
      centred / (centred.square().mean().sqrt() * std::sqrt(static_cast<double>(features.size(1))));
  double total = 0.0;
  for (int64_t fitted : {0, 1}) {
    const at::Tensor on = half.eq(fitted), off = half.ne(fitted);
    const at::Tensor P = scaled.index({on}), Q = scaled.index({off});
    const at::Tensor W = at::linalg_solve(at::mm(P.t(), P) + ridge * at::eye(P.size(1), at::kDouble),
                                          at::mm(P.t(), targets.index({on})));
    total += (at::mm(Q, W) - targets.index({off})).square().sum(1).mean().item<double>();
  }
  return total;
}

/// A task whose classes are told apart by features of a small encoder on noise pictures.
TaskData noise_task(int64_t n_classes, int64_t per_class) {
  TaskData task;
  task.n_classes = n_classes;
  const auto part = [&](uint64_t sample, int64_t n) {
    Samples samples;
    samples.labels_B = at::arange(n, at::kLong).remainder(n_classes);
    const at::Tensor prototypes = noise({n_classes, 3, 8, 8}, 50);
    samples.images_BCHW =
        (prototypes.index_select(0, samples.labels_B) + 0.5 * noise({n, 3, 8, 8}, sample)).to(at::kFloat);
    return samples;
  };
  task.train = part(51, n_classes * per_class);
  task.validation = part(52, n_classes * per_class);
  task.test = part(53, n_classes * per_class);
  return task;
}

}  // namespace

TEST_CASE("the projected loss equals its primal twin", "[downstream]") {
  const at::Tensor features = noise({24, 7}, 1), targets = noise({24, 3}, 2);
  const at::Tensor half = at::arange(24, at::kLong).remainder(2);
  CHECK(projected_loss(features, targets, half, 0.8).item<double>() ==
        Approx(primal_loss(features, targets, half, 0.8)));
}

TEST_CASE("the projected loss's gradient equals finite differences", "[downstream]") {
  at::Tensor features = noise({12, 5}, 3).requires_grad_();
  const at::Tensor targets = noise({12, 2}, 4);
  const at::Tensor half = at::arange(12, at::kLong).remainder(2);
  projected_loss(features, targets, half, 1.0).backward();
  for (int64_t entry : {0, 17, 33, 59}) {
    at::Tensor shifted = features.detach().clone();
    constexpr double kStep = 1e-6;
    shifted.view(-1)[entry] += kStep;
    const double up = projected_loss(shifted, targets, half, 1.0).item<double>();
    shifted.view(-1)[entry] -= 2 * kStep;
    const double down = projected_loss(shifted, targets, half, 1.0).item<double>();
    CHECK(features.grad().view(-1)[entry].item<double>() ==
          Approx((up - down) / (2 * kStep)).epsilon(1e-4).margin(1e-8));
  }
}

TEST_CASE("learned i starts at the centre, stays in the unit cube, and is the same every time", "[downstream]") {
  const model::Encoder encoder = small_encoder();
  freeze(encoder);
  const std::string hash = encoder.hash();
  const TaskData task = noise_task(3, 6);
  const ProjectedSettings settings{.steps = 10};
  const LearnedInvariance learned = learn_projected(encoder, task.train, 3, settings, 7, {});
  REQUIRE(learned.trajectory.invariance.size() == 10);
  CHECK(learned.trajectory.invariance.front() == config::centre(2));
  for (const config::Invariance& point : learned.trajectory.invariance) {
    for (double value : point) CHECK((value >= 0.0 && value <= 1.0));
  }
  CHECK(learned.encoder_passes == 10 * 18);
  CHECK(learn_projected(encoder, task.train, 3, settings, 7, {}).invariance == learned.invariance);
  CHECK(learn_projected(encoder, task.train, 3, settings, 8, {}).invariance != learned.invariance);
  CHECK(encoder.hash() == hash);
}

TEST_CASE("an encoder that ignores i gives i no gradient and opposite corners the same features",
          "[downstream][control]") {
  const model::Encoder encoder = small_encoder();
  {
    const c10::NoGradGuard no_grad;
    for (const model::Parameter& parameter : encoder.parameters()) {
      if (parameter.name.ends_with(".hyper.E")) parameter.value.zero_();
    }
  }
  freeze(encoder);
  const TaskData task = noise_task(3, 6);
  CHECK(learn_projected(encoder, task.train, 3, {.steps = 4}, 1, {}).invariance == config::centre(2));
  const auto features_at = [&](const config::Invariance& i) {
    return extract_features(encoder, encoder.kernels(i), model::BatchNormPass::running(), task.test.images_BCHW);
  };
  CHECK(at::equal(features_at({0, 0}), features_at({1, 1})));
}

TEST_CASE("the projected arm refuses a class with one sample, naming it", "[downstream]") {
  const model::Encoder encoder = small_encoder();
  TaskData task = noise_task(3, 6);
  task.train.labels_B = at::tensor({0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2}, at::kLong);
  try {
    learn_projected(encoder, task.train, 3, {}, 1, {});
    FAIL("expected a ConfigError");
  } catch (const ConfigError& error) {
    CHECK(std::string(error.what()).find("class 2") != std::string::npos);
  }
}

TEST_CASE("the joint arm keeps the epoch that is best on validation, and stops when asked", "[downstream]") {
  const model::Encoder encoder = small_encoder();
  freeze(encoder);
  const TaskData task = noise_task(3, 6);
  const JointSettings settings{.epochs = 6, .batch = 5};
  const JointResult joint = learn_joint(encoder, task, settings, Metric::kTop1, 3, {});
  const std::vector<double>& validation = joint.learned.trajectory.validation;
  REQUIRE(validation.size() == 6);
  CHECK(joint.validation_value == *std::max_element(validation.begin(), validation.end()));
  const at::Tensor features = extract_features(encoder, encoder.kernels(joint.learned.invariance),
                                               model::BatchNormPass::running(), task.validation.images_BCHW);
  CHECK(evaluate(joint.readout, {features, task.validation.labels_B, {}, 3}, Metric::kTop1) ==
        Approx(joint.validation_value));
  CHECK_THROWS_AS(learn_joint(encoder, task, settings, Metric::kTop1, 3, [] { return true; }), StoppedError);
}

TEST_CASE("discretised i is the nearest corner", "[downstream]") {
  CHECK(discretised({0.49, 0.5, 1.0}) == config::Invariance{0.0, 1.0, 1.0});
}

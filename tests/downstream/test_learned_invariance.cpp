#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "core/errors.hpp"
#include "downstream/features.hpp"
#include "downstream/held_out_loss.hpp"
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
    samples.pictures =
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
  REQUIRE(learned.trajectory.invariance.size() == 11);
  CHECK(learned.trajectory.invariance.front() == config::centre(2));
  CHECK(learned.trajectory.invariance.back() == learned.invariance);
  CHECK(learned.trajectory.invariance[9] != learned.invariance);
  for (size_t step = 0; step < 10; ++step) CHECK(std::isfinite(learned.trajectory.loss[step]));
  CHECK(std::isnan(learned.trajectory.loss.back()));
  CHECK(learned.halves == "samples");
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
    return extract_features(encoder, encoder.generate(i), model::BatchNormPass::running(), task.test.pictures.all());
  };
  CHECK(at::equal(features_at({0, 0}), features_at({1, 1})));
}

TEST_CASE("where a class has one sample, the halves are two views of the same samples", "[downstream]") {
  const model::Encoder encoder = small_encoder();
  freeze(encoder);
  TaskData task = noise_task(3, 6);
  task.train.labels_B = at::tensor({0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2}, at::kLong);
  CHECK_THROWS_AS(learn_projected(encoder, task.train, 3, {.steps = 1}, 1, {}), PreconditionError);

  // A view adds noise of its own address; what was asked for is written down.
  using Call = std::tuple<std::vector<int64_t>, uint64_t, uint64_t, uint32_t>;
  std::vector<Call> calls;
  const auto images_of = [&](const std::vector<int64_t>& samples, uint64_t seed, uint64_t epoch, uint32_t view) {
    std::vector<at::Tensor> images;
    for (int64_t sample : samples) {
      const at::Tensor draw =
          noise({3, 8, 8}, 1000 * (1000 * seed + epoch) + 10 * static_cast<uint64_t>(sample) + view);
      images.push_back(task.train.pictures.all()[sample] + 0.3 * draw.to(at::kFloat));
    }
    return at::stack(images);
  };
  task.train.draw_views = [&](const std::vector<int64_t>& samples, uint64_t seed, uint64_t epoch, uint32_t view) {
    calls.emplace_back(samples, seed, epoch, view);
    return images_of(samples, seed, epoch, view);
  };
  const LearnedInvariance learned = learn_projected(encoder, task.train, 3, {.steps = 2}, 5, {});
  CHECK(learned.halves == "views");
  CHECK(learned.encoder_passes == 2 * 2 * 18);
  REQUIRE(calls.size() == 4);
  for (size_t call = 0; call < 4; ++call) {
    CHECK(std::get<1>(calls[call]) == 5);
    CHECK(std::get<2>(calls[call]) == call / 2);
  }
  CHECK(std::get<0>(calls[0]) == std::get<0>(calls[1]));  // P and Q are the same samples,
  CHECK(std::get<3>(calls[0]) != std::get<3>(calls[1]));  // in two views
  std::vector<int64_t> samples = std::get<0>(calls[0]);

  // The first step's loss is that of these views, P against Q.
  const at::Tensor views =
      at::cat({images_of(samples, 5, 0, std::get<3>(calls[0])), images_of(samples, 5, 0, std::get<3>(calls[1]))});
  const at::Tensor targets = regression_targets(task.train, 3).index_select(0, at::tensor(samples, at::kLong));
  const at::Tensor half = at::cat({at::zeros({18}, at::kLong), at::ones({18}, at::kLong)});
  const at::Tensor features =
      extract_features(encoder, encoder.generate(config::centre(2)), model::BatchNormPass::running(), views);
  CHECK(learned.trajectory.loss[0] ==
        Approx(projected_loss(features.to(at::kDouble), at::cat({targets, targets}), half, 1.0).item<double>())
            .epsilon(1e-4));
  std::sort(samples.begin(), samples.end());
  std::vector<int64_t> all(18);
  std::iota(all.begin(), all.end(), 0);
  CHECK(samples == all);

  CHECK(learn_projected(encoder, task.train, 3, {.steps = 2}, 5, {}).invariance == learned.invariance);
  CHECK(learn_projected(encoder, task.train, 3, {.steps = 2}, 6, {}).invariance != learned.invariance);
  // A small batch is stratified: half of each class, and the lone sample.
  calls.clear();
  CHECK(learn_projected(encoder, task.train, 3, {.batch = 18, .first_batch = 18, .steps = 1}, 5, {}).encoder_passes ==
        2 * (4 + 5 + 1));
}

TEST_CASE("the joint arm keeps the epoch that is best on validation, and stops when asked", "[downstream]") {
  const model::Encoder encoder = small_encoder();
  freeze(encoder);
  const TaskData task = noise_task(3, 6);
  const JointSettings settings{.epochs = 6, .batch = 5};
  const JointResult joint = learn_joint(encoder, task, settings, Metric::kTop1, 3, {});
  const std::vector<double>& validation = joint.learned.trajectory.validation;
  REQUIRE(validation.size() == 7);
  CHECK(std::isnan(validation[0]));
  CHECK(std::isnan(joint.learned.trajectory.loss[0]));
  CHECK(joint.learned.trajectory.invariance[0] == config::centre(2));
  const auto chosen = std::max_element(validation.begin() + 1, validation.end()) - validation.begin();
  CHECK(joint.validation_value == validation[static_cast<size_t>(chosen)]);
  CHECK(joint.learned.trajectory.invariance[static_cast<size_t>(chosen)] == joint.learned.invariance);
  const at::Tensor features = extract_features(encoder, encoder.generate(joint.learned.invariance),
                                               model::BatchNormPass::running(), task.validation.pictures.all());
  CHECK(evaluate(joint.readout, {features, task.validation.labels_B, {}, 3}, Metric::kTop1) ==
        Approx(joint.validation_value));
  CHECK_THROWS_AS(learn_joint(encoder, task, settings, Metric::kTop1, 3, [] { return true; }), StoppedError);
}

TEST_CASE("discretised i is the nearest corner", "[downstream]") {
  CHECK(discretised({0.49, 0.5, 1.0}) == config::Invariance{0.0, 1.0, 1.0});
}

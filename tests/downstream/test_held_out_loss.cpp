#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "core/errors.hpp"
#include "downstream/features.hpp"
#include "downstream/held_out_loss.hpp"
#include "downstream/metrics.hpp"
#include "downstream/readout.hpp"
#include "downstream/split_batch.hpp"
#include "tests/downstream/made.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::downstream;

namespace {

constexpr int64_t kSamples = 24, kFeatures = 5, kOutputs = 3;

/// Targets that features say something about, so that the readout inside is worth its solving.
InnerTargets made_targets(const at::Tensor& features_BD, Likelihood likelihood) {
  const at::Tensor scores_BC = at::mm(features_BD, noise({kFeatures, kOutputs}, 31)) + noise({kSamples, kOutputs}, 32);
  if (likelihood == Likelihood::kSigmoid) return {scores_BC.gt(0).to(at::kDouble), likelihood};
  return {at::one_hot(scores_BC.argmax(1), kOutputs).to(at::kDouble), likelihood};
}

at::Tensor halves() {
  return at::arange(kSamples, at::kLong).remainder(2);
}

/// The loss in its plainest form: the final readout's own fit on one half, its likelihood on the other.
double plain_loss(const at::Tensor& features_BD, const InnerTargets& targets, double l2) {
  const at::Tensor centred = features_BD - features_BD.mean(0);
  const at::Tensor scaled = centred / centred.square().mean().sqrt();
  double total = 0.0;
  for (int64_t fitted : {0, 1}) {
    const at::Tensor on = halves().eq(fitted), off = halves().ne(fitted);
    const at::Tensor features_P = scaled.index({on}), truth_P = targets.target_BC.index({on});
    at::Tensor weight = at::zeros({kFeatures, kOutputs}, at::kDouble), bias = at::zeros({kOutputs}, at::kDouble);
    // Gradient descent with steps that the curvature allows, until nothing moves.
    const bool is_softmax = targets.likelihood == Likelihood::kSoftmax;
    for (int step = 0; step < 60000; ++step) {
      const at::Tensor scores = at::mm(features_P, weight) + bias;
      const at::Tensor error = (is_softmax ? at::softmax(scores, 1) : at::sigmoid(scores)) - truth_P;
      const double n = static_cast<double>(features_P.size(0));
      const at::Tensor slope = at::mm(features_P.t(), error) / n + l2 * weight;
      weight = weight - 0.5 * slope;
      bias = bias - 0.5 * error.sum(0) / n;
      if (slope.abs().max().item<double>() < 1e-12) break;
    }
    const at::Tensor scores = at::mm(scaled.index({off}), weight) + bias;
    const at::Tensor truth = targets.target_BC.index({off});
    const at::Tensor loss = is_softmax
                                ? -(at::log_softmax(scores, 1) * truth)
                                : -(truth * at::sigmoid(scores).log() + (1 - truth) * (1 - at::sigmoid(scores)).log());
    total += loss.sum().item<double>() / static_cast<double>(truth.size(0));
  }
  return total;
}

}  // namespace

TEST_CASE("the held-out logistic loss equals one by plain gradient descent", "[downstream][oracle]") {
  const Likelihood likelihood = GENERATE(Likelihood::kSoftmax, Likelihood::kSigmoid);
  const double l2 = GENERATE(0.02, 0.3);
  const at::Tensor features = noise({kSamples, kFeatures}, 30);
  const InnerTargets targets = made_targets(features, likelihood);
  CHECK(logistic_loss(features, targets, halves(), l2).value ==
        Approx(plain_loss(features, targets, l2)).epsilon(1e-6));
}

TEST_CASE("the gradient through the logistic readout's optimum equals finite differences", "[downstream][oracle]") {
  const Likelihood likelihood = GENERATE(Likelihood::kSoftmax, Likelihood::kSigmoid);
  const double l2 = GENERATE(1e-3, 0.1);
  const at::Tensor features = noise({kSamples, kFeatures}, 30);
  const InnerTargets targets = made_targets(features, likelihood);
  const HeldOutLoss loss = logistic_loss(features, targets, halves(), l2);
  CHECK(std::abs(loss.gradient_BD.abs().max().item<double>()) > 1e-3);
  for (int64_t entry : {0, 17, 52, 83, 119}) {
    constexpr double kStep = 1e-4;
    const auto at_shift = [&](double shift) {
      at::Tensor shifted = features.clone();
      shifted.view(-1)[entry] += shift;
      return logistic_loss(shifted, targets, halves(), l2).value;
    };
    INFO("entry " << entry);
    CHECK(loss.gradient_BD.view(-1)[entry].item<double>() ==
          Approx((at_shift(kStep) - at_shift(-kStep)) / (2 * kStep)).epsilon(1e-3).margin(1e-5));
  }
}

TEST_CASE("of several penalties the one with the lowest held-out loss counts", "[downstream]") {
  const at::Tensor features = noise({kSamples, kFeatures}, 30);
  const InnerTargets classes = made_targets(features, Likelihood::kSoftmax);
  const InnerTargets numbers{noise({kSamples, kOutputs}, 33), {}};
  const ProjectedSettings settings{.ridge = {0.01, 1.0, 100.0}, .l2 = {1e-4, 1e-2, 1.0}};
  for (const InnerTargets& targets : {classes, numbers}) {
    double lowest = std::numeric_limits<double>::infinity();
    at::Tensor gradient;
    for (double penalty : targets.likelihood ? settings.l2 : settings.ridge) {
      const ProjectedSettings one{.ridge = {penalty}, .l2 = {penalty}};
      const HeldOutLoss loss = held_out_loss(features, targets, halves(), one);
      if (loss.value >= lowest) continue;
      lowest = loss.value;
      gradient = loss.gradient_BD;
    }
    const HeldOutLoss found = held_out_loss(features, targets, halves(), settings);
    CHECK(found.value == lowest);
    CHECK(at::equal(found.gradient_BD, gradient));
  }
}

TEST_CASE("the readout inside follows what is predicted and what is asked for", "[downstream]") {
  Samples classes, attributes;
  classes.labels_B = at::tensor({0, 2, 1, 2}, at::kLong);
  attributes.targets_BT = at::tensor({1.0, 0.0, 1.0, 1.0, 0.0, 0.0}, at::kDouble).view({3, 2});
  const auto likelihood = [](const Samples& samples, int64_t n_classes, TargetKind kind, InnerReadout readout) {
    return inner_targets(samples, n_classes, kind, readout).likelihood;
  };
  CHECK(likelihood(classes, 3, TargetKind::kNumbers, InnerReadout::kLogistic) == Likelihood::kSoftmax);
  CHECK(likelihood(attributes, 0, TargetKind::kAttributes, InnerReadout::kLogistic) == Likelihood::kSigmoid);
  CHECK(!likelihood(attributes, 0, TargetKind::kNumbers, InnerReadout::kLogistic));
  CHECK(!likelihood(classes, 3, TargetKind::kNumbers, InnerReadout::kRidge));
  CHECK(at::equal(inner_targets(attributes, 0, TargetKind::kAttributes, InnerReadout::kLogistic).target_BC,
                  attributes.targets_BT));
}

TEST_CASE("a batch that goes through the encoder in pieces gives the same loss and gradient", "[downstream][oracle]") {
  const model::Encoder encoder = small_encoder();
  freeze(encoder);
  Samples samples;
  samples.labels_B = at::arange(30, at::kLong).remainder(3);
  samples.pictures = noise({30, 3, 8, 8}, 40).to(at::kFloat);
  const HeldOutBatch batch{samples.pictures.all(),
                           inner_targets(samples, 3, TargetKind::kNumbers, InnerReadout::kLogistic),
                           at::arange(30, at::kLong).div(3, "floor").remainder(2)};
  const auto generator = encoder.frozen_generator();
  int64_t passes = 0;
  const PointValue whole = held_out_at(encoder, *generator, batch, {}, {0.3, 0.6}, passes, 30);
  CHECK(passes == 30);
  const PointValue pieces = held_out_at(encoder, *generator, batch, {}, {0.3, 0.6}, passes, 7);
  CHECK(passes == 30 + 2 * 30);
  CHECK(pieces.value == Approx(whole.value).epsilon(1e-5));
  for (size_t axis = 0; axis < 2; ++axis) {
    CHECK(std::abs(whole.gradient[axis]) > 1e-6);
    CHECK(pieces.gradient[axis] == Approx(whole.gradient[axis]).epsilon(1e-3));
  }
}

TEST_CASE("as many images are kept at once as memory has room for", "[downstream]") {
  model::EncoderSettings small{.stem = model::Stem::kCifar, .width = 16};
  CHECK(images_kept_at_once(small, 32) == 1024);
  model::EncoderSettings large{.backbone = model::Architecture::kResNet50, .stem = model::Stem::kImagenet, .width = 64};
  const int64_t n = images_kept_at_once(large, 224);
  CHECK(n >= 16);
  CHECK(n <= 64);
}

TEST_CASE("batches of one address lie within one another, each sample in the same half", "[downstream]") {
  Samples train;
  train.labels_B = at::arange(90, at::kLong).remainder(4);
  train.pictures = at::zeros({90, 3, 1, 1});
  std::map<int64_t, int64_t> half_of;
  for (int64_t limit : {90, 41, 17, 9}) {
    const SplitBatch batch = draw_samples(train, 4, limit, 5, 0);
    CHECK(std::abs(static_cast<int64_t>(batch.index.size()) - limit) <= 4);
    for (size_t position = 0; position < batch.index.size(); ++position) {
      if (limit == 90) half_of[batch.index[position]] = batch.half[position];
      CHECK(half_of.at(batch.index[position]) == batch.half[position]);
    }
  }
  CHECK(draw_samples(train, 4, 41, 5, 0).index != draw_samples(train, 4, 41, 5, 1).index);
}

TEST_CASE("halves never part a sound, and a class with one sound of two parts is lone", "[downstream][sound]") {
  Samples train;
  train.labels_B = at::arange(90, at::kLong).div(30, "floor");
  train.pictures = at::zeros({90, 1, 1, 1});
  train.sounds_B = at::arange(90, at::kLong).div(3, "floor");
  for (int64_t limit : {90, 40}) {
    const SplitBatch batch = draw_samples(train, 3, limit, 5, 0);
    std::map<int64_t, std::set<int64_t>> halves_of;
    std::map<int64_t, int64_t> parts_of;
    for (size_t position = 0; position < batch.index.size(); ++position) {
      halves_of[batch.index[position] / 3].insert(batch.half[position]);
      ++parts_of[batch.index[position] / 3];
    }
    for (const auto& [sound, halves] : halves_of) CHECK(halves.size() == 1);
    for (const auto& [sound, parts] : parts_of) CHECK(parts == 3);
    CHECK(std::abs(std::ssize(batch.index) - limit) <= 9);
  }
  CHECK_FALSE(has_lone_sample(train, 3));
  train.sounds_B = at::cat({at::zeros({30}, at::kLong), at::arange(60, at::kLong) + 1});
  CHECK(has_lone_sample(train, 3));
  train.sounds_B = at::Tensor();
  CHECK_FALSE(has_lone_sample(train, 3));
}

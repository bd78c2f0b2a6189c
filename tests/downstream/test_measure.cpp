// Measuring invariance on encoders whose answer is known.
#include <ATen/ATen.h>

#include <cmath>

#include "core/errors.hpp"
#include "downstream/learned_invariance.hpp"
#include "downstream/measure.hpp"
#include "tests/downstream/made.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::downstream;

namespace {

at::Tensor made_pictures(int64_t n = 40, int64_t size = 12) {
  return noise({n, 3, size, size}, 5, at::kFloat).mul(0.2).add(0.5).clamp(0, 1) *
         noise({n, 3, 1, 1}, 6, at::kFloat).mul(0.2).add(0.7).clamp(0.3, 1);
}

at::Tensor mean_colour(const at::Tensor& images_BCHW) {
  return images_BCHW.mean({2, 3});
}
/// Brightest and darkest channel of the mean: what a turn of the hue of every pixel leaves in a picture of one colour.
at::Tensor extremes(const at::Tensor& images_BCHW) {
  return at::stack({images_BCHW.amax(1).mean({1, 2}), images_BCHW.amin(1).mean({1, 2})}, 1);
}
at::Tensor left_and_right(const at::Tensor& images_BCHW) {
  const int64_t half = images_BCHW.size(3) / 2;
  return at::stack({images_BCHW.narrow(3, 0, half).mean({1, 2, 3}), images_BCHW.narrow(3, half, half).mean({1, 2, 3})},
                   1);
}

std::vector<SimilarityCurve> curves_of(const FeaturesOf& features_of, Transformation transformation, int64_t n) {
  MeasureSettings settings;
  settings.transformations = {transformation};
  settings.strengths = n;
  return similarity_curves(features_of, made_pictures(), features_of(made_pictures()), settings, [] { return false; });
}

/// Whether all kinds of similarity at the strength of this number say that nothing moved.
bool is_invariant(const std::vector<SimilarityCurve>& curves, size_t strength) {
  REQUIRE(curves.size() == kSimilarityCount);
  return std::abs(curves[0].values[strength] - 1.0) < 1e-6 && std::abs(curves[1].values[strength] - 1.0) < 1e-4 &&
         curves[2].values[strength] < 1e-2;
}

}  // namespace

TEST_CASE("strengths are equidistant with both ends, and one where there is nothing to vary", "[downstream][measure]") {
  CHECK(strengths(Transformation::kRotation, 5) == std::vector<double>{-180, -90, 0, 90, 180});
  CHECK(strengths(Transformation::kHue, 2) == std::vector<double>{-0.5, 0.5});
  CHECK(strengths(Transformation::kScale, 256).size() == 256);
  CHECK(strengths(Transformation::kScale, 256).back() == 2.0);
  CHECK(strengths(Transformation::kFlip, 256) == std::vector<double>{1.0});
  CHECK(strengths(Transformation::kGrayscale, 256) == std::vector<double>{1.0});
  CHECK(strengths(Transformation::kShear, 1) == std::vector<double>{0.0});
  CHECK_THROWS_AS(strengths(Transformation::kHue, 0), PreconditionError);
}

TEST_CASE("every transformation keeps shape and range and changes pictures at its ends", "[downstream][measure]") {
  const at::Tensor images = made_pictures(4);
  for (const Transformation transformation : all_transformations()) {
    INFO(config::name_of(transformation));
    const at::Tensor end = transform(images, transformation, strengths(transformation, 4).back());
    CHECK(end.sizes() == images.sizes());
    CHECK(end.min().item<double>() >= 0.0);
    CHECK(end.max().item<double>() <= 1.0 + 1e-6);
    CHECK((end - images).abs().max().item<double>() > 0.05);
  }
}

TEST_CASE("a transformation of no strength leaves every encoder's features where they are", "[downstream][measure]") {
  const std::vector<std::pair<Transformation, double>> identities{
      {Transformation::kRotation, 0},   {Transformation::kTranslation, 0}, {Transformation::kScale, 1},
      {Transformation::kShear, 0},      {Transformation::kBrightness, 1},  {Transformation::kContrast, 1},
      {Transformation::kSaturation, 1}, {Transformation::kHue, 0},         {Transformation::kBlur, 0},
      {Transformation::kSharpness, 1}};
  const at::Tensor images = made_pictures();
  const at::Tensor features = images.flatten(1).narrow(1, 0, 20).to(at::kDouble);
  const FeatureSimilarity similarity(features, features);
  for (const auto& [transformation, strength] : identities) {
    INFO(config::name_of(transformation));
    const at::Tensor moved = transform(images, transformation, strength).flatten(1).narrow(1, 0, 20).to(at::kDouble);
    const auto alike = similarity.to(moved);
    CHECK(alike[0] == Approx(1.0).margin(1e-5));
    CHECK(alike[1] == Approx(1.0).margin(1e-3));
    CHECK(alike[2] < 0.02);
  }
}

TEST_CASE("the mean colour is exactly invariant to flips and half turns, and not to colour", "[downstream][measure]") {
  CHECK(is_invariant(curves_of(mean_colour, Transformation::kFlip, 7), 0));
  const auto turned = curves_of(mean_colour, Transformation::kRotation, 5);
  CHECK(is_invariant(turned, 0));                                                      // -180 degrees
  CHECK_FALSE(is_invariant(curves_of(mean_colour, Transformation::kRotation, 9), 1));  // corners turn out of the frame
  const auto gray = curves_of(mean_colour, Transformation::kGrayscale, 1);
  CHECK_FALSE(is_invariant(gray, 0));
  CHECK(gray[0].values[0] < 0.999);
  CHECK(gray[1].values[0] < 0.9);
  CHECK(gray[2].values[0] > 0.5);
  // What a flip exchanges is not invariant to it.
  const auto sides = curves_of(left_and_right, Transformation::kFlip, 1);
  CHECK(sides[1].values[0] < 0.7);
  CHECK(sides[2].values[0] > 0.3);
}

TEST_CASE("the brightest and darkest channels are invariant to the hue and not to brightness",
          "[downstream][measure]") {
  const auto hues = curves_of(extremes, Transformation::kHue, 6);
  for (size_t strength = 0; strength < 6; ++strength) CHECK(is_invariant(hues, strength));
  CHECK_FALSE(is_invariant(curves_of(extremes, Transformation::kBrightness, 2), 0));
}

TEST_CASE("after whitening distances are those of Mahalanobis, for a covariance known in advance",
          "[downstream][measure]") {
  // Four points with mean (10, 20) and covariance diag(8/3, 6).
  const at::Tensor points = at::tensor({12.0, 20.0, 8.0, 20.0, 10.0, 23.0, 10.0, 17.0}, at::kDouble).view({4, 2});
  const FeatureSimilarity similarity(points, points);
  const auto moved = [&](double x, double y) { return similarity.to(points + at::tensor({x, y}, at::kDouble))[2]; };
  CHECK(moved(2, 0) == Approx(2.0 / std::sqrt(8.0 / 3.0)));
  CHECK(moved(0, 3) == Approx(3.0 / std::sqrt(6.0)));
  CHECK(moved(2, 3) == Approx(std::sqrt(4.0 / (8.0 / 3.0) + 9.0 / 6.0)));
  // Mirrored about the mean, whitened cosines are -1; scaled away from it they stay 1.
  const at::Tensor mean = points.mean(0);
  CHECK(similarity.to(2 * mean - points)[1] == Approx(-1.0));
  CHECK(similarity.to(mean + 3 * (points - mean))[1] == Approx(1.0));
  CHECK(similarity.to(2 * points)[0] == Approx(1.0));
  CHECK(similarity.to(2 * points)[1] < 0.99);
}

TEST_CASE("similarities are what the formulas give picture by picture", "[downstream][measure]") {
  const at::Tensor features = noise({30, 4}, 1).mm(noise({4, 4}, 2)) + 1.0;
  const at::Tensor transformed = features + 0.5 * noise({30, 4}, 3);
  const auto found = FeatureSimilarity(features, features).to(transformed);
  const at::Tensor mean = features.mean(0);
  const at::Tensor inverse = at::linalg_inv((features - mean).t().mm(features - mean) / 29.0);
  double cosine = 0.0, white = 0.0, distance = 0.0;
  const auto dot = [](const at::Tensor& a, const at::Tensor& b) { return a.dot(b).item<double>(); };
  for (int64_t n = 0; n < 30; ++n) {
    const at::Tensor f = features[n], t = transformed[n];
    cosine += dot(f, t) / std::sqrt(dot(f, f) * dot(t, t)) / 30;
    const at::Tensor a = f - mean, b = t - mean;
    white += dot(a, inverse.mv(b)) / std::sqrt(dot(a, inverse.mv(a)) * dot(b, inverse.mv(b))) / 30;
    distance += std::sqrt(dot(f - t, inverse.mv(f - t))) / 30;
  }
  CHECK(found[0] == Approx(cosine));
  CHECK(found[1] == Approx(white));
  CHECK(found[2] == Approx(distance));
}

TEST_CASE("whitened features are white, and dead ones and more than there are pictures are left out",
          "[downstream][measure]") {
  const at::Tensor features = at::cat({noise({50, 3}, 1) * 100.0, at::full({50, 2}, 7.0, at::kDouble)}, 1);
  const Whitening whitening(features);
  CHECK(whitening.directions() == 3);
  const at::Tensor white = whitening.apply(features);
  CHECK(at::allclose(white.t().mm(white) / 49.0, at::eye(3, at::kDouble), 1e-8, 1e-8));
  CHECK(Whitening(noise({5, 20}, 2)).directions() == 4);
  // An encoder that has collapsed to one point: nothing to whiten, and cosines say that it ignores everything.
  const FeatureSimilarity collapsed(at::ones({5, 2}, at::kDouble), at::ones({9, 2}, at::kDouble));
  CHECK(collapsed.directions() == 0);
  CHECK(collapsed.to(at::ones({5, 2}, at::kDouble))[0] == Approx(1.0));
  CHECK(std::isnan(collapsed.to(at::ones({5, 2}, at::kDouble))[2]));
  CHECK_THROWS_AS(Whitening(noise({1, 2}, 2)), PreconditionError);
}

TEST_CASE("whitening that was fitted on many pictures measures few of them as it should", "[downstream][measure]") {
  // 30 pictures of 50 white features: between two others the distance is sqrt(2 x 50).
  const at::Tensor features = noise({30, 50}, 1), others = noise({30, 50}, 2),
                   many = at::cat({features, noise({4000, 50}, 3)});
  const FeatureSimilarity fitted(features, many);
  CHECK(fitted.directions() == 50);
  CHECK(fitted.to(others)[2] == Approx(10.0).epsilon(0.05));
  const FeatureSimilarity in_sample(features, features);  // sees the pictures' own span alone
  CHECK(in_sample.directions() == 29);
  CHECK(in_sample.to(others)[2] < 9.5);
}

TEST_CASE("measuring stops when it is asked to, and its settings are held to their rules", "[downstream][measure]") {
  MeasureSettings settings;
  CHECK_THROWS_AS(
      similarity_curves(mean_colour, made_pictures(), mean_colour(made_pictures()), settings, [] { return true; }),
      StoppedError);
  const auto places = [](const MeasureSettings& wrong) {
    config::Problems problems;
    wrong.validate("measure", problems);
    std::vector<std::string> found;
    for (const auto& problem : problems.list()) found.push_back(problem.where);
    return found;
  };
  CHECK(places(settings).empty());
  settings.along_i = 1;
  CHECK(places(settings) == std::vector<std::string>{"measure.along_i"});
  settings.along_i = 0;
  settings.transformations = {Transformation::kFlip, Transformation::kFlip};
  CHECK(places(settings) == std::vector<std::string>{"measure.transformations"});
  settings.transformations.clear();
  CHECK(places(settings) == std::vector<std::string>{"measure.transformations"});
}

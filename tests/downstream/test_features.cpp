#include <ATen/ATen.h>

#include "downstream/features.hpp"
#include "downstream/sensitivity.hpp"
#include "tests/downstream/made.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::downstream;

TEST_CASE("features do not depend on how images are batched", "[downstream]") {
  const model::Encoder encoder = small_encoder();
  const at::Tensor images = noise({13, 3, 16, 16}, 1, at::kFloat);
  const model::Generated generated = encoder.generate({1, 0});
  const auto pass = model::BatchNormPass::running();
  CHECK(at::allclose(extract_features(encoder, generated, pass, images, 5),
                     extract_features(encoder, generated, pass, images, 13), 1e-5, 1e-6));
}

TEST_CASE("re-estimated statistics weigh each batch by its size, the rest too, and leave the encoder alone",
          "[downstream]") {
  const model::Encoder encoder = small_encoder();
  const std::string hash = encoder.hash();
  const at::Tensor images = noise({22, 3, 16, 16}, 2, at::kFloat);
  const model::Generated generated = encoder.generate({0, 1});
  const model::BatchNormStatistics both = reestimate_statistics(encoder, generated, images, 10);
  const model::BatchNormStatistics first = reestimate_statistics(encoder, generated, images.narrow(0, 0, 10), 10);
  const model::BatchNormStatistics second = reestimate_statistics(encoder, generated, images.narrow(0, 10, 10), 10);
  const model::BatchNormStatistics rest = reestimate_statistics(encoder, generated, images.narrow(0, 20, 2), 10);
  const auto weighted = [](const at::Tensor& a, const at::Tensor& b, const at::Tensor& c) {
    return (10 * a + 10 * b + 2 * c) / 22;
  };
  for (size_t layer = 0; layer < both.mean_C.size(); ++layer) {
    CHECK(at::allclose(both.mean_C[layer], weighted(first.mean_C[layer], second.mean_C[layer], rest.mean_C[layer]),
                       1e-4, 1e-6));
    CHECK(at::allclose(both.var_C[layer], weighted(first.var_C[layer], second.var_C[layer], rest.var_C[layer]), 1e-4,
                       1e-6));
  }
  CHECK(both.hash() != first.hash());
  CHECK(encoder.hash() == hash);
}

TEST_CASE("re-estimated statistics of the stem are those written out by hand", "[downstream][oracle]") {
  const model::Encoder encoder = small_encoder();
  freeze(encoder);
  const at::Tensor images = noise({23, 3, 16, 16}, 3, at::kFloat);
  const model::BatchNormStatistics found = reestimate_statistics(encoder, encoder.generate({1, 1}), images, 10);
  const at::Tensor stem = encoder.state().at("conv1.weight").to(at::kDouble);
  for (int64_t channel = 0; channel < 4; ++channel) {
    double mean = 0.0, variance = 0.0;
    for (int64_t first : {0, 10, 20}) {
      const int64_t size = std::min<int64_t>(10, 23 - first);  // the last three pictures count for three
      const double share = static_cast<double>(size) / 23;
      const at::Tensor outputs =
          at::conv2d(images.narrow(0, first, size).to(at::kDouble), stem, {}, 2, 1).select(1, channel);
      mean += share * outputs.mean().item<double>();
      // Biased, about each batch's own mean.
      variance += share * (outputs - outputs.mean()).square().mean().item<double>();
    }
    CHECK(found.mean_C[0][channel].item<double>() == Approx(mean).epsilon(1e-4).margin(1e-5));
    CHECK(found.var_C[0][channel].item<double>() == Approx(variance).epsilon(1e-4));
  }
}

TEST_CASE("under the statistics of one batch, that batch has the features of training", "[downstream]") {
  const model::Encoder encoder = small_encoder();
  const at::Tensor images = noise({12, 3, 32, 32}, 4, at::kFloat);
  const model::Generated generated = encoder.generate({0, 1});
  const model::BatchNormStatistics statistics = reestimate_statistics(encoder, generated, images, 12);
  const at::Tensor found = extract_features(encoder, generated, model::BatchNormPass::with(statistics), images);
  const at::Tensor expected = encoder.forward(images, generated, model::BatchNormPass::train({})).detach();
  CHECK(at::allclose(found, expected, 1e-3, 1e-4));
  CHECK_FALSE(
      at::allclose(extract_features(encoder, generated, model::BatchNormPass::running(), images), expected, 0.1));
}

TEST_CASE("sensitivity is 0 where a transformation changes nothing, and positive where it does", "[downstream]") {
  data::Dataset dataset = made_dataset(4, 5);
  data::DataSplit& split = dataset.splits["test"];
  // Pictures that mirror themselves.
  auto* pixels = const_cast<uint8_t*>(split.sample(0).get());
  for (int64_t row = 0; row < split.n * 16; ++row) {
    for (int64_t x = 8; x < 16; ++x) {
      for (int64_t channel = 0; channel < 3; ++channel)
        pixels[(row * 16 + x) * 3 + channel] = pixels[(row * 16 + 15 - x) * 3 + channel];
    }
  }
  const model::Encoder encoder = small_encoder();
  const augment::AugmentSettings augment;
  const std::vector<double> values = sensitivities(encoder, encoder.generate({1, 1}), model::BatchNormPass::running(),
                                                   split, {augment, 16, {}}, 20, 3);
  REQUIRE(sensitivity_transformations(config::Media::kPictures).front() == "flip");
  CHECK(values[0] < 1e-8);
  for (size_t index = 1; index < values.size(); ++index) CHECK(values[index] > 1e-3);
}

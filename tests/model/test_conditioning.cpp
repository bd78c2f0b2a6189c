// What every conditioning owes: dL/di, hashes, state, refusals.
#include "tests/model/support.hpp"

namespace invaria::model {
namespace {

using testing::random_tensor;

constexpr int64_t kSide = 16;

struct Kind {
  Architecture backbone;
  Conditioning conditioning;
};

std::vector<Kind> kinds() {
  return {{Architecture::kResNet18, Conditioning::kHypernetwork}, {Architecture::kVitTiny, Conditioning::kPrompt},
          {Architecture::kResNet18, Conditioning::kFilm},         {Architecture::kVitTiny, Conditioning::kFilm},
          {Architecture::kResNet18, Conditioning::kNone},         {Architecture::kVitTiny, Conditioning::kNone}};
}

Encoder encoder_of(const Kind& kind, int64_t n_axes, uint64_t seed) {
  EncoderSettings settings;
  settings.backbone = kind.backbone;
  settings.conditioning = kind.conditioning;
  settings.width = 4;
  settings.vit = {.patch = 8, .width = 12, .depth = 2};
  settings.film.hidden = 7;
  return Encoder(settings, n_axes, seed, kSide);
}

}  // namespace

TEST_CASE("dL/di of a frozen encoder equals finite differences, with every conditioning", "[model][oracle]") {
  for (const Kind& kind : kinds()) {
    if (kind.conditioning == Conditioning::kNone) continue;
    const Encoder encoder = encoder_of(kind, 3, 4);
    testing::set_type(encoder, at::kDouble);
    CAPTURE(config::name_of(kind.backbone), config::name_of(kind.conditioning));
    const at::Tensor images = random_tensor({4, 3, kSide, kSide}, 1).to(at::kDouble);
    const at::Tensor coefficients = random_tensor({4, encoder.feature_dim()}, 2).to(at::kDouble);
    const auto loss_at = [&](const Generated& generated) {
      return (encoder.forward(images, generated, BatchNormPass::running()) * coefficients).sum();
    };
    const auto generator = encoder.frozen_generator();
    for (const config::Invariance& i : {config::Invariance{0.3, 0.8, 0.45}, {0.9, 0.15, 0.62}}) {
      const Generated generated = generator->at(i);
      loss_at(generated).backward();
      const std::vector<double> gradient = generator->gradient(generated.gradients());
      REQUIRE(gradient.size() == 3);
      for (const Parameter& parameter : encoder.parameters()) CHECK_FALSE(parameter.value.grad().defined());
      const at::NoGradGuard no_grad;
      for (size_t axis = 0; axis < 3; ++axis) {
        config::Invariance above = i, below = i;
        above[axis] += 1e-6;
        below[axis] -= 1e-6;
        const double difference =
            (loss_at(encoder.generate(above)) - loss_at(encoder.generate(below))).item<double>() / 2e-6;
        CHECK(std::abs(difference) > 1e-6);
        CHECK(gradient[axis] == Approx(difference).epsilon(1e-3).margin(1e-7));
      }
    }
  }
}

TEST_CASE("an encoder at one i is the plain network that its plain state describes", "[model][oracle]") {
  for (const Kind& kind : kinds()) {
    const Encoder encoder = encoder_of(kind, 2, 4);
    CAPTURE(config::name_of(kind.backbone), config::name_of(kind.conditioning));
    const at::NoGradGuard no_grad;
    const at::Tensor images = random_tensor({4, 3, kSide, kSide}, 1);
    const Generated generated = encoder.generate({0.3, 1.0});
    std::vector<BatchNormStatistics> collected;
    encoder.forward(images, generated, BatchNormPass::collect(collected));
    const at::Tensor features = encoder.forward(images, generated, BatchNormPass::with(collected[0]));
    StateDict plain_state = encoder.plain_state(generated, &collected[0]);
    if (kind.conditioning == Conditioning::kPrompt) {
      // A ViT with one register token more, which has a row of zeros among the positions.
      CHECK(at::equal(plain_state.at("reg_token").flatten(), generated.tensors[0]));
      const at::Tensor positions_1TD = plain_state.at("pos_embed"), own_1TD = encoder.state().at("pos_embed");
      CHECK(positions_1TD.size(1) == own_1TD.size(1) + 1);
      CHECK(positions_1TD.select(1, 1).abs().max().item<double>() == 0.0);
      CHECK(at::equal(positions_1TD.narrow(1, 2, 4), own_1TD.narrow(1, 1, 4)));
      CHECK(at::equal(positions_1TD.select(1, 0), own_1TD.select(1, 0)));
      continue;
    }
    Encoder plain = encoder_of({kind.backbone, Conditioning::kNone}, 0, 9);
    plain.load_state(plain_state);
    CHECK(testing::relative_error(plain.forward(images, {}, BatchNormPass::running()), features) < 1e-5);
  }
}

TEST_CASE("a hypernetwork serves ResNet-18, -34 and -50 with one to eight axes", "[model]") {
  for (const Architecture backbone : {Architecture::kResNet18, Architecture::kResNet34, Architecture::kResNet50}) {
    for (const int64_t n_axes : {1, 3, 8}) {
      const Encoder encoder = encoder_of({backbone, Conditioning::kHypernetwork}, n_axes, 4);
      const at::Tensor images = random_tensor({2, 3, kSide, kSide}, 1);
      config::Invariance i(static_cast<size_t>(n_axes), 0.0);
      const auto features_at = [&] { return encoder.forward(images, encoder.generate(i), BatchNormPass::running()); };
      const at::Tensor off = features_at().detach();
      i.back() = 1.0;
      const Generated generated = encoder.generate(i);
      encoder.forward(images, generated, BatchNormPass::train({})).square().sum().backward();
      CHECK(testing::relative_error(features_at(), off) > 1e-3);  // the last axis too matters
      CHECK(encoder.generator_backward(generated, generated.gradients()).size() ==
            encoder.factored_parameters().size());
      for (const Parameter& parameter : encoder.parameters()) CHECK(parameter.value.grad().defined());
    }
  }
}

TEST_CASE("state goes round and the hash covers all of it, with every conditioning", "[model]") {
  for (const Kind& kind : kinds()) {
    CAPTURE(config::name_of(kind.backbone), config::name_of(kind.conditioning));
    const Encoder source = encoder_of(kind, 2, 1);
    Encoder target = encoder_of(kind, 2, 2);
    CHECK(target.hash() != source.hash());
    target.load_state(source.state());
    CHECK(target.hash() == source.hash());
    const at::NoGradGuard no_grad;
    const at::Tensor images = random_tensor({2, 3, kSide, kSide}, 1);
    const auto features_of = [&](const Encoder& encoder) {
      return encoder.forward(images, encoder.generate({0.5, 1.0}), BatchNormPass::running());
    };
    CHECK(at::equal(features_of(target), features_of(source)));
    for (const auto& [name, tensor] : target.state()) {
      const at::Tensor kept = tensor.clone();
      tensor.view(-1)[0] += 1;
      INFO(name);
      CHECK(target.hash() != source.hash());
      tensor.copy_(kept);
    }
    for (const Parameter& parameter : source.parameters()) CHECK(source.state().contains(parameter.name));
    int64_t n = 0;
    for (const auto& [name, tensor] : source.state()) n += tensor.numel();
    CHECK(n >= source.n_parameters());
  }
}

TEST_CASE("every conditioning refuses an invariance that does not fit, and a backbone that it cannot serve",
          "[model]") {
  for (const Kind& kind : kinds()) {
    if (kind.conditioning == Conditioning::kNone) continue;
    const Encoder encoder = encoder_of(kind, 2, 1);
    CHECK_THROWS_AS(encoder.generate({0.5}), PreconditionError);
    CHECK_THROWS_AS(encoder.generate({0.5, 1.1}), PreconditionError);
    CHECK_THROWS_AS(encoder.frozen_generator()->at({0.5, 1.1}), PreconditionError);
    CHECK_THROWS_AS(encoder_of(kind, 0, 1), PreconditionError);
    CHECK_THROWS_AS(encoder.forward(random_tensor({2, 3, kSide, kSide}, 1), {}, BatchNormPass::running()),
                    PreconditionError);
  }
  CHECK_THROWS_AS(encoder_of({Architecture::kVitTiny, Conditioning::kHypernetwork}, 2, 1), PreconditionError);
  CHECK_THROWS_AS(encoder_of({Architecture::kResNet18, Conditioning::kPrompt}, 2, 1), PreconditionError);
}

}  // namespace invaria::model

// The factored hypernetwork against the materialised one, which autograd differentiates; kernels as an affine function
// of i.
#include "core/philox.hpp"
#include "tests/model/support.hpp"

namespace invaria::model {
namespace {

using testing::hypernetwork_of;
using testing::random_tensor;
using testing::relative_error;

/// Leaves of autograd with an encoder's values, A's among them, and the kernels that follow from them.
struct Materialised {
  std::vector<BlockGenerator> blocks;
  at::Tensor i_K;

  Materialised(const Encoder& encoder, const config::Invariance& invariance) {
    const auto leaf = [](const at::Tensor& tensor) { return tensor.detach().clone().requires_grad_(); };
    for (const BlockGenerator& block : hypernetwork_of(encoder).blocks()) {
      blocks.push_back({leaf(block.E_RK), {}});
      for (const KernelGenerator& generator : block.convolutions) {
        blocks.back().convolutions.push_back(
            {leaf(generator.A_PH), leaf(generator.b), leaf(generator.B_HR), leaf(generator.c_H)});
      }
    }
    i_K = at::tensor(invariance, at::kDouble).to(blocks.front().E_RK.scalar_type()).requires_grad_();
  }

  Generated kernels() const {
    Generated result;
    for (const BlockGenerator& block : blocks) {
      const at::Tensor e_R = at::matmul(block.E_RK, i_K);
      for (const KernelGenerator& generator : block.convolutions) {
        const at::Tensor h_H = (at::matmul(generator.B_HR, e_R) + generator.c_H).relu();
        result.tensors.push_back((at::matmul(generator.A_PH, h_H)).view(generator.b.sizes()) + generator.b);
      }
    }
    return result;
  }
};

Encoder double_encoder(Architecture backbone, int64_t n_axes) {
  EncoderSettings settings;
  settings.backbone = backbone;
  settings.width = 8;
  const Encoder encoder(settings, n_axes, 5, 32);
  testing::set_type(encoder, at::kDouble);
  return encoder;
}

config::Invariance random_invariance(uint64_t sample, int64_t n_axes) {
  Draws draws({.seed = 17, .sample = sample});
  config::Invariance invariance;
  for (int64_t axis = 0; axis < n_axes; ++axis) invariance.push_back(draws.uniform());
  return invariance;
}

}  // namespace

TEST_CASE("gradients from g alone equal autograd's through the materialised hypernetwork", "[model][oracle]") {
  const Architecture backbone = GENERATE(Architecture::kResNet18, Architecture::kResNet50);
  const config::Invariance invariance =
      GENERATE(config::Invariance{1.0, 0.0}, config::Invariance{1.0, 1.0}, config::Invariance{0.3, 0.6});
  CAPTURE(static_cast<int>(backbone), invariance);
  const Encoder encoder = double_encoder(backbone, 2);
  const at::Tensor images = random_tensor({6, 3, 32, 32}, 1).to(at::kDouble);
  const at::Tensor coefficients = random_tensor({6, encoder.feature_dim()}, 2).to(at::kDouble);

  const Materialised materialised(encoder, invariance);
  const at::Tensor expected = encoder.forward(images, materialised.kernels(), BatchNormPass::train({}));
  (expected * coefficients).sum().backward();
  const at::Tensor stem_gradient = encoder.parameters().front().value.grad().clone();
  for (const Parameter& parameter : encoder.parameters()) parameter.value.mutable_grad().reset();

  const Generated generated = encoder.generate(invariance);
  const at::Tensor features = encoder.forward(images, generated, BatchNormPass::train({}));
  CHECK(relative_error(features, expected) < 1e-12);
  (features * coefficients).sum().backward();
  const std::vector<FactoredGradient> factored = encoder.generator_backward(generated, generated.gradients());

  const double tolerance = 1e-9;
  CHECK(relative_error(encoder.parameters().front().value.grad(), stem_gradient) < tolerance);
  REQUIRE(factored.size() == encoder.factored_parameters().size());
  size_t index = 0;
  for (size_t block = 0; block < materialised.blocks.size(); ++block) {
    const BlockGenerator& oracle = materialised.blocks[block];
    const BlockGenerator& found = hypernetwork_of(encoder).blocks()[block];
    CAPTURE(block);
    CHECK(relative_error(found.E_RK.grad(), oracle.E_RK.grad()) < tolerance);
    for (size_t convolution = 0; convolution < oracle.convolutions.size(); ++convolution, ++index) {
      CAPTURE(convolution);
      const KernelGenerator& twin = oracle.convolutions[convolution];
      const KernelGenerator& generator = found.convolutions[convolution];
      CHECK(relative_error(generator.b.grad(), twin.b.grad()) < tolerance);
      CHECK(relative_error(generator.B_HR.grad(), twin.B_HR.grad()) < tolerance);
      CHECK(relative_error(generator.c_H.grad(), twin.c_H.grad()) < tolerance);
      CHECK(relative_error(at::outer(factored[index].g_P, factored[index].h_H), twin.A_PH.grad()) < tolerance);
    }
  }
  // What the optimiser updates is what was differentiated: names, and one object behind both.
  CHECK(encoder.factored_parameters().front().name == "layer1.0.conv1.hyper.A");
  CHECK(encoder.parameters()[3].name == "layer1.0.conv1.weight");
  CHECK(encoder.parameters()[3].value.is_same(hypernetwork_of(encoder).blocks().front().convolutions.front().b));
}

TEST_CASE("affine kernels equal generated ones at any i, and recompute only what flipped", "[model][oracle]") {
  const int64_t n_axes = GENERATE(2, 5);
  const Encoder encoder = double_encoder(Architecture::kResNet18, n_axes);
  const auto n_convolutions = static_cast<int64_t>(encoder.factored_parameters().size());
  AffineKernels affine(hypernetwork_of(encoder));
  for (uint64_t sample = 0; sample < 12; ++sample) {
    const config::Invariance invariance = random_invariance(sample, n_axes);
    const Generated found = affine.at(invariance);
    const Generated expected = encoder.generate(invariance);
    for (size_t index = 0; index < expected.tensors.size(); ++index) {
      CHECK(relative_error(found.tensors[index], expected.tensors[index]) < 1e-12);
      CHECK(found.tensors[index].requires_grad());
    }
  }
  CHECK(affine.n_recomputed() > 2 * n_convolutions);  // the draws did flip patterns

  const config::Invariance start = random_invariance(99, n_axes);
  affine.at(start);
  const int64_t before = affine.n_recomputed();
  affine.at(start);
  CHECK(affine.n_recomputed() == before);
  config::Invariance near = start;
  near[0] += 1e-9;
  affine.at(near);
  CHECK(affine.n_recomputed() == before);
}

TEST_CASE("dL/di through affine kernels equals autograd's and finite differences", "[model][oracle]") {
  const Encoder encoder = double_encoder(Architecture::kResNet18, 3);
  const at::Tensor images = random_tensor({4, 3, 32, 32}, 3).to(at::kDouble);
  const at::Tensor coefficients = random_tensor({4, encoder.feature_dim()}, 4).to(at::kDouble);
  AffineKernels affine(hypernetwork_of(encoder));
  for (uint64_t sample = 0; sample < 3; ++sample) {
    const config::Invariance invariance = random_invariance(50 + sample, 3);
    const Generated generated = affine.at(invariance);
    (encoder.forward(images, generated, BatchNormPass::running()) * coefficients).sum().backward();
    const std::vector<double> gradient = affine.gradient(generated.gradients());
    for (const Parameter& parameter : encoder.parameters()) CHECK_FALSE(parameter.value.grad().defined());  // frozen

    const Materialised materialised(encoder, invariance);
    (encoder.forward(images, materialised.kernels(), BatchNormPass::running()) * coefficients).sum().backward();
    CHECK(relative_error(at::tensor(gradient, at::kDouble), materialised.i_K.grad()) < 1e-9);

    const at::NoGradGuard no_grad;
    const auto loss = [&](const config::Invariance& at) {
      return (encoder.forward(images, encoder.generate(at), BatchNormPass::running()) * coefficients)
          .sum()
          .item<double>();
    };
    for (size_t axis = 0; axis < 3; ++axis) {
      config::Invariance above = invariance, below = invariance;
      above[axis] += 1e-6;
      below[axis] -= 1e-6;
      CHECK(gradient[axis] == Approx((loss(above) - loss(below)) / 2e-6).epsilon(1e-3).margin(1e-4));
    }
  }
}

TEST_CASE("an invariance of the wrong length or outside [0, 1] is refused", "[model]") {
  const Encoder encoder = testing::small_encoder(Conditioning::kHypernetwork);
  AffineKernels affine(hypernetwork_of(encoder));
  for (const config::Invariance& wrong : {config::Invariance{0.5}, config::Invariance{0.5, 1.1},
                                          config::Invariance{-0.1, 0.0}, config::Invariance{0.5, std::nan("")}}) {
    CHECK_THROWS_AS(encoder.generate(wrong), PreconditionError);
    CHECK_THROWS_AS(affine.at(wrong), PreconditionError);
  }
  CHECK_THROWS_AS(testing::small_encoder(Conditioning::kNone).frozen_generator(), PreconditionError);
}

}  // namespace invaria::model

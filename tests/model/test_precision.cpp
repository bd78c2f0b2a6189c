// Products in bfloat16 beside those in float: one rounding apart each, and nothing else.
#include <bit>
#include <limits>

#include "model/column_kernels.hpp"
#include "tests/model/support.hpp"

namespace invaria::model {
namespace {

using testing::random_tensor;
using testing::relative_error;

constexpr double kRounding = 1.0 / 256;  // half a unit in the last place of eight bits of mantissa

/// The length of the difference beside that of what is expected.
double distance(const at::Tensor& found, const at::Tensor& expected) {
  const at::Tensor reference = expected.detach().to(at::kDouble);
  return ((found.detach().to(at::kDouble) - reference).norm() / reference.norm()).item<double>();
}

/// Every element within one rounding of what is expected.
void check_rounded(const at::Tensor& found, const at::Tensor& expected) {
  REQUIRE(found.scalar_type() == at::kBFloat16);
  const at::Tensor reference = expected.detach().to(at::kDouble);
  const at::Tensor allowed = reference.abs() * (1.01 * kRounding) + 1e-6;
  CHECK(((found.detach().to(at::kDouble) - reference).abs() <= allowed).all().item<bool>());
}

}  // namespace

TEST_CASE("batch normalisation of bfloat16 is that of the same floats, its results rounded", "[model][oracle]") {
  const bool is_training = GENERATE(true, false);
  const bool has_residual = GENERATE(true, false);
  const auto shape =
      GENERATE(std::vector<int64_t>{6, 16, 8, 8}, std::vector<int64_t>{5, 7, 3, 5}, std::vector<int64_t>{64, 128});
  CAPTURE(is_training, has_residual, shape);
  const auto rounded = [&](uint64_t seed) { return random_tensor(shape, seed).mul(2.0).add(1.0).to(at::kBFloat16); };
  const at::Tensor x = rounded(1), residual = rounded(2), coefficients = rounded(3);

  std::vector<std::vector<at::Tensor>> results;
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const int64_t channels = shape[1];
    const BatchNormLayer layer{(random_tensor({channels}, 4) * 0.3 + 1.0).requires_grad_(),
                               random_tensor({channels}, 5).requires_grad_(), random_tensor({channels}, 6),
                               random_tensor({channels}, 7).square().add(0.5), at::zeros({}, at::kLong)};
    const at::Tensor input = x.to(type).clone().requires_grad_();
    const at::Tensor added = has_residual ? residual.to(type).clone().requires_grad_() : at::Tensor();
    const at::Tensor y = batch_norm(input, layer, 0, is_training ? BatchNormPass::train({}) : BatchNormPass::running(),
                                    Activation::kRelu, added);
    y.backward(coefficients.to(type));
    results.push_back({y, input.grad(), has_residual ? added.grad() : y, layer.weight_C.grad(), layer.bias_C.grad(),
                       layer.running_mean_C, layer.running_var_C});
  }
  for (size_t index = 0; index < 3; ++index) check_rounded(results[1][index], results[0][index]);
  for (size_t index = 3; index < results[0].size(); ++index) {
    REQUIRE(results[1][index].defined() == results[0][index].defined());
    if (!results[0][index].defined()) continue;  // a frozen layer's weights
    CHECK(results[1][index].scalar_type() == at::kFloat);
    CHECK(relative_error(results[1][index], results[0][index]) < 1e-5);
  }
}

TEST_CASE("numbers are rounded to bfloat16 as ATen rounds them", "[model][oracle]") {
  constexpr int64_t kRows = 515, kColumns = 7;
  at::Tensor x = random_tensor({kRows, kColumns}, 8).to(at::kBFloat16);
  x.view(-1)[3] = std::nan("");
  x.view(-1)[4] = std::numeric_limits<float>::infinity();
  x.view(-1)[5] = -std::numeric_limits<float>::infinity();
  // Ties go to even: odd and even mantissas, half a unit above.
  x.view(-1)[6] = 1.0;
  x.view(-1)[7] = 1.0078125;
  const at::Tensor scale = at::ones({kColumns}), shift = at::full({kColumns}, 0.5 / 128);
  // A NaN that would become zero were its bits rounded, and numbers that round to infinity.
  shift.mutable_data_ptr<float>()[1] = std::bit_cast<float>(0x7FFFFFFFU);
  shift.mutable_data_ptr<float>()[2] = std::numeric_limits<float>::max();
  at::Tensor y = at::empty_like(x);
  column_affine<c10::BFloat16>({.size = {kRows, kColumns},
                                .x = x.const_data_ptr<c10::BFloat16>(),
                                .scale = scale.const_data_ptr<float>(),
                                .shift = shift.const_data_ptr<float>(),
                                .y = y.mutable_data_ptr<c10::BFloat16>()});
  const at::Tensor expected = (x.to(at::kFloat) + shift).to(at::kBFloat16);
  CHECK(y.select(1, 1).isnan().all().item<bool>());
  CHECK(at::equal(y.isnan(), expected.isnan()));
  CHECK(at::equal(y.nan_to_num(0.0), expected.nan_to_num(0.0)));
  CHECK(y.isinf().sum().item<int64_t>() > kRows / 2);
}

TEST_CASE("an encoder in bfloat16 has the float one's features and gradients but for rounding", "[model][oracle]") {
  const auto [backbone, conditioning] = GENERATE(std::pair{Architecture::kResNet18, Conditioning::kNone},
                                                 std::pair{Architecture::kResNet18, Conditioning::kHypernetwork},
                                                 std::pair{Architecture::kResNet18, Conditioning::kFilm},
                                                 std::pair{Architecture::kVitTiny, Conditioning::kPrompt},
                                                 std::pair{Architecture::kVitTiny, Conditioning::kFilm});
  CAPTURE(config::name_of(backbone), config::name_of(conditioning));
  const EncoderSettings settings = testing::small_settings(backbone, conditioning, 16);
  const at::Tensor images = random_tensor({16, 3, 16, 16}, 9);
  const at::Tensor coefficients = random_tensor({16, Encoder(settings, 2, 3, 16).feature_dim()}, 10);

  struct Result {
    at::Tensor features;
    std::vector<at::Tensor> gradients;
    at::Tensor all;
  };
  std::vector<Result> results;
  for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16}) {
    const Encoder encoder(settings, 2, 3, 16);
    const Generated generated = encoder.generate({1.0, 0.5});
    ForwardPass pass{BatchNormPass::train({}), SampleDraws{1, 2, std::vector<uint64_t>(16, 5)}};
    pass.precision = precision;
    Result result{encoder.forward(images, generated, pass), {}, {}};
    (result.features * coefficients).sum().backward();
    for (const Parameter& parameter : encoder.parameters()) {
      if (parameter.value.grad().defined()) result.gradients.push_back(parameter.value.grad());
    }
    for (const at::Tensor& gradient : generated.gradients()) result.gradients.push_back(gradient);
    std::vector<at::Tensor> flat;
    for (const at::Tensor& gradient : result.gradients) flat.push_back(gradient.flatten());
    result.all = at::cat(flat);
    results.push_back(std::move(result));
  }
  CHECK(results[1].features.scalar_type() == at::kFloat);
  for (const at::Tensor& gradient : results[1].gradients) CHECK(gradient.scalar_type() == at::kFloat);
  REQUIRE(results[1].gradients.size() == results[0].gradients.size());
  const double features = distance(results[1].features, results[0].features);
  const double gradients = distance(results[1].all, results[0].all);
  CAPTURE(features, gradients);
  // Rounding flips ReLUs; PyTorch's autocast of such a ResNet at its start is 0.04 and 0.33 off.
  const bool is_resnet = backbone == Architecture::kResNet18;
  CHECK(features < (is_resnet ? 0.08 : 0.01));
  CHECK(features > 1e-4);  // it is rounded at all
  CHECK(gradients < (is_resnet ? 0.5 : 0.02));
}

TEST_CASE("images of different invariances in bfloat16 are those in float but for rounding", "[model][oracle]") {
  EncoderSettings settings;
  settings.conditioning = Conditioning::kFilm;
  settings.width = 16;
  const Encoder encoder(settings, 2, 3, 32);
  const at::Tensor images = random_tensor({32, 3, 32, 32}, 13);
  const at::Tensor group = at::arange(32, at::kLong).remainder(2);
  std::vector<at::Tensor> features, gradients;
  for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16}) {
    const Generated generated = encoder.generate_mixed({{1.0, 0.0}, {0.0, 1.0}}, group);
    ForwardPass pass(BatchNormPass::train({}));
    pass.precision = precision;
    features.push_back(encoder.forward(images, generated, pass));
    features.back().square().sum().backward();
    std::vector<at::Tensor> flat;
    for (const at::Tensor& gradient : generated.gradients()) flat.push_back(gradient.flatten());
    gradients.push_back(at::cat(flat));
  }
  CHECK(features[1].scalar_type() == at::kFloat);
  CHECK(distance(features[1], features[0]) < 0.08);
  CHECK(distance(features[1], features[0]) > 1e-4);
  CHECK(distance(gradients[1], gradients[0]) < 0.5);
}

TEST_CASE("a pass that does not ask for bfloat16 is not rounded, whatever another was", "[model][property]") {
  const Encoder encoder = testing::small_encoder(Conditioning::kHypernetwork);
  const Generated generated = encoder.generate({0.0, 1.0});
  const at::Tensor images = random_tensor({4, 3, 32, 32}, 11);
  const at::NoGradGuard no_grad;
  const at::Tensor before = encoder.forward(images, generated, BatchNormPass::running());
  ForwardPass rounded(BatchNormPass::running());
  rounded.precision = Precision::kBfloat16;
  CHECK_FALSE(at::equal(encoder.forward(images, generated, rounded), before));
  CHECK(at::equal(encoder.forward(images, generated, BatchNormPass::running()), before));
}

TEST_CASE("CUDA in bfloat16 gives the CPU's features and gradients in bfloat16", "[model][gpu]") {
  if (!at::hasCUDA()) INVARIA_SKIP("no GPU on this machine");
  at::globalContext().setAllowTF32CuDNN(false);  // as app/device.cpp
  const Architecture backbone = GENERATE(Architecture::kResNet18, Architecture::kVitTiny);
  const bool is_training = GENERATE(true, false);
  EncoderSettings settings;
  settings.backbone = backbone;
  settings.conditioning = backbone == Architecture::kResNet18 ? Conditioning::kHypernetwork : Conditioning::kPrompt;
  settings.vit = {.patch = 4, .width = 48, .depth = 2};
  const at::Tensor images = random_tensor({16, 3, 16, 16}, 12);
  ForwardPass pass(is_training ? BatchNormPass::train({}) : BatchNormPass::running());
  pass.precision = Precision::kBfloat16;
  std::vector<std::vector<at::Tensor>> results;
  for (const at::Device device : {at::Device(at::kCPU), at::Device(at::kCUDA, 0)}) {
    Encoder encoder(settings, 2, 3, 16);
    encoder.to(device);
    const Generated generated = encoder.generate({1.0, 0.5});
    const at::Tensor features = encoder.forward(images.to(device), generated, pass);
    features.square().sum().backward();
    results.push_back({features.cpu(), generated.gradients().front().cpu()});
  }
  CHECK(distance(results[1][0], results[0][0]) < 0.08);
  CHECK(distance(results[1][1], results[0][1]) < 0.5);
}

}  // namespace invaria::model

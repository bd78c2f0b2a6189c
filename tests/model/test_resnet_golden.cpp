// ResNet-18 and -50 against torchvision: names, order, features, gradients, running statistics. Golden files:
// tests/golden/model.
#include "tests/model/golden.hpp"

namespace invaria::model {
namespace {

namespace json = boost::json;
using testing::error_against;
using testing::noise;

}  // namespace

/// Float, as in every run, or double. A ReLU that rounds to the other side changes a gradient by far more than rounding
/// does, and fifty layers amplify that to per cents, in torchvision's float as in ours: ResNet-50 needs the digits.
struct Case {
  std::string name;
  Architecture backbone;
  at::ScalarType type;
  double tolerance;
};

TEST_CASE("a plain encoder has torchvision's names, order, features and gradients", "[model][golden]") {
  const Case net = GENERATE(Case{"resnet18", Architecture::kResNet18, at::kFloat, 1e-5},
                            Case{"resnet18", Architecture::kResNet18, at::kDouble, 1e-9},
                            Case{"resnet34", Architecture::kResNet34, at::kDouble, 1e-9},
                            Case{"resnet50", Architecture::kResNet50, at::kDouble, 1e-9});
  CAPTURE(net.name, net.tolerance);
  const json::value golden = testing::read_golden(net.name);
  Encoder encoder({net.backbone, Stem::kImagenet, 2, 64, Conditioning::kNone}, 0, 0, 64);
  std::vector<std::string> parameter_names = testing::load_golden(encoder, golden, net.type);
  std::erase_if(parameter_names,
                [](const std::string& entry) { return !entry.ends_with("weight") && !entry.ends_with("bias"); });
  std::vector<std::string> found_names;
  for (const Parameter& parameter : encoder.parameters()) found_names.push_back(parameter.name);
  CHECK(found_names == parameter_names);

  const at::Tensor images = noise({8, 3, 64, 64}, 1000).to(at::kFloat).to(net.type);
  const Generated generated = encoder.generate({});
  {
    const at::NoGradGuard no_grad;
    const at::Tensor features = encoder.forward(images, generated, BatchNormPass::running());
    CHECK(error_against(features, golden.at("features_running")) < net.tolerance);
  }
  const at::Tensor features = encoder.forward(images, generated, BatchNormPass::train({}));
  CHECK(error_against(features, golden.at("features")) < net.tolerance);

  (features * noise(features.sizes(), 1001)).sum().backward();
  for (const Parameter& parameter : encoder.parameters()) {
    INFO(parameter.name);
    CHECK(error_against(parameter.value.grad(), golden.at("gradients").at(parameter.name)) < net.tolerance);
  }
  for (const auto& [buffer, tensor] : encoder.state()) {
    INFO(buffer);
    if (buffer.ends_with("running_mean") || buffer.ends_with("running_var")) {
      CHECK(error_against(tensor, golden.at("buffers").at(buffer)) < net.tolerance);
    } else if (buffer.ends_with("tracked")) {
      CHECK(tensor.item<int64_t>() == 1);
    }
  }
}

}  // namespace invaria::model

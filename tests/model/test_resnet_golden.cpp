// ResNet-18 and -50 against torchvision: names, order, features, gradients, running statistics. Golden files:
// tests/golden/model.
#include <cmath>
#include <fstream>
#include <sstream>

#include "tests/model/support.hpp"

namespace invaria::model {
namespace {

namespace json = boost::json;
using testing::relative_error;

/// generate.py's noise().
at::Tensor noise(at::IntArrayRef shape, double stream) {
  at::Tensor values = at::empty(shape, at::kDouble);
  double* data = values.mutable_data_ptr<double>();
  for (int64_t j = 0; j < values.numel(); ++j) {
    const double x = std::sin(12.9898 * static_cast<double>(j) + 78.233 * stream) * 43758.5453;
    data[j] = 2.0 * (x - std::floor(x)) - 1.0;
  }
  return values;
}

/// generate.py's fill().
at::Tensor filled(const std::string& name, at::IntArrayRef shape, double stream) {
  const at::Tensor values = noise(shape, stream);
  if (shape.size() == 4) return values * std::sqrt(6.0 / static_cast<double>(shape[0] * shape[2] * shape[3]));
  if (name.ends_with("running_var")) return 1.0 + 0.5 * values;
  if (name.ends_with("weight")) return 1.0 + 0.25 * values;
  return 0.25 * values;
}

json::value read_golden(const std::string& name) {
  std::ifstream file(std::string(INVARIA_SOURCE_DIR) + "/tests/golden/model/" + name + ".json");
  std::stringstream text;
  text << file.rdbuf();
  return config::parse_text(text.str(), name);
}

/// Greatest error of the stored samples relative to the greatest element, and of the norm, whichever is larger.
double error_against(const at::Tensor& found, const json::value& golden) {
  const at::Tensor flat = found.detach().to(at::kDouble).contiguous().view(-1);
  const json::array& samples = golden.at("samples").as_array();
  const double norm = golden.at("norm").to_number<double>();
  const double scale = golden.at("max").to_number<double>();
  double error = std::abs(flat.norm().item<double>() - norm) / norm;
  for (size_t k = 0; k < samples.size(); ++k) {
    const int64_t place = static_cast<int64_t>(k) * flat.numel() / static_cast<int64_t>(samples.size());
    error = std::max(error, std::abs(flat[place].item<double>() - samples[k].to_number<double>()) / scale);
  }
  return error;
}

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
                            Case{"resnet50", Architecture::kResNet50, at::kDouble, 1e-9});
  CAPTURE(net.name, net.tolerance);
  const json::value golden = read_golden(net.name);
  Encoder encoder({net.backbone, Stem::kImagenet, 2, 64, Conditioning::kNone}, 0, 0, 64);
  testing::set_type(encoder, net.type);

  StateDict state = encoder.state();
  const json::array& names = golden.at("state").as_array();
  CHECK(state.size() == names.size());
  std::vector<std::string> parameter_names;
  for (size_t stream = 0; stream < names.size(); ++stream) {
    const std::string entry(names[stream].as_string());
    INFO(entry);
    REQUIRE(state.contains(entry));
    if (entry.ends_with("weight") || entry.ends_with("bias")) parameter_names.push_back(entry);
    if (!entry.ends_with("tracked")) {
      state[entry] = filled(entry, state[entry].sizes(), static_cast<double>(stream)).to(at::kFloat);
    }
  }
  std::vector<std::string> found_names;
  for (const Parameter& parameter : encoder.parameters()) found_names.push_back(parameter.name);
  CHECK(found_names == parameter_names);
  encoder.load_state(state);

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

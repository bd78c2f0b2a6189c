// Vision transformers against timm: names, order, features, gradients. Golden files: tests/golden/model.
#include "tests/model/golden.hpp"

namespace invaria::model {
namespace {

namespace json = boost::json;
using testing::error_against;
using testing::noise;

struct Case {
  std::string name;
  Architecture backbone;
  VitSettings vit;
  int64_t side;
  int64_t batch;
  at::ScalarType type;
  double tolerance;
};

VitSettings small_vit(Readout readout) {
  return {.patch = 4, .width = 48, .depth = 3, .heads = 3, .positions = Positions::kLearned, .readout = readout};
}

}  // namespace

TEST_CASE("a ViT has timm's names, order, features and gradients", "[model][golden]") {
  const Case net = GENERATE(
      Case{"vit-class-token", Architecture::kVitTiny, small_vit(Readout::kClassToken), 16, 4, at::kFloat, 1e-5},
      Case{"vit-class-token", Architecture::kVitTiny, small_vit(Readout::kClassToken), 16, 4, at::kDouble, 1e-10},
      Case{"vit-mean", Architecture::kVitTiny, small_vit(Readout::kMean), 16, 4, at::kDouble, 1e-10},
      Case{"vit_tiny", Architecture::kVitTiny, {.positions = Positions::kLearned}, 48, 2, at::kFloat, 2e-5},
      Case{"vit_small", Architecture::kVitSmall, {.positions = Positions::kLearned}, 48, 2, at::kFloat, 2e-5},
      Case{"vit_base", Architecture::kVitBase, {.positions = Positions::kLearned}, 48, 2, at::kFloat, 2e-5});
  CAPTURE(net.name, net.tolerance);
  const json::value golden = testing::read_golden(net.name);
  EncoderSettings settings;
  settings.backbone = net.backbone;
  settings.conditioning = Conditioning::kNone;
  settings.vit = net.vit;
  Encoder encoder(settings, 0, 0, net.side);
  const std::vector<std::string> names = testing::load_golden(encoder, golden, net.type);
  std::vector<std::string> found_names;
  for (const Parameter& parameter : encoder.parameters()) found_names.push_back(parameter.name);
  CHECK(found_names == names);

  const at::Tensor images = noise({net.batch, 3, net.side, net.side}, 1000).to(at::kFloat).to(net.type);
  const at::Tensor features = encoder.forward(images, encoder.generate({}), BatchNormPass::train({}));
  CHECK(error_against(features, golden.at("features")) < net.tolerance);
  CHECK(testing::relative_error(encoder.forward(images, encoder.generate({}), BatchNormPass::running()), features) <
        net.tolerance);

  (features * noise(features.sizes(), 1001)).sum().backward();
  for (const Parameter& parameter : encoder.parameters()) {
    INFO(parameter.name);
    CHECK(error_against(parameter.value.grad(), golden.at("gradients").at(parameter.name)) < net.tolerance);
  }
}

}  // namespace invaria::model

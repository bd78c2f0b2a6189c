// Encoders on a GPU compute what they compute on the CPU, gradients too.
#include "tests/model/support.hpp"

namespace invaria::model {

TEST_CASE("an encoder moved to a GPU gives the CPU's features and gradients", "[model][gpu]") {
  if (!at::hasCUDA()) INVARIA_SKIP("no GPU on this machine");
  at::globalContext().setAllowTF32CuDNN(false);  // as app/device.cpp
  const auto [backbone, conditioning] = GENERATE(std::pair{Architecture::kResNet18, Conditioning::kHypernetwork},
                                                 std::pair{Architecture::kResNet18, Conditioning::kFilm},
                                                 std::pair{Architecture::kVitTiny, Conditioning::kPrompt},
                                                 std::pair{Architecture::kVitTiny, Conditioning::kFilm});
  CAPTURE(config::name_of(backbone), config::name_of(conditioning));
  const EncoderSettings settings = testing::small_settings(backbone, conditioning, 8);
  const at::Tensor images = testing::random_tensor({8, 3, 16, 16}, 1);
  const ForwardPass pass{BatchNormPass::train({}), SampleDraws{1, 2, {0, 1, 2, 3, 4, 5, 6, 7}}};
  std::vector<std::vector<at::Tensor>> results;
  for (const at::Device device : {at::Device(at::kCPU), at::Device(at::kCUDA, 0)}) {
    Encoder encoder(settings, 2, 3, 16);
    const Encoder copy = encoder;
    encoder.to(device);
    const Generated generated = copy.generate({1.0, 0.5});
    const at::Tensor features = copy.forward(images.to(device), generated, pass);
    features.square().sum().backward();
    std::vector<at::Tensor> result{features};
    for (const FactoredGradient& gradient : encoder.generator_backward(generated, generated.gradients()))
      result.push_back(at::outer(gradient.g_P, gradient.h_H));
    for (const Parameter& parameter : encoder.parameters()) {
      CHECK(parameter.value.device() == device);
      result.push_back(parameter.value.grad());
    }
    results.push_back(std::move(result));
  }
  for (size_t index = 0; index < results[0].size(); ++index)
    CHECK(testing::relative_error(results[1][index].cpu(), results[0][index]) < 1e-2);
}

}  // namespace invaria::model

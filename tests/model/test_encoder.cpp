// The encoder as its callers see it: sizes, fresh weights, state, settings; and the projectors.
#include <cmath>

#include "model/cost.hpp"
#include "model/projection_heads.hpp"
#include "tests/model/support.hpp"

namespace invaria::model {
namespace {

using testing::random_tensor;
using testing::relative_error;
using testing::small_encoder;

double standard_deviation(const at::Tensor& tensor) {
  return tensor.detach().to(at::kDouble).std().item<double>();
}

EncoderSettings torchvision_settings(Architecture backbone) {
  return {backbone, Stem::kImagenet, 2, 64, Conditioning::kNone};
}

}  // namespace

TEST_CASE("sizes are torchvision's, and the hypernetwork's are the paper's", "[model]") {
  // torchvision's counts less the classifier's: 11,689,512 - 513,000; 21,797,672 - 513,000; 25,557,032 - 2,049,000.
  const auto [backbone, n_parameters, multiply_adds, dim] =
      GENERATE(std::tuple{Architecture::kResNet18, 11176512, 1.814e9, 512},
               std::tuple{Architecture::kResNet34, 21284672, 3.664e9, 512},
               std::tuple{Architecture::kResNet50, 23508032, 4.087e9, 2048});
  const Encoder encoder(torchvision_settings(backbone), 0, 0, 224);
  CHECK(encoder.n_parameters() == n_parameters);
  CHECK(encoder.feature_dim() == dim);
  CHECK(flops_per_image(encoder.settings(), 224) / 2 == Approx(multiply_adds).epsilon(1e-3));
  if (backbone == Architecture::kResNet50)
    CHECK(33 * testing::n_residual(encoder) == 773701632);  // the hypernetwork's A and b
}

TEST_CASE("a conditioned encoder adds E, B, c and A and nothing else", "[model]") {
  const Encoder plain = small_encoder(Conditioning::kNone);
  const Encoder conditioned = small_encoder(Conditioning::kHypernetwork);
  const int64_t generated = testing::n_residual(plain);
  const int64_t n_blocks = 8, n_convolutions = 19;
  CHECK(conditioned.n_parameters() ==
        plain.n_parameters() + 32 * generated + n_blocks * 16 * 2 + n_convolutions * (32 * 16 + 32));
  CHECK(conditioned.factored_parameters().size() == n_convolutions);
  // The same seed gives the same base kernels, so that baselines start where the amortised encoder does.
  for (size_t index = 0; index < plain.parameters().size(); ++index) {
    CHECK(plain.parameters()[index].name == conditioned.parameters()[index].name);
    CHECK(at::equal(plain.parameters()[index].value, conditioned.parameters()[index].value));
  }
  for (const Parameter& parameter : conditioned.parameters()) {
    INFO(parameter.name);
    const bool is_norm = parameter.value.dim() == 1;  // BatchNorm's scale and shift, and c
    CHECK(parameter.decays == !is_norm);
    CHECK(parameter.value.requires_grad());
    CHECK(parameter.value.is_leaf());
  }
  for (const FactoredParameter& parameter : conditioned.factored_parameters())
    CHECK_FALSE(parameter.value_PH.requires_grad());
}

TEST_CASE("sizes told from the settings alone are those of the encoder made", "[model][oracle]") {
  for (const Architecture backbone : {Architecture::kResNet18, Architecture::kResNet34, Architecture::kResNet50}) {
    for (const Conditioning conditioning : {Conditioning::kNone, Conditioning::kHypernetwork}) {
      const EncoderSettings settings{backbone, Stem::kCifar, 2, 8, conditioning};
      const Encoder encoder(settings, 3, 0, 32);
      CHECK(count_parameters(settings, 3, 32).total() == encoder.n_parameters());
      CHECK(feature_dim(settings) == encoder.feature_dim());
    }
  }
}

TEST_CASE("fresh weights have their distributions and depend on nothing but the seed", "[model]") {
  const Encoder encoder = small_encoder(Conditioning::kHypernetwork, 2, 3);
  const double he = std::sqrt(2.0 / (64.0 * 9.0));  // layer4.1.conv2 of width 8: 64 channels, 3x3
  const StateDict state = encoder.state();
  CHECK(standard_deviation(state.at("layer4.1.conv2.weight")) == Approx(he).epsilon(0.02));
  CHECK(standard_deviation(state.at("layer4.1.conv2.hyper.A")) == Approx(he / 8.0).epsilon(0.01));
  CHECK(standard_deviation(state.at("layer4.1.conv2.hyper.B")) == Approx(0.25).epsilon(0.1));
  CHECK(state.at("layer4.1.conv2.hyper.A").mean().item<double>() == Approx(0.0).margin(he / 1000));
  const at::Tensor& c = state.at("layer4.1.conv2.hyper.c");
  CHECK((c >= -0.5).logical_and(c < 0.5).all().item<bool>());
  CHECK(standard_deviation(c) == Approx(std::sqrt(1.0 / 12.0)).epsilon(0.35));
  // No draw serves two tensors, nor two places of one.
  const at::Tensor& a = state.at("layer4.1.conv2.hyper.A");
  CHECK_FALSE(at::equal(a, state.at("layer4.1.conv1.hyper.A")));
  CHECK_FALSE(at::equal(a.view(-1).narrow(0, 0, 4096), a.view(-1).narrow(0, 4096, 4096)));
  // The tail is a normal's: 4.55 % beyond two deviations.
  CHECK((a.abs() > 2 * he / 8).to(at::kDouble).mean().item<double>() == Approx(0.0455).epsilon(0.02));

  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const std::string on_one_thread = small_encoder(Conditioning::kHypernetwork, 2, 3).hash();
  at::set_num_threads(2);
  const std::string on_two = small_encoder(Conditioning::kHypernetwork, 2, 3).hash();
  at::set_num_threads(before);
  CHECK(on_one_thread == encoder.hash());
  CHECK(on_two == encoder.hash());
  CHECK(small_encoder(Conditioning::kHypernetwork, 2, 4).hash() != encoder.hash());
}

TEST_CASE("state goes from one encoder to another, strictly", "[model]") {
  const Encoder source = small_encoder(Conditioning::kHypernetwork, 2, 1);
  Encoder target = small_encoder(Conditioning::kHypernetwork, 2, 2);
  const std::string before = target.hash();

  StateDict wrong = source.state();
  wrong.erase("bn1.weight");
  wrong["layer1.0.conv1.weigth"] = at::zeros({1});
  wrong["conv1.weight"] = at::zeros({8, 3, 7, 7});
  try {
    target.load_state(wrong);
    FAIL("a wrong state was taken");
  } catch (const ConfigError& error) {
    const std::string message = error.what();
    INFO(message);
    CHECK(message.find("bn1.weight") != std::string::npos);
    CHECK(message.find("layer1.0.conv1.weigth") != std::string::npos);
    CHECK(message.find("layer1.0.conv1.weight\"") != std::string::npos);  // the nearest name
    CHECK(message.find("[8, 3, 7, 7]") != std::string::npos);
  }
  CHECK(target.hash() == before);

  target.load_state(source.state());
  CHECK(target.hash() == source.hash());
}

TEST_CASE("an encoder gives the same features in either memory layout and without a gradient", "[model]") {
  const Encoder encoder = small_encoder(Conditioning::kHypernetwork);
  const Generated generated = encoder.generate({1.0, 0.0});
  const at::Tensor images = random_tensor({4, 3, 32, 32}, 1);
  const at::Tensor kept = images.clone();
  const at::Tensor features = encoder.forward(images, generated, BatchNormPass::running());
  CHECK(features.sizes() == at::IntArrayRef{4, 64});
  CHECK(features.requires_grad());
  const at::NoGradGuard no_grad;
  const at::Tensor bare =
      encoder.forward(images.contiguous(at::MemoryFormat::ChannelsLast), generated, BatchNormPass::running());
  CHECK_FALSE(bare.requires_grad());
  CHECK(relative_error(bare, features) < 1e-6);
  CHECK(at::equal(images, kept));
  CHECK_THROWS_AS(encoder.forward(images[0], generated, BatchNormPass::running()), PreconditionError);
}

TEST_CASE("the encoder's settings are read, bounded and written", "[model]") {
  const auto problems_of = [](const std::string& text) {
    config::Problems problems;
    config::parse<EncoderSettings>(config::parse_text(text, "test"), "model", problems);
    return problems.to_string();
  };
  config::Problems none;
  const auto settings = config::parse<EncoderSettings>(
      config::parse_text(R"({"backbone": "resnet50", "stem": "imagenet", "width": 64, "conditioning": "none"})",
                         "test"),
      "model", none);
  CHECK(none.empty());
  CHECK(settings.backbone == Architecture::kResNet50);
  CHECK(settings.conditioning == Conditioning::kNone);
  CHECK(config::write(EncoderSettings{}).at("backbone") == "resnet18");
  CHECK(problems_of(R"({"backbone": "resnet51"})").find("resnet50") != std::string::npos);
  CHECK(problems_of(R"({"width": 0})").find("model.width") != std::string::npos);
  CHECK(problems_of(R"({"stem": "imagenet", "stem_stride": 1})").find("model.stem_stride") != std::string::npos);
}

TEST_CASE("a projector is Linear, BatchNorm, ReLU, Linear, and touches no other head", "[model]") {
  const ProjectionHeads heads(ProjectionSettings{}, 128, 3, 9);
  CHECK(heads.size() == 3);
  const at::Tensor features = random_tensor({32, 128}, 1);
  const at::Tensor embeddings = heads.forward(1, features, BatchNormPass::train({}));
  const StateDict state = heads.state();
  const at::Tensor hidden = at::matmul(features, state.at("projector.1.linear1.weight").t());
  const at::Tensor standardised = (hidden - hidden.mean(0)) / (hidden.var(0, false) + 1e-5).sqrt();
  const at::Tensor expected = at::matmul(standardised.relu(), state.at("projector.1.linear2.weight").t()) +
                              state.at("projector.1.linear2.bias");
  CHECK(relative_error(embeddings, expected) < 1e-5);

  embeddings.square().sum().backward();
  for (const int64_t head : {0, 1, 2}) {
    for (const Parameter& parameter : heads.parameters(head)) {
      INFO(parameter.name);
      CHECK(parameter.value.grad().defined() == (head == 1));
      CHECK(parameter.decays == (parameter.value.dim() == 2));
    }
  }
  CHECK(state.at("projector.1.bn1.num_batches_tracked").item<int64_t>() == 1);
  CHECK(state.at("projector.0.bn1.num_batches_tracked").item<int64_t>() == 0);
  const at::Tensor& weight = state.at("projector.0.linear1.weight");
  const double bound = 1.0 / std::sqrt(128.0);
  CHECK(weight.abs().max().item<double>() <= bound);
  CHECK(standard_deviation(weight) == Approx(bound / std::sqrt(3.0)).epsilon(0.02));
  CHECK_FALSE(at::equal(weight, state.at("projector.2.linear1.weight")));

  ProjectionHeads other(ProjectionSettings{}, 128, 3, 10);
  other.load_state(state);
  CHECK(at::equal(other.forward(1, features, BatchNormPass::running()),
                  heads.forward(1, features, BatchNormPass::running())));
  CHECK_THROWS_AS(heads.forward(3, features, BatchNormPass::running()), PreconditionError);
  StateDict missing = state;
  missing.erase("projector.2.linear2.bias");
  CHECK_THROWS_AS(other.load_state(missing), ConfigError);
}

}  // namespace invaria::model

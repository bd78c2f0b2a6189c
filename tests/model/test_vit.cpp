// The vision transformer beside timm's: sizes, fresh weights, fixed positions, frozen patch projection, drop path.
#include <array>
#include <cmath>

#include "core/philox.hpp"
#include "model/cost.hpp"
#include "tests/model/support.hpp"

namespace invaria::model {
namespace {

using testing::random_tensor;
using testing::relative_error;

constexpr int64_t kSide = 16;

EncoderSettings vit_settings(const VitSettings& vit = {.patch = 4, .width = 24, .depth = 2}) {
  EncoderSettings settings;
  settings.backbone = Architecture::kVitTiny;
  settings.conditioning = Conditioning::kNone;
  settings.vit = vit;
  return settings;
}

Encoder small_vit(const VitSettings& vit = {.patch = 4, .width = 24, .depth = 2}) {
  return Encoder(vit_settings(vit), 0, 3, kSide);
}

const Parameter* find(const Encoder& encoder, const std::string& name) {
  for (const Parameter& parameter : encoder.parameters()) {
    if (parameter.name == name) return &parameter;
  }
  return nullptr;
}

/// Blocks that matter: fresh ones change so little that tests would not see them.
void make_strong(const Encoder& encoder) {
  const at::NoGradGuard no_grad;
  encoder.state().at("cls_token").copy_(random_tensor({1, 1, 24}, 40));
}

at::Tensor features(const Encoder& encoder, const at::Tensor& images, const ForwardPass& pass) {
  return encoder.forward(images, encoder.generate({}), pass).detach();
}

}  // namespace

TEST_CASE("a ViT's sizes are timm's", "[model]") {
  const auto [backbone, n_parameters, dim] =
      GENERATE(std::tuple{Architecture::kVitTiny, 5524416, 192}, std::tuple{Architecture::kVitSmall, 21665664, 384},
               std::tuple{Architecture::kVitBase, 85798656, 768});
  EncoderSettings settings = vit_settings({.positions = Positions::kLearned});
  settings.backbone = backbone;
  CHECK(count_parameters(settings, 0, 224).total() == n_parameters);
  CHECK(feature_dim(settings) == dim);
}

TEST_CASE("a ViT's sizes told from the settings alone are those of the encoder made", "[model][oracle]") {
  for (const bool is_frozen : {false, true}) {
    for (const Positions positions : {Positions::kSinCos, Positions::kLearned}) {
      const EncoderSettings settings = vit_settings(
          {.patch = 8, .width = 36, .depth = 3, .positions = positions, .freeze_patch_projection = is_frozen});
      const Encoder encoder(settings, 0, 0, 32);
      CHECK(count_parameters(settings, 0, 32).total() == encoder.n_parameters());
      CHECK(feature_dim(settings) == encoder.feature_dim());
    }
  }
}

TEST_CASE("weight decay falls on a ViT's matrices alone", "[model]") {
  const Encoder encoder = small_vit({.patch = 4, .width = 24, .depth = 2, .positions = Positions::kLearned});
  for (const Parameter& parameter : encoder.parameters()) {
    INFO(parameter.name);
    const bool is_matrix = parameter.name.ends_with("weight") && parameter.name.find("norm") == std::string::npos;
    CHECK(parameter.decays == is_matrix);
  }
}

TEST_CASE("fresh matrices of a ViT are Xavier uniform, q, k and v each for itself", "[model]") {
  const Encoder encoder = small_vit({.patch = 4, .width = 48, .depth = 2});
  const StateDict state = encoder.state();
  const auto bound_of = [&](const std::string& name, int64_t fans) {
    INFO(name);
    const double bound = std::sqrt(6.0 / static_cast<double>(fans));
    const at::Tensor weight = state.at(name).to(at::kDouble);
    CHECK(weight.abs().max().item<double>() <= bound);
    CHECK(weight.std().item<double>() == Approx(bound / std::sqrt(3.0)).epsilon(0.03));
  };
  bound_of("blocks.0.attn.qkv.weight", 48 + 48);
  bound_of("blocks.1.attn.proj.weight", 48 + 48);
  bound_of("blocks.0.mlp.fc1.weight", 48 + 192);
  bound_of("blocks.1.mlp.fc2.weight", 48 + 192);
  bound_of("patch_embed.proj.weight", 3 * 16 + 48);
  CHECK(state.at("blocks.0.attn.qkv.bias").abs().max().item<double>() == 0.0);
  CHECK(state.at("cls_token").std().item<double>() == Approx(1e-6).epsilon(0.4));
  CHECK_FALSE(at::equal(state.at("blocks.0.attn.proj.weight"), state.at("blocks.1.attn.proj.weight")));
}

TEST_CASE("sincos positions are MoCo v3's, part of the state and not trained", "[model]") {
  const Encoder encoder = small_vit();
  CHECK(find(encoder, "pos_embed") == nullptr);
  const at::Tensor positions = encoder.state().at("pos_embed");
  REQUIRE(positions.sizes() == at::IntArrayRef{1, 17, 24});
  CHECK(positions[0][0].abs().max().item<double>() == 0.0);
  for (int64_t row = 0; row < 4; ++row) {
    for (int64_t column = 0; column < 4; ++column) {
      const at::Tensor token = positions[0][1 + 4 * row + column];
      for (int64_t k = 0; k < 6; ++k) {
        const double omega = 1.0 / std::pow(10000.0, static_cast<double>(k) / 6.0);
        const std::array<double, 4> expected{
            std::sin(static_cast<double>(row) * omega), std::cos(static_cast<double>(row) * omega),
            std::sin(static_cast<double>(column) * omega), std::cos(static_cast<double>(column) * omega)};
        for (int64_t part = 0; part < 4; ++part) {
          CHECK(token[6 * part + k].item<double>() == Approx(expected[static_cast<size_t>(part)]).margin(1e-6));
        }
      }
    }
  }
}

TEST_CASE("a frozen patch projection is drawn as a trained one, kept in the state and left alone", "[model]") {
  const Encoder trained = small_vit();
  const Encoder frozen = small_vit({.patch = 4, .width = 24, .depth = 2, .freeze_patch_projection = true});
  CHECK(find(trained, "patch_embed.proj.weight") != nullptr);
  CHECK(find(frozen, "patch_embed.proj.weight") == nullptr);
  CHECK(find(frozen, "patch_embed.proj.bias") == nullptr);
  CHECK(frozen.hash() == trained.hash());
  const at::Tensor images = random_tensor({2, 3, kSide, kSide}, 1);
  frozen.forward(images, frozen.generate({}), BatchNormPass::train({})).square().sum().backward();
  CHECK_FALSE(frozen.state().at("patch_embed.proj.weight").requires_grad());
  for (const Parameter& parameter : frozen.parameters()) {
    INFO(parameter.name);
    CHECK(parameter.value.grad().defined());  // the optimiser asks for every one
  }
}

TEST_CASE("a ViT that is not being trained gives no gradient to its weights, but to images", "[model]") {
  const Encoder encoder = small_vit();
  const at::Tensor images = random_tensor({2, 3, kSide, kSide}, 1).requires_grad_();
  encoder.forward(images, encoder.generate({}), BatchNormPass::running()).sum().backward();
  CHECK(images.grad().abs().max().item<double>() > 0.0);
  for (const Parameter& parameter : encoder.parameters()) CHECK_FALSE(parameter.value.grad().defined());
}

TEST_CASE("drop path skips branches of whole images by their addresses and scales up the others", "[model][oracle]") {
  const VitSettings vit{.patch = 4, .width = 24, .depth = 2, .drop_path = 0.5};
  const Encoder encoder = small_vit(vit);
  make_strong(encoder);
  const int64_t B = 24;
  const at::Tensor images = random_tensor({B, 3, kSide, kSide}, 2);
  SampleDraws draws{.seed = 7, .step = 5, .samples = {}};
  for (int64_t row = 0; row < B; ++row) draws.samples.push_back(static_cast<uint64_t>(100 + 3 * row));
  const at::Tensor found = features(encoder, images, {BatchNormPass::train({}), draws});

  // The four cases of the last block without drop path: its branches doubled or nothing. The first block's chance is 0.
  const auto last_block = [&](double attention, double mlp) {
    Encoder twin = small_vit({.patch = 4, .width = 24, .depth = 2});
    StateDict state;
    for (const auto& [name, tensor] : encoder.state()) {
      const bool in_attention = name.starts_with("blocks.1.attn.proj"), in_mlp = name.starts_with("blocks.1.mlp.fc2");
      state[name] = tensor * (in_attention ? attention : in_mlp ? mlp : 1.0);
    }
    twin.load_state(state);
    return features(twin, images, BatchNormPass::running());
  };
  std::array<int, 4> seen{};
  for (int64_t row = 0; row < B; ++row) {
    std::array<bool, 2> is_skipped{};
    for (uint32_t branch = 0; branch < 2; ++branch) {
      is_skipped[branch] = Draws({.seed = 7,
                                  .purpose = Purpose::kDropPath,
                                  .epoch = 5,
                                  .sample = static_cast<uint64_t>(100 + 3 * row),
                                  .view = 2 + branch})
                               .bernoulli(0.5);
    }
    ++seen[2 * is_skipped[0] + is_skipped[1]];
    const at::Tensor expected = last_block(is_skipped[0] ? 0.0 : 2.0, is_skipped[1] ? 0.0 : 2.0)[row];
    CAPTURE(row, is_skipped[0], is_skipped[1]);
    CHECK(relative_error(found[row], expected) < 1e-5);
  }
  for (const int count : seen) CHECK(count > 0);

  // Half a batch draws what it drew within the whole; another step draws anew; a frozen pass draws nothing.
  SampleDraws half = draws;
  half.samples.erase(half.samples.begin(), half.samples.begin() + B / 2);
  CHECK(relative_error(features(encoder, images.narrow(0, B / 2, B / 2), {BatchNormPass::train({}), half}),
                       found.narrow(0, B / 2, B / 2)) < 1e-5);
  draws.step = 6;
  CHECK(relative_error(features(encoder, images, {BatchNormPass::train({}), draws}), found) > 1e-2);
  CHECK(relative_error(features(encoder, images, BatchNormPass::running()), last_block(1.0, 1.0)) < 1e-6);
  CHECK_THROWS_AS(features(encoder, images, BatchNormPass::train({})), PreconditionError);
}

TEST_CASE("images of another size are refused by a ViT", "[model]") {
  const Encoder encoder = small_vit();
  CHECK_THROWS_AS(features(encoder, random_tensor({2, 3, 20, 20}, 1), BatchNormPass::running()), PreconditionError);
  CHECK_THROWS_AS(Encoder(vit_settings(), 0, 0, 18), PreconditionError);
}

TEST_CASE("settings of a ViT that do not fit together are refused where they stand", "[model]") {
  const auto problems_of = [](const std::string& text) {
    config::Problems problems;
    const auto settings = config::parse<EncoderSettings>(config::parse_text(text, "test"), "model", problems);
    settings.validate_image_size(32, "view_size", problems);
    return problems.to_string();
  };
  CHECK(problems_of(R"({"backbone": "vit_small", "conditioning": "none"})").empty());
  CHECK(problems_of(R"({"backbone": "vit_small"})").find("model.conditioning") != std::string::npos);
  const auto with_vit = [&](const std::string& vit) {
    return problems_of(R"({"backbone": "vit_tiny", "conditioning": "none", "vit": )" + vit + "}");
  };
  CHECK(with_vit(R"({"width": 100})").find("model.vit.width") != std::string::npos);
  CHECK(with_vit(R"({"heads": 5})").find("model.vit.heads") != std::string::npos);
  CHECK(with_vit(R"({"width": 66})").find("model.vit.width") != std::string::npos);
  CHECK(with_vit(R"({"width": 66, "positions": "learned"})").empty());
  CHECK(with_vit(R"({"patch": 12})").find("view_size") != std::string::npos);
  CHECK(with_vit(R"({"drop_path": 1.0})").find("model.vit.drop_path") != std::string::npos);
}

}  // namespace invaria::model

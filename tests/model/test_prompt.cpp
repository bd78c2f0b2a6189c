// The prompt against 256 separate MLPs, which autograd differentiates and torch.optim's rules update.
#include <ATen/Parallel.h>

#include <functional>

#include "model/cost.hpp"
#include "model/prompt.hpp"
#include "tests/model/support.hpp"

namespace invaria::model {
namespace {

using testing::random_tensor;
using testing::relative_error;

constexpr int64_t kSide = 8;
constexpr int64_t kWidth = 12;

Encoder prompted_vit(int64_t n_axes, uint64_t seed = 3, Readout readout = Readout::kClassToken) {
  EncoderSettings settings;
  settings.backbone = Architecture::kVitTiny;
  settings.conditioning = Conditioning::kPrompt;
  settings.vit = {.patch = 4, .width = kWidth, .depth = 2, .readout = readout};
  Encoder encoder(settings, n_axes, seed, kSide);
  testing::set_type(encoder, at::kDouble);
  return encoder;
}

/// One of the 256: K -> D -> ReLU -> D, each tensor a leaf of autograd.
struct Mlp {
  at::Tensor W1_DK, b1_D, W2_DD, b2_D;

  at::Tensor operator()(const at::Tensor& i_K) const {
    return at::mv(W2_DD, (at::mv(W1_DK, i_K) + b1_D).relu()) + b2_D;
  }
  std::vector<at::Tensor> leaves() const { return {W1_DK, b1_D, W2_DD, b2_D}; }
};

std::vector<Mlp> mlps_of(const Encoder& encoder) {
  const StateDict state = encoder.state();
  const auto leaf = [](const at::Tensor& tensor) { return tensor.detach().clone().requires_grad_(); };
  std::vector<Mlp> mlps;
  for (int64_t m = 0; m < 256; ++m) {
    mlps.push_back({leaf(state.at("prompt.linear1.weight")[m]), leaf(state.at("prompt.linear1.bias")[m]),
                    leaf(state.at("prompt.linear2.weight").narrow(1, m * kWidth, kWidth)),
                    leaf(state.at("prompt.linear2.bias")[m])});
  }
  return mlps;
}

at::Tensor mean_of(const std::vector<Mlp>& mlps, const at::Tensor& i_K) {
  at::Tensor sum_D = at::zeros({kWidth}, at::kDouble);
  for (const Mlp& mlp : mlps) sum_D = sum_D + mlp(i_K);
  return sum_D / 256.0;
}

/// A rule of torch.optim's, on one tensor with its gradient and two moments of its own.
using Rule = std::function<void(at::Tensor& w, const at::Tensor& g, at::Tensor& m, at::Tensor& v, int64_t step)>;

void sgd(at::Tensor& w, const at::Tensor& g, at::Tensor& m, at::Tensor&, int64_t) {
  m.mul_(0.9).add_(g);
  w.sub_(0.5 * m);
}

void adamw(at::Tensor& w, const at::Tensor& g, at::Tensor& m, at::Tensor& v, int64_t step) {
  const auto t = static_cast<double>(step);
  w.mul_(1.0 - 1e-2 * 0.1);
  m.mul_(0.9).add_(0.1 * g);
  v.mul_(0.999).add_(0.001 * g * g);
  w.sub_(1e-2 / (1 - std::pow(0.9, t)) * m / ((v / (1 - std::pow(0.999, t))).sqrt() + 1e-8));
}

/// Applies a rule to tensors by their places, with the moments that belong to each.
class Moments {
 public:
  void step(const Rule& rule, const std::vector<std::pair<at::Tensor, at::Tensor>>& weights_and_gradients) {
    const at::NoGradGuard no_grad;
    if (m_.empty()) {
      for (const auto& [w, g] : weights_and_gradients) {
        m_.push_back(at::zeros_like(w));
        v_.push_back(at::zeros_like(w));
      }
    }
    ++steps_;
    for (size_t index = 0; index < weights_and_gradients.size(); ++index) {
      at::Tensor w = weights_and_gradients[index].first;
      rule(w, weights_and_gradients[index].second, m_[index], v_[index], steps_);
    }
  }

 private:
  std::vector<at::Tensor> m_, v_;
  int64_t steps_ = 0;
};

const Parameter& parameter(const Encoder& encoder, const std::string& name) {
  for (const Parameter& one : encoder.parameters()) {
    if (one.name == name) return one;
  }
  throw PreconditionError("no parameter " + name);
}

}  // namespace

TEST_CASE("twenty optimiser steps of the prompt are those of 256 separate MLPs", "[model][oracle]") {
  const Rule rule = GENERATE(Rule(sgd), Rule(adamw));
  const Encoder encoder = prompted_vit(3);
  const std::vector<Mlp> mlps = mlps_of(encoder);
  const at::Tensor images = random_tensor({3, 3, kSide, kSide}, 1).to(at::kDouble);
  const at::Tensor coefficients = random_tensor({3, kWidth}, 2).to(at::kDouble);
  const auto loss_at = [&](const at::Tensor& token_D) {
    Generated generated;
    generated.tensors = {token_D};
    return (encoder.forward(images, generated, BatchNormPass::running()) * coefficients).sum();
  };
  Moments moments, separate_moments;
  at::Tensor start_D;
  for (uint64_t step = 0; step < 20; ++step) {
    const config::Invariance i{step % 2 ? 1.0 : 0.0, step % 3 ? 1.0 : 0.3, step % 5 ? 0.0 : 1.0};
    const at::Tensor i_K = at::tensor(i, at::kDouble);

    for (const Mlp& mlp : mlps) {
      for (const at::Tensor& leaf : mlp.leaves()) leaf.mutable_grad().reset();
    }
    const at::Tensor expected_D = mean_of(mlps, i_K);
    loss_at(expected_D).backward();
    std::vector<std::pair<at::Tensor, at::Tensor>> separate;
    for (const Mlp& mlp : mlps) {
      for (const at::Tensor& leaf : mlp.leaves()) separate.emplace_back(leaf, leaf.grad());
    }

    const Generated generated = encoder.generate(i);
    REQUIRE(generated.tensors.size() == 1);
    CAPTURE(step);
    CHECK(relative_error(generated.tensors[0], expected_D) < 1e-10);
    if (step == 0) start_D = expected_D.detach();
    loss_at(generated.tensors[0]).backward();
    const std::vector<at::Tensor> g = generated.gradients();
    CHECK(g[0].numel() == kWidth);  // all that a reduction over ranks carries
    const std::vector<FactoredGradient> factored = encoder.generator_backward(generated, g);
    REQUIRE(factored.size() == 1);
    std::vector<std::pair<at::Tensor, at::Tensor>> ours;
    for (const char* name : {"prompt.linear1.weight", "prompt.linear1.bias", "prompt.linear2.bias"}) {
      ours.emplace_back(parameter(encoder, name).value, parameter(encoder, name).value.grad());
    }
    ours.emplace_back(encoder.factored_parameters()[0].value_PH, at::outer(factored[0].g_P, factored[0].h_H));
    separate_moments.step(rule, separate);
    moments.step(rule, ours);
  }
  const std::vector<Mlp> after = mlps_of(encoder);
  for (size_t m = 0; m < mlps.size(); m += 51) {
    const std::vector<at::Tensor> found = after[m].leaves(), expected = mlps[m].leaves();
    for (size_t index = 0; index < found.size(); ++index) CHECK(relative_error(found[index], expected[index]) < 1e-9);
  }
  CHECK(relative_error(encoder.generate({0.0, 0.3, 1.0}).tensors[0], start_D) > 1e-2);  // the steps did move it
}

TEST_CASE("each of the prompt's MLPs is drawn as torch.nn.Linear is", "[model]") {
  const StateDict state = prompted_vit(4).state();
  const auto bounded = [&](const std::string& name, double bound) {
    INFO(name);
    const at::Tensor values = state.at("prompt." + name).to(at::kDouble);
    CHECK(values.abs().max().item<double>() <= bound);
    CHECK(values.std().item<double>() == Approx(bound / std::sqrt(3.0)).epsilon(0.03));
  };
  bounded("linear1.weight", 0.5);
  bounded("linear1.bias", 0.5);
  bounded("linear2.weight", 1.0 / std::sqrt(12.0));
  bounded("linear2.bias", 1.0 / std::sqrt(12.0));
  const Encoder encoder = prompted_vit(4);
  CHECK(parameter(encoder, "prompt.linear1.weight").decays);
  CHECK_FALSE(parameter(encoder, "prompt.linear1.bias").decays);
  CHECK_FALSE(parameter(encoder, "prompt.linear2.bias").decays);
}

TEST_CASE("the prompt's token reaches the features, is not read itself, and has no position", "[model]") {
  const Readout readout = GENERATE(Readout::kClassToken, Readout::kMean);
  const Encoder encoder = prompted_vit(2, 3, readout);
  const at::NoGradGuard no_grad;
  const at::Tensor images = random_tensor({2, 3, kSide, kSide}, 1).to(at::kDouble);
  const auto features_of = [&](const at::Tensor& token_D) {
    Generated generated;
    generated.tensors = {token_D};
    return encoder.forward(images, generated, BatchNormPass::running());
  };
  const at::Tensor token_D = random_tensor({kWidth}, 5).to(at::kDouble);
  CHECK(relative_error(features_of(2.0 * token_D), features_of(token_D)) > 1e-4);

  // In a ViT whose blocks do nothing the features are those without a token.
  const StateDict state = encoder.state();
  for (int64_t block = 0; block < 2; ++block) {
    for (const char* name : {"attn.proj.weight", "mlp.fc2.weight"}) {
      state.at(fmt::format("blocks.{}.{}", block, name)).zero_();
    }
  }
  EncoderSettings plain_settings = encoder.settings();
  plain_settings.conditioning = Conditioning::kNone;
  Encoder plain(plain_settings, 0, 0, kSide);
  testing::set_type(plain, at::kDouble);
  StateDict plain_state;
  for (const auto& [name, tensor] : plain.state()) plain_state[name] = state.at(name);
  plain.load_state(plain_state);
  CHECK(relative_error(features_of(token_D), plain.forward(images, {}, BatchNormPass::running())) < 1e-12);
}

TEST_CASE("a prompt's sizes told from the settings alone are those of the encoder made", "[model][oracle]") {
  const Encoder encoder = prompted_vit(3);
  const ParameterCounts n = count_parameters(encoder.settings(), 3, kSide);
  CHECK(n.total() == encoder.n_parameters());
  CHECK(n.factored == encoder.factored_parameters()[0].value_PH.numel());
}

}  // namespace invaria::model

// FiLM: what a modulation does to a normalisation, at its start, per sample, in groups; its gradients.
#include "model/cost.hpp"
#include "model/modulation.hpp"
#include "tests/model/support.hpp"

namespace invaria::model {
namespace {

using testing::random_tensor;
using testing::relative_error;

constexpr int64_t kSide = 16;

EncoderSettings film_settings(Architecture backbone, double start = 0.5) {
  EncoderSettings settings;
  settings.backbone = backbone;
  settings.width = 4;
  settings.vit = {.patch = 4, .width = 24, .depth = 2};
  settings.conditioning = Conditioning::kFilm;
  settings.film = {.hidden = 6, .start = start, .rate = 3.0};
  return settings;
}

Encoder film_encoder(Architecture backbone, double start = 0.5) {
  Encoder encoder(film_settings(backbone, start), 2, 3, kSide);
  testing::set_type(encoder, at::kDouble);
  // Running statistics and biases that are not the identity's.
  uint64_t seed = 60;
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : encoder.state()) {
    if (name.ends_with("running_var")) tensor.copy_(0.5 + random_tensor(tensor.sizes(), ++seed).square());
    if (name.ends_with("running_mean") || name.ends_with(".bias"))
      tensor.copy_(0.3 * random_tensor(tensor.sizes(), ++seed));
  }
  return encoder;
}

at::Tensor noise_images(int64_t n) {
  return random_tensor({n, 3, kSide, kSide}, 1).to(at::kDouble);
}

void clear_gradients(const Encoder& encoder) {
  for (const Parameter& parameter : encoder.parameters()) parameter.value.mutable_grad().reset();
}

/// The gradients of all parameters after a backward pass and the generator's.
std::vector<at::Tensor> all_gradients(const Encoder& encoder, const Generated& generated) {
  encoder.generator_backward(generated, generated.gradients());
  std::vector<at::Tensor> gradients;
  for (const Parameter& parameter : encoder.parameters()) gradients.push_back(parameter.value.grad().clone());
  clear_gradients(encoder);
  return gradients;
}

/// h = relu(W i + c) and (s, t) = A h + a, by autograd from the encoder's parameters.
std::vector<at::Tensor> generated_by_autograd(const std::vector<at::Tensor>& leaves, const Encoder& encoder,
                                              const at::Tensor& i_K) {
  std::map<std::string, at::Tensor> by_name;
  for (size_t index = 0; index < leaves.size(); ++index) by_name[encoder.parameters()[index].name] = leaves[index];
  const at::Tensor h_H = (at::mv(by_name.at("film.weight"), i_K) + by_name.at("film.bias")).relu();
  std::vector<at::Tensor> tensors;
  for (const Parameter& parameter : encoder.parameters()) {
    if (!parameter.name.ends_with(".film.weight")) continue;
    const std::string layer = parameter.name.substr(0, parameter.name.size() - std::string("weight").size());
    tensors.push_back((at::mv(by_name.at(layer + "weight"), h_H) + by_name.at(layer + "bias")).view({1, 2, -1}));
  }
  return tensors;
}

}  // namespace

TEST_CASE("a modulated BatchNorm has scale weight (1 + s) and shift bias + t in every mode", "[model][oracle]") {
  const auto random = [](at::IntArrayRef shape, uint64_t seed) { return random_tensor(shape, seed).to(at::kDouble); };
  const BatchNormLayer layer{random({5}, 1), random({5}, 2), random({5}, 3), random({5}, 4).square() + 0.5,
                             at::zeros({}, at::kLong)};
  const at::Tensor x = random({6, 5, 3, 3}, 5), residual = random({6, 5, 3, 3}, 6);
  const at::Tensor m_G2C = random({2, 2, 5}, 7);
  const at::Tensor group_B = at::tensor({0, 1, 1, 0, 1, 0}, at::kLong);
  const bool is_mixed = GENERATE(false, true);
  const bool is_trained = GENERATE(false, true);
  const bool has_gradient = GENERATE(false, true);
  CAPTURE(is_mixed, is_trained, has_gradient);
  const at::Tensor mean = is_trained ? x.mean({0, 2, 3}) : layer.running_mean_C;
  const at::Tensor var = is_trained ? x.var({0, 2, 3}, false) : layer.running_var_C;
  const at::Tensor normalised = (x - mean.view({1, 5, 1, 1})) / (var.view({1, 5, 1, 1}) + 1e-5).sqrt();
  const at::Tensor leaf = (is_mixed ? m_G2C : m_G2C.narrow(0, 1, 1)).clone().requires_grad_();
  const auto expected_of = [&](const at::Tensor& m) {
    const at::Tensor rows = is_mixed ? m.index_select(0, group_B) : m.expand({6, 2, 5});
    return (normalised * (layer.weight_C * (1.0 + rows.select(1, 0))).view({6, 5, 1, 1}) +
            (layer.bias_C + rows.select(1, 1)).view({6, 5, 1, 1}) + residual)
        .relu();
  };
  const at::AutoGradMode mode(has_gradient);
  const auto pass = is_trained ? BatchNormPass::train({}) : BatchNormPass::running();
  const at::Tensor found = modulated_batch_norm(x.clone(), layer, 0, pass, Activation::kRelu, residual,
                                                {leaf, is_mixed ? group_B : at::Tensor()});
  CHECK(relative_error(found, expected_of(leaf)) < 1e-12);
  CHECK(found.requires_grad() == has_gradient);
  if (!has_gradient) return;
  const at::Tensor coefficients = random({6, 5, 3, 3}, 8);
  (found * coefficients).sum().backward();
  const at::Tensor gradient = leaf.grad().clone();
  leaf.mutable_grad().reset();
  (expected_of(leaf) * coefficients).sum().backward();
  CHECK(relative_error(gradient, leaf.grad()) < 1e-12);
  CHECK_THROWS_AS(modulated_batch_norm(x, layer, 0, pass, Activation::kRelu, residual, {m_G2C, {}}), PreconditionError);
}

TEST_CASE("film that starts at 0 is the plain backbone, and with a deviation i matters from the start", "[model]") {
  const Architecture backbone = GENERATE(Architecture::kResNet18, Architecture::kVitTiny);
  const at::NoGradGuard no_grad;
  const auto features_at = [](const Encoder& encoder, const config::Invariance& i) {
    return encoder.forward(noise_images(3), encoder.generate(i), BatchNormPass::running());
  };
  EncoderSettings settings = film_settings(backbone, 0.0);
  Encoder still(settings, 2, 3, kSide);
  settings.conditioning = Conditioning::kNone;
  Encoder plain(settings, 0, 3, kSide);
  for (const Encoder& encoder : {still, plain}) testing::set_type(encoder, at::kDouble);
  CHECK(at::equal(features_at(still, {1, 0}), features_at(still, {0, 1})));
  CHECK(relative_error(features_at(still, {1, 0}), features_at(plain, {})) < 1e-12);

  const Encoder moved(film_settings(backbone, 0.5), 2, 3, kSide);
  testing::set_type(moved, at::kDouble);
  CHECK(relative_error(features_at(moved, {1, 0}), features_at(moved, {0, 1})) > 1e-2);
}

TEST_CASE("a fresh modulation has the deviation that the settings ask for", "[model]") {
  EncoderSettings settings = film_settings(Architecture::kResNet18, 0.4);
  settings.film.hidden = 512;
  const Encoder encoder(settings, 2, 3, kSide);
  at::Tensor all = at::empty({0});
  for (const at::Tensor& m : encoder.generate({1, 0}).tensors) all = at::cat({all, m.detach().flatten()});
  CHECK(all.std().item<double>() == Approx(0.4).epsilon(0.1));
  for (const Parameter& parameter : encoder.parameters()) {
    INFO(parameter.name);
    const bool is_film = parameter.name.find("film") != std::string::npos;
    CHECK(parameter.rate == (is_film ? 3.0 : 1.0));
    if (is_film) CHECK(parameter.decays == parameter.name.ends_with("weight"));
  }
}

TEST_CASE("film's gradients equal autograd's through the whole generator", "[model][oracle]") {
  const Architecture backbone = GENERATE(Architecture::kResNet18, Architecture::kVitTiny);
  const Encoder encoder = film_encoder(backbone);
  const at::Tensor images = noise_images(6);
  const at::Tensor coefficients = random_tensor({6, encoder.feature_dim()}, 2).to(at::kDouble);
  const config::Invariance i{0.7, 1.0};
  const Generated generated = encoder.generate(i);
  (encoder.forward(images, generated, BatchNormPass::train({})) * coefficients).sum().backward();
  const std::vector<at::Tensor> found = all_gradients(encoder, generated);

  std::vector<at::Tensor> leaves;
  for (const Parameter& parameter : encoder.parameters())
    leaves.push_back(parameter.value.detach().clone().requires_grad_());
  Generated oracle;
  oracle.tensors = generated_by_autograd(leaves, encoder, at::tensor(i, at::kDouble));
  REQUIRE(oracle.tensors.size() == generated.tensors.size());
  for (size_t index = 0; index < oracle.tensors.size(); ++index)
    CHECK(relative_error(generated.tensors[index], oracle.tensors[index]) < 1e-12);
  (encoder.forward(images, oracle, BatchNormPass::train({})) * coefficients).sum().backward();
  for (size_t index = 0; index < leaves.size(); ++index) {
    const Parameter& parameter = encoder.parameters()[index];
    INFO(parameter.name);
    const bool is_film = parameter.name.find("film") != std::string::npos;
    CHECK(relative_error(found[index], is_film ? leaves[index].grad() : parameter.value.grad()) < 1e-9);
  }
  clear_gradients(encoder);
}

TEST_CASE("film per sample is film at one i, sample by sample", "[model][oracle]") {
  const Architecture backbone = GENERATE(Architecture::kResNet18, Architecture::kVitTiny);
  const Encoder encoder = film_encoder(backbone);
  const at::Tensor images = noise_images(6);
  const std::vector<config::Invariance> corners{{0, 1}, {1, 0}, {0.5, 1}};
  const std::vector<int64_t> group{2, 0, 1, 1, 0, 2};
  const Generated mixed = encoder.generate_mixed(corners, at::tensor(group, at::kLong));
  const at::Tensor found = encoder.forward(images, mixed, BatchNormPass::running());
  for (int64_t row = 0; row < 6; ++row) {
    const Generated one = encoder.generate(corners[static_cast<size_t>(group[static_cast<size_t>(row)])]);
    CHECK(relative_error(found[row], encoder.forward(images.narrow(0, row, 1), one, BatchNormPass::running())[0]) <
          1e-10);
  }
  const at::Tensor same = encoder.forward(images, encoder.generate(corners[0]), BatchNormPass::running());
  CHECK(relative_error(found, same) > 1e-2);
  CHECK_THROWS_AS(testing::small_encoder(Conditioning::kHypernetwork).generate_mixed(corners, mixed.group_B),
                  PreconditionError);
}

TEST_CASE("corners mixed in a batch, statistics within each, train as the corners' batches do", "[model][oracle]") {
  const Encoder encoder = film_encoder(Architecture::kResNet18);
  const at::Tensor images = noise_images(7);
  const at::Tensor coefficients = random_tensor({7, encoder.feature_dim()}, 2).to(at::kDouble);
  const std::vector<config::Invariance> corners{{0, 1}, {1, 1}};
  const std::vector<RowRange> rows{{0, 4}, {4, 3}};
  const auto loss_of = [&](const Generated& generated, RowRange range, const BatchNormPass& pass) {
    return (encoder.forward(images.narrow(0, range.first, range.count), generated, pass) *
            coefficients.narrow(0, range.first, range.count))
        .sum();
  };
  BatchNormGroups groups;
  groups.local = rows;
  groups.total = 2;
  const Generated mixed = encoder.generate_mixed(corners, at::tensor({0, 0, 0, 0, 1, 1, 1}, at::kLong));
  const at::Tensor loss = loss_of(mixed, {0, 7}, BatchNormPass::train({}, groups));
  loss.backward();
  const std::vector<at::Tensor> found = all_gradients(encoder, mixed);

  double expected_loss = 0.0;
  std::vector<at::Tensor> expected;
  for (size_t corner = 0; corner < 2; ++corner) {
    const Generated one = encoder.generate(corners[corner]);
    const at::Tensor part = loss_of(one, rows[corner], BatchNormPass::train({}));
    part.backward();
    expected_loss += part.item<double>();
    const std::vector<at::Tensor> gradients = all_gradients(encoder, one);
    for (size_t index = 0; index < gradients.size(); ++index) {
      if (corner == 0) {
        expected.push_back(gradients[index]);
      } else {
        expected[index] += gradients[index];
      }
    }
  }
  CHECK(loss.item<double>() == Approx(expected_loss).epsilon(1e-10));
  for (size_t index = 0; index < found.size(); ++index) {
    INFO(encoder.parameters()[index].name);
    CHECK(relative_error(found[index], expected[index]) < 1e-8);
  }
}

TEST_CASE("statistics re-estimated at an i are those of film's batch there", "[model]") {
  const Encoder encoder = film_encoder(Architecture::kResNet18);
  const at::NoGradGuard no_grad;
  const at::Tensor images = noise_images(6);
  const Generated generated = encoder.generate({1, 0});
  std::vector<BatchNormStatistics> collected;
  const at::Tensor in_batch = encoder.forward(images, generated, BatchNormPass::collect(collected));
  REQUIRE(collected.size() == 1);
  CHECK(relative_error(encoder.forward(images, generated, BatchNormPass::with(collected[0])), in_batch) < 1e-10);
  CHECK(relative_error(encoder.forward(images, encoder.generate({0, 1}), BatchNormPass::with(collected[0])), in_batch) >
        1e-2);
}

TEST_CASE("film's sizes told from the settings alone are those of the encoder made", "[model][oracle]") {
  for (const Architecture backbone : {Architecture::kResNet18, Architecture::kResNet50, Architecture::kVitTiny}) {
    const EncoderSettings settings = film_settings(backbone);
    CHECK(count_parameters(settings, 5, kSide).total() == Encoder(settings, 5, 0, kSide).n_parameters());
  }
}

}  // namespace invaria::model

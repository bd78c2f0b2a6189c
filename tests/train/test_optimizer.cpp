#include <ATen/Parallel.h>

#include <cmath>

#include "core/errors.hpp"
#include "tests/train/optimizer_support.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::train;
using namespace invaria::train::testing;

namespace {

// The textbook rules with whole tensors in double; a factored parameter's gradient is the materialised outer product.
class PlainOptimizer {
 public:
  explicit PlainOptimizer(const OptimizerSettings& settings) : settings_(settings) {}

  void step(double rate, const std::string& name, at::Tensor& weight, at::Tensor gradient, bool decays) {
    auto& [steps, m, v] = slots_[name];
    if (steps++ == 0) {
      m = at::zeros_like(weight);
      v = at::zeros_like(weight);
    }
    const double decay = decays ? settings_.weight_decay : 0.0;
    if (settings_.algorithm == Algorithm::kSgd) {
      m = settings_.momentum * m + gradient + decay * weight;
      weight = weight - rate * m;
      return;
    }
    if (settings_.algorithm == Algorithm::kLars) {
      const double weight_norm = weight.norm().item<double>();
      const double local =
          settings_.trust_coefficient * weight_norm / (gradient.norm().item<double>() + decay * weight_norm);
      m = settings_.momentum * m + rate * (decays ? local : 1.0) * (gradient + decay * weight);
      weight = weight - m;
      return;
    }
    if (settings_.algorithm == Algorithm::kAdam) gradient = gradient + decay * weight;
    if (settings_.algorithm == Algorithm::kAdamW) weight = weight * (1.0 - rate * decay);
    m = settings_.beta1 * m + (1.0 - settings_.beta1) * gradient;
    v = settings_.beta2 * v + (1.0 - settings_.beta2) * gradient * gradient;
    const at::Tensor m_hat = m / (1.0 - std::pow(settings_.beta1, steps));
    const at::Tensor v_hat = v / (1.0 - std::pow(settings_.beta2, steps));
    weight = weight - rate * m_hat / (v_hat.sqrt() + settings_.epsilon);
  }

 private:
  struct Slot {
    int steps = 0;
    at::Tensor m, v;
  };
  OptimizerSettings settings_;
  std::map<std::string, Slot> slots_;
};

// The message of the ConfigError that `call` throws; empty if it throws none.
template <class Call>
std::string refusal(const Call& call) {
  try {
    call();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

double rate_at(uint64_t step) {
  return 0.01 / (1.0 + 0.1 * static_cast<double>(step));
}

}  // namespace

TEST_CASE("twenty factored steps are twenty steps on the materialised outer product", "[train][oracle]") {
  const OptimizerSettings settings = settings_of(GENERATE(from_range(kAlgorithms)));
  Model model;
  model.dense.front().rate = 3.0;
  Optimizer optimizer(settings);
  PlainOptimizer plain(settings);
  std::map<std::string, at::Tensor> expected;
  for (const auto& [name, value] : model.values()) expected[name] = value.to(at::kDouble);

  for (uint64_t step = 0; step < 20; ++step) {
    const auto updates = model.gradients(step);
    for (const auto& parameter : model.dense) {
      plain.step(rate_at(step) * parameter.rate, parameter.name, expected[parameter.name],
                 parameter.value.grad().to(at::kDouble), parameter.decays);
    }
    for (const auto& [parameter, gradient] : updates) {
      plain.step(rate_at(step), parameter->name, expected[parameter->name],
                 at::outer(gradient.g_P, gradient.h_H).to(at::kDouble), true);
    }
    model.step(optimizer, rate_at(step), step);
    for (const auto& [name, value] : model.values()) {
      INFO(name << " after step " << step << " of " << config::name_of(settings.algorithm));
      CHECK(relative_difference(value, expected[name]) < 1e-6);
    }
  }
}

TEST_CASE("a factored step equals a dense one with the outer product as its gradient", "[train][oracle]") {
  const Algorithm algorithm = GENERATE(from_range(kAlgorithms));
  Model model;
  std::vector<model::Parameter> dense;
  for (const auto& parameter : model.factored) {
    dense.push_back({parameter.name, parameter.value_PH.clone().requires_grad_(), true});
  }
  Optimizer factored_optimizer(settings_of(algorithm));
  Optimizer dense_optimizer(settings_of(algorithm));
  for (uint64_t step = 0; step < 20; ++step) {
    const auto updates = model.gradients(step);
    for (size_t index = 0; index < dense.size(); ++index) {
      dense[index].value.mutable_grad() = at::outer(updates[index].gradient.g_P, updates[index].gradient.h_H);
    }
    factored_optimizer.step(rate_at(step), {}, updates);
    dense_optimizer.step(rate_at(step), std::vector<const model::Parameter*>{&dense[0], &dense[1], &dense[2]}, {});
  }
  for (size_t index = 0; index < dense.size(); ++index) {
    CHECK(relative_difference(model.factored[index].value_PH, dense[index].value.detach()) < 1e-6);
  }
}

TEST_CASE("neither weights nor norms depend on the number of threads", "[train][property]") {
  const Algorithm algorithm = GENERATE(from_range(kAlgorithms));
  const int before = at::get_num_threads();
  std::vector<Model> models(2);
  model::StateDict states[2];
  for (int index = 0; index < 2; ++index) {
    at::set_num_threads(index == 0 ? 1 : 3);
    Optimizer optimizer(settings_of(algorithm));
    for (uint64_t step = 0; step < 5; ++step) models[index].step(optimizer, 0.01, step);
    states[index] = optimizer.state();
  }
  at::set_num_threads(before);
  for (const auto& [name, value] : models[0].values()) CHECK(at::equal(value, models[1].values()[name]));
  for (const auto& [name, value] : states[0]) CHECK(at::equal(value, states[1].at(name)));
}

TEST_CASE("only parameters that are handed to a step move, and each counts its own steps", "[train][property]") {
  const Algorithm algorithm = GENERATE(from_range(kAlgorithms));
  Model model;
  Optimizer optimizer(settings_of(algorithm));
  model.step(optimizer, 0.01, 0);
  std::map<std::string, at::Tensor> before;
  for (const auto& [name, value] : model.values()) before[name] = value.clone();
  model::StateDict state;
  for (const auto& [name, value] : optimizer.state()) state[name] = value.clone();

  const auto updates = model.gradients(1);
  optimizer.step(0.01, std::vector<const model::Parameter*>{&model.dense[1]}, std::span(updates).subspan(1));

  for (const auto& [name, value] : model.values()) {
    CHECK(at::equal(value, before[name]) == (name == "matrix" || name == "wide.A"));
  }
  for (const auto& [name, value] : optimizer.state()) {
    CHECK(at::equal(value, state.at(name)) == (name.starts_with("matrix") || name.starts_with("wide.A")));
  }
  CHECK(optimizer.state().at("scale.steps").item<int64_t>() == 2);
  CHECK(optimizer.state().at("matrix.steps").item<int64_t>() == 1);
}

TEST_CASE("hidden units at zero still decay and still carry their moments", "[train][property]") {
  const Algorithm algorithm = GENERATE(from_range(kAlgorithms));
  Model model;
  Optimizer optimizer(settings_of(algorithm));
  model.step(optimizer, 0.01, 0);
  const at::Tensor before = model.factored[0].value_PH.clone();
  std::vector<FactoredUpdate> updates = model.gradients(1);
  updates[0].gradient.h_H.zero_();
  optimizer.step(0.01, {}, std::span(updates).first(1));
  // A number may stay where decay and moment cancel to rounding; a skipped column would be a thirty-second.
  CHECK((model.factored[0].value_PH != before).to(at::kDouble).mean().item<double>() > 0.999);
}

#if defined(__x86_64__)
TEST_CASE("moments that die out become zero instead of slow subnormal numbers", "[train][property]") {
  const Algorithm algorithm = GENERATE(from_range(kAlgorithms));
  OptimizerSettings settings = settings_of(algorithm);
  settings.weight_decay = 0.0;
  Model model;
  Optimizer optimizer(settings);
  std::vector<FactoredUpdate> updates = model.gradients(0);
  updates[0].gradient.h_H.zero_();
  optimizer.step(0.01, {}, std::span(updates).first(1));
  optimizer.state().at("wide.A.moment_1").fill_(1e-39);
  optimizer.step(0.01, {}, std::span(updates).first(1));
  CHECK((optimizer.state().at("wide.A.moment_1") == 0).all().item<bool>());
  volatile float subnormal = 1e-39F;
  CHECK(0.5F * subnormal > 0.0F);  // elsewhere they live on
}
#endif

TEST_CASE("an optimiser that was saved and loaded continues bit for bit", "[train][property]") {
  const Algorithm algorithm = GENERATE(from_range(kAlgorithms));
  Model straight;
  Model resumed;
  Optimizer optimizer(settings_of(algorithm));
  for (uint64_t step = 0; step < 3; ++step) straight.step(optimizer, 0.01, step);
  {
    Optimizer first(settings_of(algorithm));
    for (uint64_t step = 0; step < 3; ++step) resumed.step(first, 0.01, step);
    Optimizer second(settings_of(algorithm));
    second.load_state(first.state());
    resumed.step(first, 0.01, 99);  // must not reach the copy
    for (const auto& [name, value] : straight.values()) resumed.values()[name].copy_(value);
    for (uint64_t step = 3; step < 6; ++step) resumed.step(second, 0.01, step);
  }
  for (uint64_t step = 3; step < 6; ++step) straight.step(optimizer, 0.01, step);
  for (const auto& [name, value] : straight.values()) CHECK(at::equal(value, resumed.values()[name]));
}

TEST_CASE("a state of another algorithm or another shape is refused by name", "[train]") {
  Model model;
  Optimizer adam(settings_of(Algorithm::kAdamW));
  Optimizer sgd(settings_of(Algorithm::kSgd));
  model.step(adam, 0.01, 0);
  model.step(sgd, 0.01, 0);
  CHECK(refusal([&] { sgd.load_state(adam.state()); }).find("moment_2 is unknown to the algorithm sgd") !=
        std::string::npos);
  CHECK(refusal([&] { adam.load_state(sgd.state()); }).find("is incomplete") != std::string::npos);
  auto unknown = adam.state();
  unknown["scale.velocity"] = at::zeros({1});
  CHECK(refusal([&] { adam.load_state(unknown); }).find("scale.velocity") != std::string::npos);

  auto misshapen = adam.state();
  misshapen["scale.moment_1"] = at::zeros({3});
  adam.load_state(misshapen);
  CHECK(refusal([&] { model.step(adam, 0.01, 1); }).find("scale has 3 numbers") != std::string::npos);
}

TEST_CASE("a parameter without a gradient is refused before anything moves", "[train]") {
  Model model;
  Optimizer optimizer(settings_of(Algorithm::kAdamW));
  const auto updates = model.gradients(0);
  model.dense[1].value.mutable_grad() = at::Tensor();
  const at::Tensor before = model.dense[0].value.detach().clone();
  const std::vector<const model::Parameter*> dense{&model.dense[0], &model.dense[1]};
  CHECK_THROWS_AS(optimizer.step(0.01, dense, updates), PreconditionError);
  CHECK(at::equal(model.dense[0].value.detach(), before));

  auto misfit = model.gradients(0);
  misfit[0].gradient.h_H = at::ones({31});
  CHECK_THROWS_AS(optimizer.step(0.01, {}, misfit), PreconditionError);
}

TEST_CASE("LARS carries the norm of each decaying weight out of the pass, in double", "[train][oracle]") {
  Model model;
  Optimizer optimizer(settings_of(Algorithm::kLars));
  for (uint64_t step = 0; step < 2; ++step) model.step(optimizer, 0.01, step);
  const auto state = optimizer.state();
  for (const auto& [name, value] : model.values()) {
    INFO(name);
    REQUIRE(state.contains(name + ".squared_norms") == (name != "scale"));
    if (name == "scale") continue;
    const double carried = state.at(name + ".squared_norms").sum().item<double>();
    CHECK(carried == Approx(value.to(at::kDouble).square().sum().item<double>()).epsilon(1e-13));
  }
}

TEST_CASE("LARS leaves a weight of norm zero its plain rate", "[train]") {
  model::Parameter parameter{"zero", at::zeros({4}).requires_grad_(), true};
  parameter.value.mutable_grad() = at::ones({4});
  Optimizer optimizer(settings_of(Algorithm::kLars));
  optimizer.step(0.5, std::vector<const model::Parameter*>{&parameter}, {});
  CHECK(at::allclose(parameter.value.detach(), at::full({4}, -0.5)));
}

TEST_CASE("the optimiser's settings read back what they write and keep their bounds", "[train][settings]") {
  config::Problems problems;
  const auto text = R"({"algorithm": "lars", "weight_decay": -1, "beta1": 1, "epsilon": 0})";
  config::parse<OptimizerSettings>(config::parse_text(text, "test"), "optimizer", problems);
  CHECK(problems.list().size() == 3);

  const OptimizerSettings defaults;
  const auto again = config::parse<OptimizerSettings>(config::write(defaults), "optimizer", problems);
  CHECK(again.algorithm == Algorithm::kAdamW);
  CHECK(again.weight_decay == 1e-5);
  CHECK(problems.list().size() == 3);
}

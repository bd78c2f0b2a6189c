#include <ATen/Parallel.h>

#include <cmath>

#include "core/errors.hpp"
#include "tests/train/optimizer_support.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::train;
using namespace invaria::train::testing;

namespace {

/// As a compiler may round the pass: the product and the sum, or only their sum.
bool is_moved(float found, float average, float weight, float rate) {
  const volatile float way = rate * (weight - average);
  return found == average + way || found == std::fma(rate, weight - average, average);
}

/// Averages of all of a model's weights that start away from them.
WeightAverages averages_of(const Model& model, double momentum) {
  WeightAverages averages{momentum, {}};
  for (const auto& [name, value] : model.values()) averages.values[name] = 0.5 * value + 0.1;
  return averages;
}

void step(Model& model, Optimizer& optimizer, uint64_t number, const WeightAverages& averages) {
  const auto updates = model.gradients(number);
  optimizer.step(0.01, std::vector<const model::Parameter*>{&model.dense[0], &model.dense[1]}, updates, averages);
}

}  // namespace

TEST_CASE("averages moved in the optimiser's pass are those of a separate pass, to the last rounding",
          "[train][oracle]") {
  const OptimizerSettings settings = settings_of(GENERATE(from_range(kAlgorithms)));
  Model fused, separate;
  Optimizer fused_optimizer(settings), separate_optimizer(settings);
  WeightAverages averages = averages_of(fused, 0.0);

  for (uint64_t number = 0; number < 10; ++number) {
    averages.momentum = 0.9 + 0.01 * static_cast<double>(number);
    model::StateDict before;
    for (const auto& [name, value] : averages.values) before[name] = value.clone();
    step(fused, fused_optimizer, number, averages);
    step(separate, separate_optimizer, number, {});
    const auto rate = static_cast<float>(1.0 - averages.momentum);
    for (const auto& [name, weight] : separate.values()) {
      const float* w = weight.const_data_ptr<float>();
      const float* a = before[name].const_data_ptr<float>();
      const float* found = averages.values[name].const_data_ptr<float>();
      int64_t n_wrong = 0;
      for (int64_t index = 0; index < weight.numel(); ++index)
        n_wrong += is_moved(found[index], a[index], w[index], rate) ? 0 : 1;
      INFO(name << " after step " << number);
      CHECK(n_wrong == 0);
      CHECK(at::equal(fused.values()[name], weight));  // averaging changes no weight
    }
  }
}

TEST_CASE("a momentum of one leaves averages alone, of zero copies the weights to rounding", "[train][property]") {
  Model model;
  Optimizer optimizer(settings_of(Algorithm::kAdamW));
  const WeightAverages start = averages_of(model, 1.0);
  WeightAverages averages{1.0, {}};
  for (const auto& [name, value] : start.values) averages.values[name] = value.clone();
  step(model, optimizer, 0, averages);
  for (const auto& [name, value] : start.values) CHECK(at::equal(averages.values[name], value));
  averages.momentum = 0.0;
  step(model, optimizer, 1, averages);
  for (const auto& [name, value] : model.values()) CHECK(relative_difference(averages.values[name], value) < 1e-6);
}

TEST_CASE("only averages of parameters that are handed to a step move", "[train][property]") {
  Model model;
  Optimizer optimizer(settings_of(Algorithm::kSgd));
  const WeightAverages averages = averages_of(model, 0.5);
  model::StateDict before;
  for (const auto& [name, value] : averages.values) before[name] = value.clone();
  const auto updates = model.gradients(1);
  optimizer.step(0.01, std::vector<const model::Parameter*>{&model.dense[1]}, std::span(updates).subspan(1), averages);
  for (const auto& [name, value] : averages.values)
    CHECK(at::equal(value, before[name]) == (name == "matrix" || name == "wide.A"));
}

TEST_CASE("an average that does not fit its weight is refused before anything moves", "[train]") {
  Model model;
  Optimizer optimizer(settings_of(Algorithm::kSgd));
  const auto before = model.values().at("matrix").clone();
  WeightAverages averages = averages_of(model, 0.5);
  averages.values["scale"] = at::zeros({36});
  CHECK_THROWS_AS(step(model, optimizer, 0, averages), PreconditionError);
  averages = averages_of(model, 1.5);
  CHECK_THROWS_AS(step(model, optimizer, 0, averages), PreconditionError);
  CHECK(at::equal(model.values().at("matrix"), before));
}

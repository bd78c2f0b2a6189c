#pragma once
/// @file
/// Parameters and gradients by address, shared by the tests of the optimiser.

#include <ATen/ATen.h>

#include <map>
#include <string>
#include <vector>

#include "core/philox.hpp"
#include "train/optimizer.hpp"

namespace invaria::train::testing {

inline at::Tensor normals(at::IntArrayRef sizes, uint64_t sample, uint64_t epoch = 0) {
  at::Tensor values = at::empty(sizes, at::kFloat);
  Draws draws({.seed = 11, .epoch = epoch, .sample = sample});
  for (int64_t index = 0; index < values.numel(); ++index) {
    values.data_ptr<float>()[index] = static_cast<float>(draws.normal());
  }
  return values;
}

/// A small model: a decaying matrix, a vector that does not decay, and three factored matrices (the hypernetwork's 32
/// columns, 5, and more than a chunk of the optimiser's pass, as a prompt's).
struct Model {
  std::vector<model::Parameter> dense;
  std::vector<model::FactoredParameter> factored;

  explicit Model(at::Device device = at::kCPU) {
    dense.push_back({"matrix", normals({190, 101}, 1).to(device).requires_grad_(), true});
    dense.push_back({"scale", normals({37}, 2).to(device).requires_grad_(), false});
    factored.push_back({"wide.A", normals({1300, 32}, 3).to(device)});
    factored.push_back({"narrow.A", normals({50, 5}, 4).to(device)});
    factored.push_back({"long.A", normals({1, 17920}, 5).to(device)});
  }

  /// Gradients of one step; hidden units switch off and on.
  std::vector<FactoredUpdate> gradients(uint64_t step) {
    for (size_t index = 0; index < dense.size(); ++index) {
      at::Tensor& value = dense[index].value;
      value.mutable_grad() = 0.1 * normals(value.sizes(), 10 + index, step + 1).to(value.device());
    }
    std::vector<FactoredUpdate> updates;
    for (size_t index = 0; index < factored.size(); ++index) {
      const at::Tensor& value = factored[index].value_PH;
      updates.push_back({&factored[index],
                         {.g_P = 0.1 * normals({value.size(0)}, 20 + index, step + 1).to(value.device()),
                          .h_H = normals({value.size(1)}, 30 + index, step + 1).relu().to(value.device())}});
    }
    return updates;
  }

  void step(Optimizer& optimizer, double learning_rate, uint64_t number) {
    const auto updates = gradients(number);
    optimizer.step(learning_rate, std::vector<const model::Parameter*>{&dense[0], &dense[1]}, updates);
  }

  std::map<std::string, at::Tensor> values() const {
    std::map<std::string, at::Tensor> values;
    for (const auto& parameter : dense) values[parameter.name] = parameter.value.detach();
    for (const auto& parameter : factored) values[parameter.name] = parameter.value_PH;
    return values;
  }
};

/// The largest difference beside the largest number.
inline double relative_difference(const at::Tensor& found, const at::Tensor& expected) {
  const at::Tensor wide = expected.to(at::kDouble);
  return ((found.to(at::kDouble) - wide).abs().max() / wide.abs().max()).item<double>();
}

inline OptimizerSettings settings_of(Algorithm algorithm) {
  OptimizerSettings settings;
  settings.algorithm = algorithm;
  settings.weight_decay = 0.02;
  settings.beta2 = 0.99;
  return settings;
}

inline constexpr std::array kAlgorithms{Algorithm::kSgd, Algorithm::kAdam, Algorithm::kAdamW, Algorithm::kLars};

}  // namespace invaria::train::testing

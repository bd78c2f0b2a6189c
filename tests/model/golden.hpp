#pragma once
/// @file
/// What the tests against torchvision and timm share. Golden files: tests/golden/model.

#include <cmath>
#include <fstream>
#include <sstream>

#include "tests/model/support.hpp"

namespace invaria::model::testing {

/// generate.py's noise().
inline at::Tensor noise(at::IntArrayRef shape, double stream) {
  at::Tensor values = at::empty(shape, at::kDouble);
  double* data = values.mutable_data_ptr<double>();
  for (int64_t j = 0; j < values.numel(); ++j) {
    const double x = std::sin(12.9898 * static_cast<double>(j) + 78.233 * stream) * 43758.5453;
    data[j] = 2.0 * (x - std::floor(x)) - 1.0;
  }
  return values;
}

/// generate.py's fill().
inline at::Tensor filled(const std::string& name, at::IntArrayRef shape, double stream) {
  const at::Tensor values = noise(shape, stream);
  if (shape.size() == 2) return values * std::sqrt(3.0 / static_cast<double>(shape[1]));
  if (shape.size() == 4) return values * std::sqrt(6.0 / static_cast<double>(shape[0] * shape[2] * shape[3]));
  if (name.ends_with("running_var")) return 1.0 + 0.5 * values;
  if (name.ends_with("weight")) return 1.0 + 0.25 * values;
  return 0.25 * values;
}

inline config::json::value read_golden(const std::string& name) {
  std::ifstream file(std::string(INVARIA_SOURCE_DIR) + "/tests/golden/model/" + name + ".json");
  std::stringstream text;
  text << file.rdbuf();
  return config::parse_text(text.str(), name);
}

/// Greatest error of the stored samples relative to the greatest element, and of the norm, whichever is larger.
inline double error_against(const at::Tensor& found, const config::json::value& golden) {
  const at::Tensor flat = found.detach().to(at::kDouble).contiguous().view(-1);
  const config::json::array& samples = golden.at("samples").as_array();
  const double norm = golden.at("norm").to_number<double>();
  const double scale = golden.at("max").to_number<double>();
  double error = std::abs(flat.norm().item<double>() - norm) / norm;
  for (size_t k = 0; k < samples.size(); ++k) {
    const int64_t place = static_cast<int64_t>(k) * flat.numel() / static_cast<int64_t>(samples.size());
    error = std::max(error, std::abs(flat[place].item<double>() - samples[k].to_number<double>()) / scale);
  }
  return error;
}

/// The golden file's weights in an encoder of this type, which has the same names. @return its state's names in order
inline std::vector<std::string> load_golden(Encoder& encoder, const config::json::value& golden, at::ScalarType type) {
  set_type(encoder, type);
  StateDict state = encoder.state();
  const config::json::array& names = golden.at("state").as_array();
  CHECK(state.size() == names.size());
  std::vector<std::string> in_order;
  for (size_t stream = 0; stream < names.size(); ++stream) {
    const std::string entry(names[stream].as_string());
    INFO(entry);
    REQUIRE(state.contains(entry));
    in_order.push_back(entry);
    if (entry.ends_with("tracked")) continue;
    state[entry] = filled(entry, state[entry].sizes(), static_cast<double>(stream)).to(at::kFloat);
  }
  encoder.load_state(state);
  return in_order;
}

}  // namespace invaria::model::testing

#include <cmath>
#include <fstream>
#include <iterator>

#include "config/setting.hpp"
#include "tests/train/optimizer_support.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::train;
using namespace invaria::train::testing;

namespace {

constexpr int64_t kN = 7;
constexpr int64_t kP = 5;
constexpr int64_t kH = 4;

template <class Formula>
at::Tensor tabulate(int64_t count, const Formula& formula) {
  at::Tensor values = at::empty({count}, at::kFloat);
  for (int64_t index = 0; index < count; ++index) {
    values.data_ptr<float>()[index] = static_cast<float>(formula(static_cast<double>(index)));
  }
  return values;
}

at::Tensor numbers(const config::json::value& list) {
  at::Tensor values = at::empty({static_cast<int64_t>(list.as_array().size())}, at::kFloat);
  int64_t index = 0;
  for (const auto& number : list.as_array()) values.data_ptr<float>()[index++] = number.to_number<float>();
  return values;
}

}  // namespace

// Formulas: tests/golden/train/generate_optimizer.py.
TEST_CASE("SGD, Adam and AdamW take the steps of torch.optim", "[train][golden]") {
  const auto [name, algorithm] = GENERATE(table<std::string, Algorithm>(
      {{"sgd", Algorithm::kSgd}, {"adam", Algorithm::kAdam}, {"adamw", Algorithm::kAdamW}}));
  std::ifstream file(INVARIA_SOURCE_DIR "/tests/golden/train/optimizer.json");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto golden = config::parse_text(text, "optimizer.json").at(name).as_array();

  const model::Parameter dense{"dense", tabulate(kN, [](double i) { return std::sin(1 + i); }).requires_grad_(), true};
  const model::FactoredParameter factored{
      "factored", tabulate(kP * kH, [](double i) { return 0.5 * std::sin(1 + i); }).view({kP, kH})};
  Optimizer optimizer(settings_of(algorithm));
  auto expected = golden.begin();
  for (int t = 0; t < 20; ++t) {
    dense.value.mutable_grad() = tabulate(kN, [&](double i) { return 0.1 * std::cos(0.3 * i + 0.7 * t); });
    const FactoredUpdate update{&factored,
                                {.g_P = tabulate(kP, [&](double p) { return 0.1 * std::cos(0.5 * p + 0.9 * t); }),
                                 .h_H = tabulate(kH, [&](double j) { return std::max(0.0, std::sin(j + 0.4 * t)); })}};
    optimizer.step(0.01 / (1 + 0.1 * t), std::vector{&dense}, std::vector{update});
    if (expected == golden.end() || expected->at("steps").to_number<int>() != t + 1) continue;
    INFO(name << " after " << t + 1 << " steps");
    CHECK(relative_difference(dense.value.detach(), numbers(expected->at("dense"))) < 1e-6);
    CHECK(relative_difference(factored.value_PH.flatten(), numbers(expected->at("factored"))) < 1e-6);
    ++expected;
  }
  CHECK(expected == golden.end());
}

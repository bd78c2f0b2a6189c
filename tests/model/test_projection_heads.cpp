#include "model/projection_heads.hpp"

#include <ATen/ATen.h>

#include <set>

#include "core/philox.hpp"
#include "tests/support/error_of.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::model;

namespace {

at::Tensor rows(int64_t n, int64_t width) {
  at::Tensor values = at::empty({n, width});
  Draws draws({.seed = 2});
  for (int64_t index = 0; index < values.numel(); ++index)
    values.data_ptr<float>()[index] = static_cast<float>(draws.normal());
  return values;
}

std::set<std::string> names_of(const ProjectionHeads& heads) {
  std::set<std::string> names;
  for (const Parameter& parameter : heads.parameters(0)) names.insert(parameter.name);
  return names;
}

at::Tensor normalised(const at::Tensor& x) {
  return (x - x.mean(0)) / (x.var(0, false) + 1e-5).sqrt();
}

}  // namespace

TEST_CASE("the heads of SimCLR, MoCo v2 and MoCo v3 are their layers written out", "[model][oracle]") {
  const at::Tensor x = rows(9, 6);
  const auto train = BatchNormPass::train({});
  const auto check = [&](const ProjectionHeads& heads, const std::set<std::string>& expected_names,
                         const auto& by_hand) {
    CHECK(names_of(heads) == expected_names);
    const StateDict state = heads.state();
    const auto value = [&](const std::string& name) { return state.at("projector.0." + name); };
    CHECK(at::allclose(heads.forward(0, x, train).detach(), by_hand(value), 1e-4, 1e-5));
  };
  const auto linear = [](const at::Tensor& in, const at::Tensor& weight) { return at::mm(in, weight.t()); };
  const std::string p = "projector.0.";
  check(ProjectionHeads(ProjectionSettings{.hidden = 5, .out = 4}, 6, 2, 1),
        {p + "linear1.weight", p + "bn1.weight", p + "bn1.bias", p + "linear2.weight", p + "linear2.bias"},
        [&](const auto& value) {
          return linear(normalised(linear(x, value("linear1.weight"))).relu(), value("linear2.weight")) +
                 value("linear2.bias");
        });
  check(ProjectionHeads(ProjectionSettings{.hidden = 5, .out = 4, .batch_norm = HeadNorm::kNone}, 6, 2, 1),
        {p + "linear1.weight", p + "linear1.bias", p + "linear2.weight", p + "linear2.bias"}, [&](const auto& value) {
          return linear((linear(x, value("linear1.weight")) + value("linear1.bias")).relu(), value("linear2.weight")) +
                 value("linear2.bias");
        });
  check(
      ProjectionHeads(ProjectionSettings{.hidden = 5, .out = 4, .layers = 3, .batch_norm = HeadNorm::kAll}, 6, 2, 1),
      {p + "linear1.weight", p + "bn1.weight", p + "bn1.bias", p + "linear2.weight", p + "bn2.weight", p + "bn2.bias",
       p + "linear3.weight"},
      [&](const auto& value) {
        const at::Tensor hidden = normalised(linear(x, value("linear1.weight"))).relu();
        return normalised(linear(normalised(linear(hidden, value("linear2.weight"))).relu(), value("linear3.weight")));
      });
}

TEST_CASE("a predictor maps embeddings to embeddings and has weights of its own", "[model]") {
  const ProjectionHeads projectors({.hidden = 5, .out = 4}, 4, 3, 1);
  const ProjectionHeads predictors(PredictorSettings{.hidden = 5}, 4, 3, 1);
  CHECK(predictors.size() == 3);
  CHECK(predictors.forward(2, rows(9, 4), BatchNormPass::train({})).sizes() == at::IntArrayRef({9, 4}));
  CHECK(predictors.parameters(1).front().name == "predictor.1.linear1.weight");
  CHECK_FALSE(at::equal(predictors.parameters(0).front().value, projectors.parameters(0).front().value));
  CHECK_FALSE(at::equal(predictors.parameters(0).front().value, predictors.parameters(1).front().value));
}

TEST_CASE("heads go out and come back with all parameters and statistics", "[model]") {
  const ProjectionSettings settings{.hidden = 5, .out = 4, .layers = 3, .batch_norm = HeadNorm::kAll};
  const ProjectionHeads heads(settings, 6, 2, 1);
  const at::Tensor x = rows(9, 6);
  heads.forward(1, x, BatchNormPass::train({}));
  ProjectionHeads other(settings, 6, 2, 7);
  const auto output = [&](const ProjectionHeads& from) { return from.forward(1, x, BatchNormPass::running()); };
  CHECK_FALSE(at::equal(output(other), output(heads)));
  other.load_state(heads.state());
  CHECK(at::equal(output(other), output(heads)));
  StateDict state = heads.state();
  CHECK(state.contains("projector.1.bn3.running_var"));
  state.erase("projector.1.bn3.running_var");
  CHECK(error_of([&] { other.load_state(state); }).find("projector.1.bn3.running_var") != std::string::npos);
}

#include <ATen/ATen.h>

#include <boost/json.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "config/setting.hpp"
#include "downstream/bootstrap.hpp"
#include "downstream/metrics.hpp"
#include "tests/support/catch.hpp"

using namespace invaria::downstream;

TEST_CASE("top1 is the share of rows whose largest score is at the label", "[downstream]") {
  const at::Tensor scores = at::tensor({3., 1., 2., 0., 5., 1., 1., 0., 2., 9., 1., 0.}, at::kDouble).reshape({4, -1});
  CHECK(top1(scores, at::tensor({0, 1, 0, 0}, at::kLong)) == Approx(0.75));
}

TEST_CASE("mean_per_class weighs classes equally and leaves out those that do not occur", "[downstream]") {
  const at::Tensor scores = at::tensor({1., 0., 0., 1., 0., 0., 1., 0., 0., 0., 0., 1.}, at::kDouble).reshape({4, -1});
  // Class 0: 3 of 3; class 1: 0 of 1; class 2 does not occur.
  CHECK(mean_per_class(scores, at::tensor({0, 0, 0, 1}, at::kLong)) == Approx(0.5));
}

TEST_CASE("r2 of the mean is 0, of the truth 1, and is averaged over coordinates", "[downstream]") {
  const at::Tensor targets = at::tensor({1., 10., 2., 30., 3., 20.}, at::kDouble).reshape({3, -1});
  CHECK(r2(targets, targets) == Approx(1.0));
  CHECK(r2(targets.mean(0).expand_as(targets), targets) == Approx(0.0).margin(1e-12));
  at::Tensor half = targets.clone();
  half.select(1, 0).fill_(2.0);
  CHECK(r2(half, targets) == Approx(0.5));
}

TEST_CASE("r2_flat flatters a constant pose whose coordinates differ", "[downstream]") {
  const at::Tensor targets = at::tensor({1., 101., 3., 99.}, at::kDouble).reshape({2, -1});
  const at::Tensor constant = targets.mean(0).expand_as(targets);
  CHECK(r2(constant, targets) == Approx(0.0).margin(1e-12));
  CHECK(r2_flat(constant, targets) > 0.99);
}

namespace {

at::Tensor matrix(const invaria::config::json::value& rows) {
  std::vector<at::Tensor> all;
  for (const auto& row : rows.as_array()) {
    all.push_back(at::tensor(invaria::config::json::value_to<std::vector<double>>(row), at::kDouble));
  }
  return at::stack(all);
}

struct Golden {
  invaria::config::json::value json;
  explicit Golden(const char* name) {
    std::ifstream file(std::filesystem::path(INVARIA_SOURCE_DIR "/tests/golden/downstream") / name);
    json = invaria::config::parse_text(std::string(std::istreambuf_iterator<char>(file), {}), name);
  }
  at::Tensor at(const char* key) const { return matrix(json.at(key)); }
  double expected(const char* metric) const { return json.at("expected").at(metric).to_number<double>(); }
};

/// Each metric with its predictions and truth.
struct Case {
  Metric metric;
  at::Tensor scores;
  Truth truth;
};

std::vector<Case> cases() {
  const Golden golden("metrics.json");
  const Truth classes{
      at::tensor(invaria::config::json::value_to<std::vector<int64_t>>(golden.json.at("labels")), at::kLong),
      {},
      {},
      {}};
  const Truth numbers{{}, golden.at("targets"), {}, {}};
  const Truth boxes{{}, golden.at("boxes"), {}, {}};
  const Truth points{{}, golden.at("boxes"), keypoint_norms(golden.at("boxes"), {}), {}};
  return {{Metric::kTop1, golden.at("scores"), classes},
          {Metric::kTop5, golden.at("scores"), classes},
          {Metric::kMeanPerClass, golden.at("scores"), classes},
          {Metric::kR2, golden.at("predictions"), numbers},
          {Metric::kR2Flat, golden.at("predictions"), numbers},
          {Metric::kMap, golden.at("attribute_scores"), {{}, golden.at("attributes"), {}, {}}},
          {Metric::kBoxIou, golden.at("box_predictions"), boxes},
          {Metric::kNme, golden.at("box_predictions"), points}};
}

}  // namespace

// Numbers: tests/golden/downstream/generate_metrics.py.
TEST_CASE("metrics are those of scikit-learn, and boxes overlap as torchvision has it", "[downstream][golden]") {
  const Golden golden("metrics.json");
  for (const Case& each : cases()) {
    if (each.metric == Metric::kNme) continue;  // neither library has it
    const std::string name = invaria::config::name_of(each.metric);
    INFO(name);
    CHECK(evaluate(each.metric, each.scores, each.truth) == Approx(golden.expected(name.c_str())).epsilon(1e-12));
  }
}

TEST_CASE("a weighted metric is that of the set with every sample repeated as often", "[downstream][oracle]") {
  const int64_t n = 40;
  const at::Tensor weights = resample_weights(n, 0, 5, 3);
  CHECK(at::equal(weights.sum(1), at::full({5}, 40.0, at::kDouble)));
  for (const Case& each : cases()) {
    INFO(invaria::config::name_of(each.metric));
    const at::Tensor fast = evaluate_weighted(each.metric, each.scores, each.truth, weights);
    for (int64_t resample = 0; resample < 5; ++resample) {
      const at::Tensor rows = at::arange(n, at::kLong).repeat_interleave(weights[resample].to(at::kLong));
      const auto pick = [&](const at::Tensor& all) { return all.defined() ? all.index_select(0, rows) : all; };
      const Truth truth{pick(each.truth.labels_B), pick(each.truth.targets_BT), pick(each.truth.norm_B), {}};
      CHECK(fast[resample].item<double>() == Approx(evaluate(each.metric, pick(each.scores), truth)).epsilon(1e-9));
    }
  }
}

TEST_CASE("nme divides by the distance of two points or by the size of the box around all", "[downstream]") {
  // Points (0, 0), (4, 0), (4, 9), predicted (3, 4) off, right, right.
  const at::Tensor truth = at::tensor({0., 0., 4., 0., 4., 9.}, at::kDouble).unsqueeze(0);
  const at::Tensor guess = at::tensor({3., 4., 4., 0., 4., 9.}, at::kDouble).unsqueeze(0);
  CHECK(nme(guess, truth, keypoint_norms(truth, {0, 1})) == Approx(5.0 / 3.0 / 4.0));
  CHECK(nme(guess, truth, keypoint_norms(truth, {})) == Approx(5.0 / 3.0 / 6.0));
  CHECK(less_is_better(Metric::kNme));
  CHECK_FALSE(less_is_better(Metric::kTop1));
}

TEST_CASE("a predicted box turned inside out overlaps nothing", "[downstream]") {
  const at::Tensor truth = at::tensor({0., 0., 4., 4.}, at::kDouble).unsqueeze(0);
  CHECK(box_iou(at::tensor({3., 3., 1., 1.}, at::kDouble).unsqueeze(0), truth) == 0.0);
  CHECK(box_iou(at::tensor({2., 0., 6., 4.}, at::kDouble).unsqueeze(0), truth) == Approx(8.0 / 24.0));
}

TEST_CASE("attributes that no sample has do not count in the mean average precision", "[downstream]") {
  const at::Tensor scores = at::tensor({3., 1., 2., 5., 1., 4.}, at::kDouble).reshape({3, 2});
  const at::Tensor attributes = at::tensor({1., 0., 0., 0., 1., 0.}, at::kDouble).reshape({3, 2});
  CHECK(mean_average_precision(scores, attributes) == Approx((1.0 + 2.0 / 3.0) / 2.0));
}

TEST_CASE("the bootstrap's interval is the normal one of a share, and does not depend on how it is cut",
          "[downstream]") {
  // 300 right of 400: 0.75 +- 1.96 sqrt(.75 .25 / 400).
  const at::Tensor labels = at::zeros({400}, at::kLong);
  at::Tensor scores = at::zeros({400, 2}, at::kDouble);
  scores.select(1, 0).narrow(0, 0, 300).fill_(1.0);
  scores.select(1, 1).narrow(0, 300, 100).fill_(1.0);
  const Interval interval = bootstrap_interval(Metric::kTop1, scores, {labels, {}, {}, {}}, 1000, 7);
  CHECK(interval.low == Approx(0.75 - 0.0424).margin(0.006));
  CHECK(interval.high == Approx(0.75 + 0.0424).margin(0.006));
  CHECK(at::equal(resample_weights(30, 0, 8, 1).narrow(0, 5, 3), resample_weights(30, 5, 3, 1)));
  CHECK_FALSE(at::equal(resample_weights(30, 0, 8, 1), resample_weights(30, 0, 8, 2)));
  CHECK(std::isnan(bootstrap_interval(Metric::kTop1, scores, {labels, {}, {}, {}}, 0, 7).low));
  CHECK(percentile({1, 2, 3, 5}, 0.25) == Approx(1.75));  // numpy.percentile([1, 2, 3, 5], 25)
}

TEST_CASE("the standard error of a difference is that of paired samples", "[downstream]") {
  // b is wrong where a is right on 30 of 400, and right where a is wrong on 10.
  const at::Tensor labels = at::zeros({400}, at::kLong);
  const auto right_on = [](int64_t first, int64_t count) {
    at::Tensor scores = at::zeros({400, 2}, at::kDouble);
    scores.select(1, 1).fill_(1.0);
    scores.select(1, 0).narrow(0, first, count).fill_(2.0);
    return scores;
  };
  const at::Tensor a = right_on(0, 300), b = right_on(30, 280);
  const Truth truth{labels, {}, {}, {}};
  const double mean = 20.0 / 400.0, variance = 40.0 / 400.0 - mean * mean;
  CHECK(difference_standard_error(Metric::kTop1, a, b, truth, 2000, 7) ==
        Approx(std::sqrt(variance / 400.0)).epsilon(0.06));
  CHECK(difference_standard_error(Metric::kTop1, a, a, truth, 100, 7) == 0.0);
  CHECK(difference_standard_error(Metric::kTop1, a, b, truth, 0, 7) == 0.0);
}

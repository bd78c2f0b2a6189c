#include "bench/readout_stages.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "core/philox.hpp"
#include "downstream/logistic.hpp"
#include "io/files.hpp"

namespace invaria::bench {
namespace {

namespace json = boost::json;

constexpr int64_t kSamples = 1200, kFeatures = 512, kClasses = 10;

/// logspace(-6, 5, 45), from the largest: the penalties of the literature's linear evaluation.
std::vector<double> penalties() {
  std::vector<double> penalties;
  for (int n = 44; n >= 0; --n) penalties.push_back(std::pow(10.0, -6.0 + 0.25 * n));
  return penalties;
}

at::Tensor normals(int64_t rows, int64_t columns, uint64_t sample) {
  at::Tensor values = at::empty({rows, columns}, at::kDouble);
  Draws draws({.purpose = Purpose::kSynthetic, .sample = sample});
  double* value = values.mutable_data_ptr<double>();
  for (int64_t n = 0; n < values.numel(); ++n) value[n] = draws.normal();
  return values;
}

/// Features around class centres whose spread falls along their axes as those of encoders do, centred and divided by
/// their root mean variance.
struct Made {
  at::Tensor features_BD, labels_B;

  Made() {
    const at::Tensor spread_D = at::arange(1, kFeatures + 1, at::kDouble).pow(-0.7);
    labels_B = at::arange(kSamples, at::kLong).remainder(kClasses);
    const at::Tensor centres_CD = normals(kClasses, kFeatures, 1) * spread_D;
    const at::Tensor turned_BD =
        (0.6 * centres_CD.index_select(0, labels_B) + normals(kSamples, kFeatures, 2) * spread_D);
    const auto [turn_DD, ignored] = at::linalg_qr(normals(kFeatures, kFeatures, 3));
    features_BD = at::mm(turned_BD, turn_DD);
    features_BD = features_BD - features_BD.mean(0);
    features_BD = features_BD / features_BD.square().mean().sqrt();
  }
};

/// The objective at each penalty, each fit the next one's start.
at::Tensor objectives(const Made& made, const downstream::LogisticEnd& end) {
  const downstream::LogisticRegression regression(
      made.features_BD, at::one_hot(made.labels_B, kClasses).to(at::kDouble), downstream::Likelihood::kSoftmax);
  auto at = downstream::LinearParameters::zeros(kFeatures, kClasses);
  std::vector<double> values;
  for (const double l2 : penalties()) values.push_back(regression.minimise(l2, at, end));
  return at::tensor(values, at::kDouble);
}

/// The least objectives there are, found when a check first asks.
class Least {
 public:
  explicit Least(Made made) : made_(std::move(made)) {}
  const at::Tensor& get() {
    if (!objectives_.defined()) objectives_ = objectives(made_, {.tolerance = 1e-10, .max_passes = 100000});
    return objectives_;
  }

 private:
  Made made_;
  at::Tensor objectives_;
};

/// No objective is further from the least there is than a share of it, and so many nats.
std::function<void(const at::Tensor&)> is_least(std::shared_ptr<Least> known, double share, double nats) {
  return [known, share, nats](const at::Tensor& found) {
    const at::Tensor& least = known->get();
    if (found.sizes() != least.sizes())
      throw WrongResult(fmt::format("{} objectives instead of {}", found.numel(), least.numel()));
    const at::Tensor above = found.to(at::kDouble) - least;
    if ((above.abs() > share * least + nats).any().item<bool>()) {
      throw WrongResult(fmt::format("objectives between {:.2g} nats below and {:.2g} above the least there are",
                                    -above.min().item<double>(), above.max().item<double>()));
    }
  };
}

}  // namespace

std::vector<Stage> readout_stages(const std::filesystem::path& folder) {
  const Made made;
  const at::Tensor single_BD = made.features_BD.to(at::kFloat).contiguous();
  const std::filesystem::path file = folder / "features.f32";
  io::write_file_atomically(file,
                            std::string_view(static_cast<const char*>(single_BD.const_data_ptr()), single_BD.nbytes()));
  const auto least = std::make_shared<Least>(made);
  const auto n_penalties = static_cast<double>(penalties().size());
  // Turning the features, then of each penalty a gradient and a product with the Hessian at least, of two matrix
  // products each.
  const double product = 2.0 * kSamples * kFeatures * kClasses;
  const Work work{4.0 * kSamples * kFeatures * kFeatures + 4.0 * n_penalties * product, 0.0};
  json::array given;
  for (const double l2 : penalties()) given.emplace_back(l2);
  const json::object request{{"stage", "l2-grid"},  {"input", file.string()}, {"shape", {kSamples, kFeatures}},
                             {"classes", kClasses}, {"penalties", given},     {"package", "scikit-learn"}};
  Stage grid{"readout/l2-grid",
             "45 penalties of a logistic readout on 1,200 x 512, 10 classes",
             "grids",
             1.0,
             work,
             [made] { return std::vector{objectives(made, {})}; },
             is_least(least, 1e-6, 0.0),
             "readout.py",
             {{"scikit-learn", request, is_least(least, 1e-3, 1e-3)}}};
  return {std::move(grid)};
}

}  // namespace invaria::bench

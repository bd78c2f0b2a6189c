#include "bench/readout_stages.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <numeric>
#include <utility>

#include "bench/checks.hpp"
#include "bench/made.hpp"
#include "downstream/episodes.hpp"
#include "downstream/logistic.hpp"

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

/// Features around class centres whose spread falls along their axes as those of encoders do, centred and divided by
/// their root mean variance.
struct Made {
  at::Tensor features_BD, labels_B;

  Made() {
    const at::Tensor spread_D = at::arange(1, kFeatures + 1, at::kDouble).pow(-0.7);
    labels_B = at::arange(kSamples, at::kLong).remainder(kClasses);
    const at::Tensor centres_CD = normals({kClasses, kFeatures}, 1) * spread_D;
    const at::Tensor turned_BD =
        (0.6 * centres_CD.index_select(0, labels_B) + normals({kSamples, kFeatures}, 2) * spread_D);
    const auto [turn_DD, ignored] = at::linalg_qr(normals({kFeatures, kFeatures}, 3));
    features_BD = at::mm(turned_BD, turn_DD);
    features_BD = features_BD - features_BD.mean(0);
    features_BD = features_BD / features_BD.square().mean().sqrt();
  }
};

downstream::LogisticRegression regression_of(const Made& made) {
  return {made.features_BD, at::one_hot(made.labels_B, kClasses).to(at::kDouble), downstream::Likelihood::kSoftmax};
}

/// The objective at each penalty, along the path.
at::Tensor objectives(const Made& made) {
  const downstream::LogisticRegression regression = regression_of(made);
  downstream::LogisticPath path(regression);
  std::vector<double> values;
  for (const double l2 : penalties()) values.push_back(path.fit(l2));
  return at::tensor(values, at::kDouble);
}

/// The same, each fit far on from the last one's minimum.
at::Tensor least_objectives(const Made& made) {
  const downstream::LogisticRegression regression = regression_of(made);
  downstream::LinearParameters at = regression.zeros();
  std::vector<double> values;
  for (const double l2 : penalties())
    values.push_back(regression.minimise(l2, at, {.tolerance = 1e-10, .max_passes = 100000}));
  return at::tensor(values, at::kDouble);
}

/// The least objectives there are, found when a check first asks.
class Least {
 public:
  explicit Least(Made made) : made_(std::move(made)) {}
  const at::Tensor& get() {
    if (!objectives_.defined()) objectives_ = least_objectives(made_);
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

/// 2,000 episodes of 5 ways and 1 shot, 15 queries a class, on features that are there.
Stage episodes_stage(const std::filesystem::path& folder) {
  constexpr int64_t kEpisodes = 2000, kPool = 100, kOfClass = 40, kDimension = 512;
  constexpr double kL2 = 0.1;
  downstream::FewShotSettings settings;
  settings.episodes = kEpisodes;
  const std::filesystem::path features_file = folder / "pool.f32", rows_file = folder / "episodes.f32";
  struct Pool {
    at::Tensor features_BD;
    std::vector<downstream::Episode> episodes;
  };
  const auto pool = std::make_shared<Lazy<Pool>>([=] {
    const at::Tensor labels_B = at::arange(kPool * kOfClass, at::kLong).remainder(kPool);
    const at::Tensor centres_CD = normals({kPool, kDimension}, 4);
    const at::Tensor features_BD =
        (0.5 * centres_CD.index_select(0, labels_B) + normals({kPool * kOfClass, kDimension}, 5)).to(at::kFloat);
    const downstream::EpisodePool drawn_from(labels_B, at::arange(labels_B.numel(), at::kLong), settings);
    std::vector<downstream::Episode> episodes;
    std::vector<float> rows;  // exact: below 2^24
    for (int64_t index = 0; index < kEpisodes; ++index) {
      episodes.push_back(drawn_from.draw(downstream::EpisodeSet::kTest, 1, 0, index));
      for (const auto* of : {&episodes.back().support, &episodes.back().queries})
        std::transform(of->begin(), of->end(), std::back_inserter(rows),
                       [](int64_t row) { return static_cast<float>(row); });
    }
    write_values(features_file, features_BD);
    write_values(rows_file, at::tensor(rows));
    return Pool{features_BD, std::move(episodes)};
  });
  const auto accuracies = [=](const at::Tensor& features_BD, const std::vector<downstream::Episode>& episodes) {
    return downstream::episode_accuracies(features_BD, episodes, settings, kL2, 1000).to(at::kFloat);
  };
  // One at a time, in double: what many at once have to be.
  const auto expected = std::make_shared<Lazy<at::Tensor>>([=] {
    std::vector<at::Tensor> each;
    for (const downstream::Episode& episode : pool->get().episodes) {
      std::vector<int64_t> rows = episode.support;
      rows.insert(rows.end(), episode.queries.begin(), episode.queries.end());
      downstream::Episode own = episode;  // the same samples as all there are
      std::iota(own.support.begin(), own.support.end(), int64_t{0});
      std::iota(own.queries.begin(), own.queries.end(), std::ssize(own.support));
      const at::Tensor samples_AD = pool->get().features_BD.index_select(0, at::tensor(rows, at::kLong));
      each.push_back(accuracies(samples_AD.to(at::kDouble), {own}));
    }
    return at::cat(each);
  });
  // A query on the border between two classes may fall to either side.
  const auto is_accuracy = [=](const at::Tensor& made_E) {
    expect_shape(made_E, expected->get().sizes());
    const double differ = (made_E - expected->get()).abs().gt(1e-4).to(at::kDouble).mean().item<double>();
    expect(differ < 0.01, "{:.1f} % of the episodes have another accuracy", 100.0 * differ);
  };
  const int64_t n_support = settings.ways * settings.shots, n_queries = settings.ways * settings.queries;
  const double of_episode =
      2.0 *
      static_cast<double>(kDimension * (n_support * n_support + n_support * n_queries + n_queries * settings.ways));
  Stage stage{.name = "readout/episodes",
              .what = "2,000 episodes, 5 ways, 1 shot, 15 queries a class, on features of 512",
              .unit = "episodes",
              .items = kEpisodes,
              .work = {kEpisodes * of_episode,
                       kEpisodes * sizeof(float) * static_cast<double>(kDimension * (n_support + n_queries))},
              .run = [=] { return std::vector{accuracies(pool->get().features_BD, pool->get().episodes)}; },
              .check = is_accuracy,
              .adapter = "readout.py",
              .peers = {}};
  const json::object request{{"stage", "episodes"},
                             {"input", features_file.string()},
                             {"shape", {kPool * kOfClass, kDimension}},
                             {"episodes", rows_file.string()},
                             {"ways", settings.ways},
                             {"shots", settings.shots},
                             {"queries", settings.queries},
                             {"l2", kL2},
                             {"package", "scikit-learn"}};
  stage.peers.push_back({"scikit-learn", request, is_accuracy});
  return stage;
}

}  // namespace

std::vector<Stage> readout_stages(const std::filesystem::path& folder) {
  const Made made;
  const at::Tensor single_BD = made.features_BD.to(at::kFloat).contiguous();
  const std::filesystem::path file = folder / "features.f32";
  write_values(file, single_BD);
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
             [made] { return std::vector{objectives(made)}; },
             is_least(least, 1e-6, 0.0),
             "readout.py",
             {{"scikit-learn", request, is_least(least, 1e-3, 1e-3)}}};
  return {std::move(grid), episodes_stage(folder)};
}

}  // namespace invaria::bench

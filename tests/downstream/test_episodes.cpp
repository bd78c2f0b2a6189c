#include <ATen/ATen.h>

#include <algorithm>
#include <set>

#include "core/errors.hpp"
#include "downstream/episodes.hpp"
#include "downstream/task.hpp"
#include "downstream/task_parts.hpp"
#include "tests/downstream/made.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::downstream;

namespace {

FewShotSettings few_shot(int64_t ways, int64_t shots, int64_t queries) {
  FewShotSettings settings;
  settings.ways = ways;
  settings.shots = shots;
  settings.queries = queries;
  return settings;
}

/// Classes in turn; the row of sample n is 1000 + n.
EpisodePool pool_of(int64_t n, int64_t classes, const FewShotSettings& settings) {
  return {at::arange(n, at::kLong).remainder(classes), at::arange(1000, 1000 + n, at::kLong), settings};
}

std::vector<Episode> episodes_of(const EpisodePool& pool, int64_t n) {
  std::vector<Episode> episodes;
  for (int64_t index = 0; index < n; ++index) episodes.push_back(pool.draw(EpisodeSet::kTest, 3, 0, index));
  return episodes;
}

TaskSettings few_shot_task(int64_t novel_classes) {
  TaskSettings settings;
  settings.name = "t";
  settings.kind = TaskKind::kFewShot;
  settings.data = "made";
  settings.few_shot = few_shot(2, 2, 3);
  settings.few_shot.novel_classes = novel_classes;
  return settings;
}

std::vector<std::string> problems_of(const TaskSettings& settings, const data::Dataset& dataset) {
  config::Problems problems;
  check_few_shot(settings, data::summary_of(dataset), "tasks[0]", problems);
  std::vector<std::string> found;
  for (const config::Problem& problem : problems.list()) found.push_back(problem.where + ": " + problem.rule);
  return found;
}

/// Splits whose classes are their own: train has 0 to 5, test 6 to 9.
data::Dataset split_by_classes() {
  data::Dataset dataset = made_dataset(10, 8);
  dataset.splits["train"] = made_split(6, 8, 1);
  dataset.splits["test"] = made_split(4, 8, 2);
  for (int64_t& label : dataset.splits["test"].labels) label += 6;
  return dataset;
}

}  // namespace

TEST_CASE("an episode has so many classes with so many samples each, none of them twice", "[downstream][episodes]") {
  const EpisodePool pool = pool_of(200, 10, few_shot(5, 3, 4));
  for (const Episode& episode : episodes_of(pool, 20)) {
    REQUIRE(episode.support.size() == 15);
    REQUIRE(episode.queries.size() == 20);
    std::set<int64_t> rows(episode.support.begin(), episode.support.end());
    rows.insert(episode.queries.begin(), episode.queries.end());
    CHECK(rows.size() == 35);
    std::set<int64_t> classes;
    for (int64_t way = 0; way < 5; ++way) {
      const int64_t label = episode.support[static_cast<size_t>(3 * way)] % 10;
      classes.insert(label);
      for (int64_t shot = 0; shot < 3; ++shot)
        CHECK(episode.support[static_cast<size_t>(3 * way + shot)] % 10 == label);
      for (int64_t query = 0; query < 4; ++query)
        CHECK(episode.queries[static_cast<size_t>(4 * way + query)] % 10 == label);
    }
    CHECK(classes.size() == 5);
  }
}

TEST_CASE("an episode follows from its index alone", "[downstream][episodes]") {
  const EpisodePool pool = pool_of(200, 10, few_shot(5, 1, 4));
  const Episode seventh = pool.draw(EpisodeSet::kTest, 3, 0, 7);
  CHECK(pool_of(200, 10, few_shot(5, 1, 4)).draw(EpisodeSet::kTest, 3, 0, 7).support == seventh.support);
  const std::vector<Episode> in_turn = episodes_of(pool, 9);
  CHECK(in_turn[7].support == seventh.support);
  CHECK(in_turn[7].queries == seventh.queries);
  CHECK(in_turn[7].seed == seventh.seed);
  // Another index, repeat, seed or set is another episode.
  CHECK_FALSE(in_turn[6].queries == seventh.queries);
  CHECK_FALSE(pool.draw(EpisodeSet::kTest, 3, 1, 7).queries == seventh.queries);
  CHECK_FALSE(pool.draw(EpisodeSet::kTest, 4, 0, 7).queries == seventh.queries);
  CHECK_FALSE(pool.draw(EpisodeSet::kValidation, 3, 0, 7).queries == seventh.queries);
}

TEST_CASE("all samples and classes are drawn about equally often", "[downstream][episodes]") {
  const EpisodePool pool = pool_of(60, 6, few_shot(3, 1, 1));
  std::vector<int64_t> count(60, 0);
  for (const Episode& episode : episodes_of(pool, 2000)) {
    for (int64_t row : episode.support) ++count[static_cast<size_t>(row - 1000)];
  }
  // 6,000 draws from 60 samples: 100 each, with a standard deviation of 10.
  CHECK(*std::min_element(count.begin(), count.end()) > 60);
  CHECK(*std::max_element(count.begin(), count.end()) < 140);
}

TEST_CASE("classes with too few samples for an episode are left out, and too few such classes refused",
          "[downstream][episodes]") {
  // Class 3 has two samples.
  const at::Tensor labels = at::cat({at::arange(30, at::kLong).remainder(3), at::full({2}, 3, at::kLong)});
  const FewShotSettings settings = few_shot(3, 1, 4);
  const EpisodePool pool(labels, at::arange(32, at::kLong), settings);
  for (const Episode& episode : episodes_of(pool, 30)) {
    for (int64_t row : episode.support) CHECK(row < 30);
  }
  CHECK_THROWS_AS(EpisodePool(labels, at::arange(32, at::kLong), few_shot(4, 1, 4)), PreconditionError);
}

TEST_CASE("many ridge readouts at once are those of one episode at a time", "[downstream][episodes][oracle]") {
  const FewShotSettings settings = few_shot(4, 3, 5);
  const LabelledFeatures features = around_centres(200, 40, 8, 0.4, 71);
  const EpisodePool pool(features.labels_B, at::arange(200, at::kLong), settings);
  const std::vector<Episode> episodes = episodes_of(pool, 25);
  for (double l2 : {1e-4, 1e-1, 10.0}) {
    const at::Tensor together = episode_accuracies(features.features_BD, episodes, settings, l2, 100);
    for (size_t episode = 0; episode < episodes.size(); ++episode) {
      LabelledFeatures support;
      support.features_BD = features.features_BD.index_select(0, at::tensor(episodes[episode].support, at::kLong));
      support.targets_BT = at::one_hot(at::arange(4, at::kLong).repeat_interleave(3), 4).to(at::kDouble);
      const Readout readout = fit_readout(support, l2, 1);
      const at::Tensor scores =
          readout.predict(features.features_BD.index_select(0, at::tensor(episodes[episode].queries, at::kLong)));
      CHECK(together[static_cast<int64_t>(episode)].item<double>() ==
            Approx(top1(scores, at::arange(4, at::kLong).repeat_interleave(5))));
    }
    CHECK(together.mean().item<double>() > 0.5);  // at chance nothing would be compared
    CHECK(together.mean().item<double>() < 1.0);
  }
}

TEST_CASE("the logistic readout of an episode is the linear readout of its support", "[downstream][episodes]") {
  FewShotSettings settings = few_shot(3, 5, 6);
  settings.readout = EpisodeReadout::kLogistic;
  const LabelledFeatures features = around_centres(120, 10, 4, 0.6, 72);
  const EpisodePool pool(features.labels_B, at::arange(120, at::kLong), settings);
  const std::vector<Episode> episodes = episodes_of(pool, 4);
  const at::Tensor accuracies = episode_accuracies(features.features_BD, episodes, settings, 1e-2, 200);
  for (size_t episode = 0; episode < episodes.size(); ++episode) {
    LabelledFeatures support;
    support.n_classes = 3;
    support.features_BD = features.features_BD.index_select(0, at::tensor(episodes[episode].support, at::kLong));
    support.labels_B = at::arange(3, at::kLong).repeat_interleave(5);
    const at::Tensor scores =
        fit_readout(support, 1e-2, 200)
            .predict(features.features_BD.index_select(0, at::tensor(episodes[episode].queries, at::kLong)));
    CHECK(accuracies[static_cast<int64_t>(episode)].item<double>() ==
          Approx(top1(scores, at::arange(3, at::kLong).repeat_interleave(6))));
  }
}

TEST_CASE("features that carry the class give every query, features of noise chance", "[downstream][episodes]") {
  const FewShotSettings settings = few_shot(5, 1, 5);
  TaskData task;
  task.test.labels_B = at::arange(120, at::kLong).remainder(10);
  task.test.rows_B = at::arange(120, at::kLong);
  task.validation_classes = task.test;
  const ReadoutSettings readout;
  const at::Tensor telling = at::one_hot(task.test.labels_B, 10).to(at::kFloat);
  const double l2 = choose_episode_penalty(telling, task, settings, readout, 0, 0).l2;
  CHECK(l2 == 0.1);  // on a tie the larger
  const MeanAccuracy sure = judge_episodes(l2, telling, task, settings, readout, 0, 0);
  CHECK(sure.mean == 1.0);
  CHECK(sure.interval.low == 1.0);
  const MeanAccuracy chance = judge_episodes(l2, noise({120, 12}, 80, at::kFloat), task, settings, readout, 0, 0);
  CHECK(chance.mean == Approx(0.2).margin(0.02));
  CHECK(chance.interval.low < chance.mean);
  const double half = 0.5 * (chance.interval.high - chance.interval.low);
  CHECK(half == Approx(1.96 * 0.08 / std::sqrt(2000.0)).epsilon(0.25));  // 25 guesses at five: s = 0.08
}

TEST_CASE("the penalty is chosen on validation episodes, and only on them", "[downstream][episodes]") {
  CHECK(best_penalty({1e-2, 1.0, 1e-1}, {at::tensor({0.5, 0.7}), at::tensor({0.6, 0.6}), at::tensor({0.1, 0.2})}) == 1);
  CHECK(best_penalty({1e-2, 1e-3}, {at::tensor({0.5, 0.7}), at::tensor({0.9, 0.7})}) == 1);
}

TEST_CASE("i learned on each episode meets each episode of its own set once", "[downstream][episodes]") {
  FewShotSettings settings = few_shot(2, 2, 3);
  settings.learned_episodes = 4;
  TaskData task;
  task.test.labels_B = at::arange(40, at::kLong).remainder(4);
  task.test.rows_B = at::arange(40, at::kLong);
  task.validation_classes.labels_B = task.test.labels_B;
  task.validation_classes.rows_B = task.test.rows_B + 40;
  std::vector<Episode> met;
  // Validation features are noise, test features the class; i is 1 for test episodes.
  const auto learn = [&](const Episode& episode) {
    met.push_back(episode);
    const bool is_test = episode.support.front() < 40;
    std::vector<int64_t> rows = episode.support;
    rows.insert(rows.end(), episode.queries.begin(), episode.queries.end());
    const at::Tensor labels = at::tensor(rows, at::kLong).remainder(4);
    return LearnedEpisode{{is_test ? 1.0 : 0.0, is_test ? 0.25 : 0.0}, at::one_hot(labels, 4).to(at::kFloat)};
  };
  const LearnedEpisodesOutcome outcome = judge_learned_episodes(task, settings, {}, 5, 0, learn);
  REQUIRE(met.size() == 8);
  const EpisodePool pool = episode_pool(task, EpisodeSet::kTest, settings);
  for (int64_t index = 0; index < 4; ++index)
    CHECK(met[static_cast<size_t>(4 + index)].support == pool.draw(EpisodeSet::kTest, 5, 0, index).support);
  CHECK(outcome.invariance == config::Invariance{1.0, 0.25});  // of the test episodes alone
  CHECK(outcome.test.mean == 1.0);
  CHECK(outcome.validation_value == 1.0);
}

TEST_CASE("a few-shot task learns from base classes and is judged on others", "[downstream][episodes]") {
  const TaskData named = made_task(few_shot_task(0), split_by_classes());
  CHECK(named.n_classes == 6);
  CHECK(named.train.size() + named.validation.size() == 48);
  CHECK(named.test.size() == 32);
  CHECK(named.test.labels_B.max().item<int64_t>() == 3);
  CHECK_FALSE(named.validation_classes.labels_B.defined());

  // One class list: classes 0 and 5 are novel, taken from test alone.
  const data::Dataset dataset = made_dataset(10, 8);
  const TaskData cut = made_task(few_shot_task(2), dataset, 16);
  CHECK(cut.n_classes == 8);
  CHECK(cut.train.size() + cut.validation.size() == 64);
  CHECK(cut.test.size() == 16);
  const at::Tensor expected = render_clean(dataset.split("test"), {5 * 8}, {augment::AugmentSettings(), 16, {}});
  CHECK(at::equal(cut.test.pictures.all()[8], expected[0]));
  const std::set<int64_t> test_rows(cut.test.rows_B.const_data_ptr<int64_t>(),
                                    cut.test.rows_B.const_data_ptr<int64_t>() + 16);
  for (int64_t index = 0; index < 5; ++index) {
    const auto inside = [&](const Episode& episode, bool wanted) {
      return std::all_of(episode.queries.begin(), episode.queries.end(),
                         [&](int64_t row) { return test_rows.contains(row) == wanted; });
    };
    const FewShotSettings settings = few_shot_task(2).few_shot;
    CHECK(inside(episode_pool(cut, EpisodeSet::kTest, settings).draw(EpisodeSet::kTest, 0, 0, index), true));
    CHECK(
        inside(episode_pool(cut, EpisodeSet::kValidation, settings).draw(EpisodeSet::kValidation, 0, 0, index), false));
  }
}

TEST_CASE("classes that learning and judging share, and too few or too small ones, are refused",
          "[downstream][episodes]") {
  CHECK(problems_of(few_shot_task(0), split_by_classes()).empty());
  CHECK(problems_of(few_shot_task(2), made_dataset(10, 8)).empty());
  const auto shared = problems_of(few_shot_task(0), made_dataset(10, 8));
  REQUIRE(shared.size() == 1);
  CHECK(shared[0].find("shared: class0, class1") != std::string::npos);
  CHECK(problems_of(few_shot_task(9), made_dataset(10, 8)).size() == 1);  // one base class
  CHECK(problems_of(few_shot_task(10), made_dataset(10, 8)).size() == 1);
  TaskSettings large = few_shot_task(2);
  large.few_shot.queries = 7;  // 2 + 7 of 8 samples
  CHECK(problems_of(large, made_dataset(10, 8)).size() == 2);
}

TEST_CASE("where a manifest splits classes a few-shot task takes them so, of the pictures of both its splits",
          "[downstream][episodes]") {
  data::Dataset dataset = made_dataset(10, 8);
  dataset.class_splits = {{"base", {0, 2, 4, 6}}, {"validation", {1, 3, 8}}, {"novel", {5, 7}}};
  TaskSettings settings = few_shot_task(0);
  CHECK(problems_of(settings, dataset).empty());
  const TaskData task = made_task(settings, dataset);
  CHECK(task.n_classes == 4);
  CHECK(task.train.size() + task.validation.size() == 4 * 16);
  CHECK(task.validation.size() == 16);  // a quarter, for arms that choose among epochs
  CHECK(task.validation_classes.size() == 3 * 16);
  CHECK(task.test.size() == 2 * 16);
  const int64_t first = task.validation_classes.rows_B.min().item<int64_t>();
  const Episode episode =
      episode_pool(task, EpisodeSet::kValidation, settings.few_shot).draw(EpisodeSet::kValidation, 0, 0, 0);
  CHECK(*std::min_element(episode.support.begin(), episode.support.end()) >= first);
  // Views of base pictures, whichever split they are from.
  REQUIRE(task.train.draw_views);
  CHECK(task.train.draw_views({0, task.train.size() - 1}, 1, 0, 32).size(0) == 2);

  settings.few_shot.novel_classes = 2;  // says otherwise: from test alone
  CHECK(made_task(settings, dataset).test.size() == 16);
  settings.few_shot.novel_classes = 0;
  dataset.class_splits = {{"novel", {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}};
  const auto without_base = problems_of(settings, dataset);
  REQUIRE(without_base.size() == 1);
  CHECK(without_base[0].find("at least two base classes") != std::string::npos);
}

TEST_CASE("a support is a training set of its own", "[downstream][episodes]") {
  const TaskData task = made_task(few_shot_task(2), made_dataset(10, 8));
  const FewShotSettings settings = few_shot_task(2).few_shot;
  const Episode episode = episode_pool(task, EpisodeSet::kTest, settings).draw(EpisodeSet::kTest, 0, 0, 0);
  const Samples support = support_samples(task, episode, settings);
  CHECK(at::equal(support.labels_B, at::tensor({0, 0, 1, 1}, at::kLong)));
  for (int64_t sample = 0; sample < 4; ++sample)
    CHECK(at::equal(support.pictures.all()[sample], task.pool.all()[episode.support[static_cast<size_t>(sample)]]));
}

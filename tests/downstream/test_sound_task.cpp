#include <ATen/ATen.h>

#include <cmath>
#include <memory>
#include <numbers>

#include "augment/named_axes.hpp"
#include "downstream/bootstrap.hpp"
#include "downstream/episodes.hpp"
#include "downstream/known_task.hpp"
#include "downstream/sensitivity.hpp"
#include "downstream/task.hpp"
#include "tests/downstream/made.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::downstream;

namespace {

constexpr int64_t kSamples = 2048;

/// `per_class` tones of each of `classes` pitches, each beginning elsewhere.
data::DataSplit tones(int64_t classes, int64_t per_class) {
  data::DataSplit split;
  split.n = classes * per_class;
  split.shape = {.media = config::Media::kSounds, .n_values = kSamples, .rate = 8000};
  const auto bytes = static_cast<size_t>(split.n * split.shape.bytes());
  auto memory = std::shared_ptr<std::byte>(new std::byte[bytes], std::default_delete<std::byte[]>());
  auto* values = reinterpret_cast<float*>(memory.get());
  for (int64_t sound = 0; sound < split.n; ++sound) {
    const double radians = 2 * std::numbers::pi * 300 * std::exp2(static_cast<double>(sound / per_class) / 4) / 8000;
    for (int64_t n = 0; n < kSamples; ++n) {
      const bool sounds = n > 100 * (sound % per_class);
      values[sound * kSamples + n] =
          sounds ? 0.1F * static_cast<float>(std::sin(radians * static_cast<double>(n))) : 0.0F;
    }
    split.names.push_back("pitch" + std::to_string(sound / per_class) + "/" + std::to_string(sound % per_class) +
                          ".wav");
    split.labels.push_back(sound / per_class);
  }
  split.source = data::samples_in_memory(memory, split.shape.bytes());
  split.hash = "tones";
  return split;
}

data::Dataset dataset_of_tones() {
  data::Dataset dataset;
  dataset.name = "tones";
  for (int64_t label = 0; label < 8; ++label) dataset.classes.push_back("pitch" + std::to_string(label));
  dataset.splits["train"] = tones(8, 8);
  dataset.splits["test"] = tones(8, 8);
  return dataset;
}

augment::ViewSettings small_views() {
  augment::ViewSettings views;
  views.sound.mel.bands = 24;
  return views;
}

TaskData known_task(const std::string& marks) {
  KnownSettings settings;
  settings.marks = marks;
  return make_known_task(settings, augment::named_axes(augment::NamedAxes::kSound3), dataset_of_tones(), small_views(),
                         0, 0);
}

/// Largest difference between the first two training samples, which are of one class.
double within_class(const TaskData& task) {
  const at::Tensor views = task.train.pictures.range(0, 2);
  return (views[0] - views[1]).abs().max().item<double>();
}

}  // namespace

TEST_CASE("known tasks of sounds have sounds times fixed settings classes", "[downstream][known][sound]") {
  const auto axes = augment::named_axes(augment::NamedAxes::kSound3);
  for (const std::string marks : {"100", "010", "001", "110", "101", "011", "111"}) {
    KnownSettings settings;
    settings.marks = marks;
    config::Problems problems;
    validate_known(settings, axes, small_views(), dataset_of_tones().split("test").shape, "known", problems);
    CHECK(problems.to_string().empty());
  }
  const TaskData pitch = known_task("100");
  CHECK(pitch.pictures.size() == 10);  // two settings of each of two axes
  CHECK(pitch.n_classes == 40);
  CHECK(pitch.train.pictures.range(0, 1).sizes() == at::IntArrayRef({1, 1, 24, 12}));
  CHECK(known_task("110").pictures.size() == 10);
  CHECK(known_task("111").pictures.size() == 40);
}

TEST_CASE("sounds of a class differ where an axis is drawn, and classes where it is asked for",
          "[downstream][known][sound]") {
  for (const std::string marks : {"1--", "-1-", "--1"}) CHECK(within_class(known_task(marks)) > 0.05);
  const TaskData asked = known_task("0-1");
  // Of one sound the classes are four pitches: its first samples have the same noise, and other bands are loud.
  const at::Tensor first_of_class = asked.train.pictures.at(at::arange(0, 16, 4, at::kLong));
  const at::Tensor band = first_of_class.mean({1, 3}).argmax(1);
  CHECK(std::get<0>(at::_unique(band)).size(0) >= 3);
}

TEST_CASE("fixed settings that leave a sound as it is are refused", "[downstream][known][sound]") {
  auto axes = augment::named_axes(augment::NamedAxes::kSound4);
  const auto n_problems = [&](auto change) {
    auto changed = axes;
    changed[3].fixed_settings = {{}, {}};
    change(changed[3].fixed_settings[1]);
    KnownSettings settings;
    settings.marks = "1--0";
    config::Problems problems;
    validate_known(settings, changed, small_views(), dataset_of_tones().split("test").shape, "known", problems);
    return problems.list().size();
  };
  CHECK(n_problems([](auto&) {}) == 1);
  CHECK(n_problems([](auto& fixed) { fixed.gain_dB = 0.01; }) == 1);
  CHECK(n_problems([](auto& fixed) { fixed.gain_dB = -6; }) == 0);
  CHECK(n_problems([](auto& fixed) { fixed.fade = 0.4; }) == 0);
}

TEST_CASE("a task of sounds has clean spectrograms, and draws views of them", "[downstream][task][sound]") {
  TaskSettings settings;
  settings.name = "pitch";
  const auto axes = augment::named_axes(augment::NamedAxes::kSound3);
  const data::Dataset dataset = dataset_of_tones();
  const TaskData task = make_task(settings, axes, dataset, small_views(), 0, 0);
  CHECK(task.n_classes == 8);
  const at::Tensor clean = task.test.pictures.all();
  CHECK(clean.sizes() == at::IntArrayRef({64, 1, 24, 12}));
  CHECK(at::equal(clean.narrow(0, 5, 1), render_clean(dataset.split("test"), {5}, small_views())));
  const at::Tensor drawn = task.train.draw_views({0, 0}, 1, 0, 0);
  CHECK(drawn.sizes() == at::IntArrayRef({2, 1, 24, 12}));
  CHECK(at::equal(drawn[0], drawn[1]));
  CHECK_FALSE(at::equal(drawn[0], task.train.draw_views({0}, 1, 1, 0)[0]));
}

TEST_CASE("sensitivity to operations on sounds is measured, each by name", "[downstream][sound]") {
  model::EncoderSettings settings;
  settings.width = 4;
  const model::Encoder encoder(settings, 3, 1, {1, 24, 12});
  const std::vector<double> values =
      sensitivities(encoder, encoder.generate({1, 1, 1}), model::BatchNormPass::running(),
                    dataset_of_tones().split("test"), small_views(), 20, 3);
  const std::vector<std::string> names = sensitivity_transformations(config::Media::kSounds);
  REQUIRE(names == std::vector<std::string>{"pitch 4", "rate 1.6", "shift .25", "noise 10 dB", "gain -14 dB", "fade",
                                            "time mask", "band mask"});
  REQUIRE(values.size() == names.size());
  for (const double value : values) CHECK((value > 1e-3 && value < 1e3));
}

TEST_CASE("a sound is judged by the vote of its parts", "[downstream][metrics][sound]") {
  // Sound 7: two parts for class 1, one strongly for class 0; sound 3: one part each, the surer one decides.
  const at::Tensor scores = at::tensor({0.0, 1.0, 9.0, 0.0, 0.0, 1.0, 0.0, 3.0, 1.0, 0.0}, at::kDouble).view({5, 2});
  const Truth truth{.labels_B = at::tensor({1, 1, 1, 0, 0}, at::kLong),
                    .targets_BT = {},
                    .norm_B = {},
                    .sounds_B = at::tensor({7, 7, 7, 3, 3}, at::kLong)};
  const auto [votes, of_sounds] = by_sound(scores, truth);
  REQUIRE(votes.sizes() == at::IntArrayRef({2, 2}));
  CHECK(at::equal(of_sounds.labels_B, at::tensor({1, 0}, at::kLong)));
  CHECK(at::equal(votes.argmax(1), at::tensor({1, 1}, at::kLong)));
  CHECK(evaluate(Metric::kTop1, scores, truth) == 0.5);
  CHECK(evaluate(Metric::kTop1, scores, {truth.labels_B, {}, {}, {}}) == Approx(3.0 / 5.0));
  // The bootstrap draws sounds: all right, all wrong, or half.
  const Interval interval = bootstrap_interval(Metric::kTop1, scores, truth, 200, 1);
  CHECK(interval.low == 0.0);
  CHECK(interval.high == 1.0);

  const Truth numbers{.labels_B = {},
                      .targets_BT = at::tensor({2.0, 2.0, 2.0, 5.0, 5.0}, at::kDouble).view({5, 1}),
                      .norm_B = {},
                      .sounds_B = truth.sounds_B};
  const auto [means, targets] = by_sound(at::tensor({1.0, 2.0, 6.0, 4.0, 8.0}, at::kDouble).view({5, 1}), numbers);
  CHECK(at::allclose(means.view({2}), at::tensor({3.0, 6.0}, at::kDouble)));
  CHECK(at::equal(targets.targets_BT.view({2}), at::tensor({2.0, 5.0}, at::kDouble)));
}

TEST_CASE("cuts never divide a sound, and episodes draw whole ones", "[downstream][task][sound]") {
  data::Dataset dataset = dataset_of_tones();
  for (auto& [name, split] : dataset.splits) {
    for (int64_t part = 0; part < split.n; ++part)
      split.sounds.push_back(part / 2);  // four sounds a class, of two parts
  }
  TaskSettings settings;
  settings.name = "pitch";
  settings.train_fraction = 0.7;
  const auto axes = augment::named_axes(augment::NamedAxes::kSound3);
  for (int64_t repeat = 0; repeat < 5; ++repeat) {
    const TaskData task = make_task(settings, axes, dataset, small_views(), 0, repeat);
    CHECK(task.validation.size() == 8 * 2);
    CHECK(task.train.size() == 8 * 2 * 2);
    const auto distinct = [](const at::Tensor& sounds) { return std::get<0>(at::_unique(sounds)); };
    const at::Tensor learned = distinct(task.train.sounds_B), chosen = distinct(task.validation.sounds_B);
    CHECK(learned.size(0) * 2 == task.train.size());
    CHECK(distinct(at::cat({learned, chosen})).size(0) == learned.size(0) + chosen.size(0));
    // Sounds of the test split are others.
    CHECK(task.test.sounds_B.min().item<int64_t>() > learned.max().item<int64_t>());
  }

  settings.kind = TaskKind::kFewShot;
  settings.train_fraction = 1.0;
  settings.few_shot = {.ways = 3, .shots = 1, .queries = 3, .novel_classes = 4};
  const TaskData task = make_task(settings, axes, dataset, small_views(), 0, 0);
  const EpisodePool pool = episode_pool(task, EpisodeSet::kTest, settings.few_shot);
  for (int64_t index = 0; index < 20; ++index) {
    const Episode episode = pool.draw(EpisodeSet::kTest, 0, 0, index);
    for (const std::vector<int64_t>& rows : {episode.support, episode.queries}) {
      for (int64_t row : rows) CHECK(row % 2 == 0);  // first parts
    }
  }
  // Features that only the second part of a sound tells apart: the mean does, the first part alone would not.
  const at::Tensor second = at::arange(task.pool.size(), at::kLong).remainder(2).to(at::kFloat).unsqueeze(1);
  at::Tensor labels = at::zeros({task.pool.size()}, at::kLong);
  for (const Samples* part : {&task.train, &task.validation, &task.test})
    labels.index_copy_(0, part->rows_B, part->labels_B + (part == &task.test ? 4 : 0));
  const at::Tensor features = at::one_hot(labels, 8).to(at::kFloat) * second;
  CHECK(judge_episodes(0.1, features, task, settings.few_shot, ReadoutSettings(), 0, 0).mean == 1.0);

  // Episodes with an i of their own read all parts too.
  const Episode episode = pool.draw(EpisodeSet::kTest, 0, 0, 3);
  const PartsOfSamples parts = parts_of_samples(task, episode.queries);
  REQUIRE(parts.rows.size() == 2 * episode.queries.size());
  for (size_t part = 0; part < parts.rows.size(); ++part) {
    CHECK(parts.rows[part] == episode.queries[part / 2] + static_cast<int64_t>(part % 2));
    CHECK(parts.sample_P[static_cast<int64_t>(part)].item<int64_t>() == static_cast<int64_t>(part / 2));
  }
  const auto n = std::ssize(episode.queries);
  const at::Tensor means =
      mean_over_parts(features.index_select(0, at::tensor(parts.rows, at::kLong)), parts.sample_P, n);
  CHECK(at::equal(means, 0.5 * at::one_hot(labels.index_select(0, at::tensor(episode.queries, at::kLong)), 8)));
  CHECK(parts_of_samples(TaskData(), {4, 2}).rows == std::vector<int64_t>{4, 2});
}

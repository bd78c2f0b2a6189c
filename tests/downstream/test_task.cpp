#include <ATen/ATen.h>

#include <set>

#include "augment/render.hpp"
#include "core/errors.hpp"
#include "downstream/task.hpp"
#include "tests/downstream/made.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::downstream;

namespace {

std::set<int64_t> rows(const Samples& samples) {
  const int64_t* first = samples.rows_B.const_data_ptr<int64_t>();
  return {first, first + samples.rows_B.numel()};
}

}  // namespace

TEST_CASE("a classification task cuts a stratified validation part from train, anew in each repeat", "[downstream]") {
  TaskSettings settings;
  settings.name = "every-third";
  settings.data = "made";
  settings.class_every = 3;
  settings.class_limit = 3;
  const augment::AugmentSettings normalise;
  const TaskData task = make_task(settings, {}, made_dataset(), {normalise, 8, {}}, 0, 0);
  CHECK(task.n_classes == 3);
  CHECK(task.train.size() == 18);
  CHECK(task.validation.size() == 6);
  CHECK(task.test.size() == 24);
  CHECK(at::equal(at::bincount(task.validation.labels_B), at::full({3}, 2, at::kLong)));
  std::set<int64_t> all = rows(task.train);
  all.merge(rows(task.validation));
  CHECK(all.size() == 24);  // disjoint
  all.merge(rows(task.test));
  CHECK(static_cast<int64_t>(all.size()) == task.pool.size());
  CHECK(at::equal(task.validation.pictures.all(), task.pool.at(task.validation.rows_B)));

  const TaskData again = make_task(settings, {}, made_dataset(), {normalise, 8, {}}, 0, 1);
  CHECK(again.pool_hash == task.pool_hash);
  CHECK(again.split_hash != task.split_hash);
  CHECK(make_task(settings, {}, made_dataset(), {normalise, 8, {}}, 0, 0).split_hash == task.split_hash);
}

TEST_CASE("training samples of real pictures are drawn as pretraining's views with milder crops", "[downstream]") {
  TaskSettings settings;
  settings.name = "t";
  settings.data = "made";
  settings.class_every = 4;
  augment::AugmentSettings pretraining;
  pretraining.jitter.p = 1.0;
  pretraining.crop_area = {0.05, 0.1};  // its own crops would keep little
  const data::Dataset dataset = made_dataset();
  const auto axes = augment::default_axes();
  const TaskData task = make_task(settings, axes, dataset, {pretraining, 16, {}}, 0, 0);
  REQUIRE(task.train.draw_views);
  CHECK_FALSE(task.test.draw_views);
  const int64_t sample = 3;
  // Rows of the pool are the pictures of classes 0, 4, 8 in order.
  const int64_t row = task.train.rows_B[sample].item<int64_t>();
  const data::DataSplit& split = dataset.split("train");
  const data::SampleBytes picture = split.sample(4 * 8 * (row / 8) + row % 8);
  const uint8_t* pixels = picture.get();
  augment::AugmentSettings milder = pretraining;
  milder.crop_area = {0.35, 1.0};
  const std::vector<augment::Operation> operations = augment::active_operations(axes, {1, 1});
  const std::vector<augment::ViewParameters> parameters{augment::draw(milder, operations, 16, 16, 7, 2, 3, 33)};
  const at::Tensor expected = augment::render_views({std::span(&pixels, 1), 16, 16}, parameters, 16, milder);
  CHECK(at::equal(task.train.draw_views({sample}, 7, 2, 33), expected));
  CHECK_FALSE(at::equal(task.train.draw_views({sample}, 7, 2, 32), expected));
  CHECK(at::equal(task.train.draw_views({0, sample}, 7, 2, 33)[1], expected[0]));
}

TEST_CASE("classes are renumbered in the order of the sorted list", "[downstream]") {
  TaskSettings settings;
  settings.name = "t";
  settings.data = "made";
  settings.class_every = 4;
  const augment::AugmentSettings normalise;
  const data::Dataset dataset = made_dataset();
  const TaskData task = make_task(settings, {}, dataset, {normalise, 16, {}}, 0, 0);
  CHECK(task.n_classes == 3);  // classes 0, 4, 8
  // The first test sample of the second class is the first picture of class4.
  const at::Tensor expected = render_clean(dataset.split("test"), {4 * 8}, {normalise, 16, {}});
  CHECK(task.test.labels_B[8].item<int64_t>() == 1);
  CHECK(at::equal(task.test.pictures.all()[8], expected[0]));
}

TEST_CASE("a regression task carries its targets in step with its pictures", "[downstream]") {
  TaskSettings settings;
  settings.name = "t";
  settings.kind = TaskKind::kRegression;
  settings.data = "made";
  const augment::AugmentSettings normalise;
  const data::Dataset dataset = made_dataset(2, 6);
  const TaskData task = make_task(settings, {}, dataset, {normalise, 16, {}}, 0, 0);
  CHECK(task.has_targets());
  CHECK(task.train.size() == 9);
  for (int64_t sample = 0; sample < task.train.size(); ++sample) {
    const auto picture = static_cast<int64_t>(task.train.targets_BT[sample][0].item<double>());
    CHECK(task.train.targets_BT[sample][1].item<double>() == picture * picture);
    CHECK(at::equal(task.train.pictures.all()[sample],
                    render_clean(dataset.split("train"), {picture}, {normalise, 16, {}})[0]));
  }
}

namespace {

TaskSettings settings_of(TaskKind kind) {
  TaskSettings settings;
  settings.name = "t";
  settings.kind = kind;
  settings.data = "made";
  return settings;
}

std::vector<std::string> problems_of(const TaskSettings& settings, const data::Dataset& dataset) {
  config::Problems problems;
  target_columns(settings, dataset.target_names, "tasks[0]", problems);
  check_targets(settings, dataset, "tasks[0]", problems);
  std::vector<std::string> found;
  for (const config::Problem& problem : problems.list()) found.push_back(problem.where + ": " + problem.rule);
  return found;
}

/// Every sample's targets replaced.
data::Dataset with_targets(const std::vector<std::string>& names, const std::vector<double>& targets) {
  data::Dataset dataset = made_dataset();
  dataset.target_names = names;
  for (auto& [name, split] : dataset.splits) {
    for (std::vector<double>& each : split.targets) each = targets;
  }
  return dataset;
}

}  // namespace

TEST_CASE("a task takes the targets that it names, in the data set's order", "[downstream]") {
  TaskSettings settings = settings_of(TaskKind::kRegression);
  settings.targets = {"attr_b", "box_*"};
  data::Dataset dataset = with_targets({"box_x", "attr_a", "box_y", "attr_b"}, {1, 2, 3, 4});
  const TaskData task = made_task(settings, dataset);
  CHECK(at::equal(task.test.targets_BT[5], at::tensor({1., 3., 4.}, at::kDouble)));
  settings.targets = {"attr_c"};
  CHECK(problems_of(settings, dataset).size() == 1);
}

TEST_CASE("a task that names no targets takes those of its kind, where a data set has any", "[downstream]") {
  const data::Dataset faces = with_targets(
      {"point_eye_x", "point_eye_y", "box_l", "box_t", "box_r", "box_b", "attr_hat"}, {1, 2, 3, 4, 5, 6, 1});
  const auto first_targets = [&](TaskKind kind) { return made_task(settings_of(kind), faces).test.targets_BT[0]; };
  CHECK(at::equal(first_targets(TaskKind::kBox), at::tensor({3., 4., 5., 6.}, at::kDouble)));
  CHECK(at::equal(first_targets(TaskKind::kMultiLabel), at::tensor({1.}, at::kDouble)));
  CHECK(at::equal(first_targets(TaskKind::kRegression), at::tensor({1., 2., 3., 4., 5., 6., 1.}, at::kDouble)));
  config::Problems none;
  CHECK(target_columns(settings_of(TaskKind::kKeypoints), faces.target_names, "", none) == std::vector<size_t>{0, 1});
}

TEST_CASE("what does not fit a kind's targets is found before anything is learned", "[downstream]") {
  TaskSettings box = settings_of(TaskKind::kBox);
  CHECK(problems_of(box, with_targets({"l", "t", "r", "b"}, {1, 1, 3, 4})).empty());
  CHECK(problems_of(box, with_targets({"l", "t", "r", "b"}, {1, 1, 0, 4})).size() == 1);
  CHECK(problems_of(box, with_targets({"l", "t", "r"}, {1, 1, 3})).size() == 1);

  TaskSettings many = settings_of(TaskKind::kMultiLabel);
  CHECK(problems_of(many, with_targets({"a", "b"}, {0, 1})).empty());
  CHECK(problems_of(many, with_targets({"a", "b"}, {0, 2})).size() == 1);

  TaskSettings points = settings_of(TaskKind::kKeypoints);
  points.nme_points = {0, 1};
  CHECK(problems_of(points, with_targets({"x0", "y0", "x1", "y1"}, {0, 0, 3, 4})).empty());
  CHECK(problems_of(points, with_targets({"x0", "y0", "x1", "y1"}, {3, 4, 3, 4})).size() == 1);  // a norm of 0
  CHECK(problems_of(points, with_targets({"x0", "y0", "x1"}, {0, 0, 3})).size() == 2);  // odd, and no second point
  const TaskData task = made_task(points, with_targets({"x0", "y0", "x1", "y1"}, {0, 0, 3, 4}));
  CHECK(at::equal(task.test.norm_B, at::full({80}, 5.0, at::kDouble)));
}

TEST_CASE("a multi-label task predicts attributes", "[downstream]") {
  TaskSettings settings = settings_of(TaskKind::kMultiLabel);
  const TaskData task = made_task(settings, with_targets({"a", "b"}, {0, 1}));
  CHECK(task.target_kind == TargetKind::kAttributes);
  CHECK(task.has_targets());
  CHECK((settings.resolved_metrics() == std::vector{Metric::kMap}));
}

TEST_CASE("a smaller share of train lies within a larger one, and the test set stays", "[downstream]") {
  const TaskKind kind = GENERATE(TaskKind::kRegression, TaskKind::kClassification);
  const auto make = [&](double fraction) {
    TaskSettings settings = settings_of(kind);
    settings.train_fraction = fraction;
    return made_task(settings, made_dataset(10, 20), 8, 4, 1);
  };
  const TaskData all = make(1.0), half = make(0.5), fifth = make(0.2);
  CHECK(half.train.size() == (kind == TaskKind::kRegression ? 75 : 80));  // 7.5 of 15 a class
  CHECK(fifth.train.size() == 30);
  CHECK(fifth.validation.size() == 10);
  const auto lies_within = [](const std::set<int64_t>& small, const std::set<int64_t>& large) {
    return std::includes(large.begin(), large.end(), small.begin(), small.end());
  };
  CHECK(lies_within(rows(fifth.train), rows(half.train)));
  CHECK(lies_within(rows(half.train), rows(all.train)));
  CHECK(lies_within(rows(fifth.validation), rows(half.validation)));
  CHECK(lies_within(rows(half.validation), rows(all.validation)));
  CHECK(rows(all.test) == rows(fifth.test));
  if (kind == TaskKind::kClassification)
    CHECK(at::equal(at::bincount(fifth.train.labels_B), at::full({10}, 3, at::kLong)));
}

TEST_CASE("a share of train is one of a validation split too, which readouts are refitted on", "[downstream]") {
  const data::Dataset dataset = made_dataset(10, 20);
  const auto make = [&](double fraction) {
    TaskSettings settings = settings_of(TaskKind::kRegression);
    settings.validation = "validation";
    settings.train_fraction = fraction;
    data::Dataset with_validation = made_dataset(10, 20);
    with_validation.splits.emplace("validation", dataset.split("train"));
    return made_task(settings, with_validation, 8, 4, 1);
  };
  const TaskData all = make(1.0), fifth = make(0.2);
  CHECK(all.validation.size() == all.train.size());
  CHECK(fifth.train.size() == all.train.size() / 5);
  CHECK(fifth.validation.size() == fifth.train.size());
  CHECK(fifth.test.size() == all.test.size());
}

TEST_CASE("a task's pictures are made when they are asked for, from those that are stored", "[downstream]") {
  const data::Dataset dataset = made_dataset(4, 6);
  const TaskData task = made_task(settings_of(TaskKind::kClassification), dataset);
  const data::DataSplit& test = dataset.split("test");
  const at::Tensor before = task.test.pictures.all();
  const at::Tensor some = at::tensor({5, 0, 5}, at::kLong);
  CHECK(at::equal(task.test.pictures.at(some), before.index_select(0, some)));
  CHECK(at::equal(task.test.pictures.range(3, 4), before.narrow(0, 3, 4)));
  const Pictures third = task.test.pictures.subset(some).subset(at::tensor({1, 2}, at::kLong));
  CHECK(third.size() == 2);
  CHECK(at::equal(third.all(), before.index_select(0, some.narrow(0, 1, 2))));
  // The same of pictures that are held.
  const Pictures held(before);
  CHECK(at::equal(held.subset(some).all(), before.index_select(0, some)));
  CHECK(at::equal(held.range(3, 4), before.narrow(0, 3, 4)));
  CHECK(held.subset(at::empty({0}, at::kLong)).size() == 0);
  // Nothing is kept: what lies there changes, and so does the picture.
  auto* pixels = const_cast<uint8_t*>(test.sample(0).get());
  std::fill(pixels, pixels + test.shape.bytes(), uint8_t{0});
  CHECK_FALSE(at::equal(task.test.pictures.range(0, 1), before.narrow(0, 0, 1)));
  CHECK(at::equal(task.test.pictures.range(1, 1), before.narrow(0, 1, 1)));
}

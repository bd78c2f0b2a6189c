#include <ATen/ATen.h>

#include <set>

#include "augment/named_axes.hpp"
#include "augment/render.hpp"
#include "core/errors.hpp"
#include "downstream/known_task.hpp"
#include "downstream/task.hpp"
#include "tests/downstream/made.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::downstream;

namespace {

KnownSettings known(const std::string& marks) {
  KnownSettings settings;
  settings.marks = marks;
  return settings;
}

std::vector<std::string> rules(const KnownSettings& settings, const std::vector<augment::Axis>& axes) {
  config::Problems problems;
  validate_known(settings, axes, "known", problems);
  std::vector<std::string> found;
  for (const config::Problem& problem : problems.list()) found.push_back(problem.where + ": " + problem.rule);
  return found;
}

std::set<int64_t> rows(const Samples& samples) {
  const int64_t* first = samples.rows_B.const_data_ptr<int64_t>();
  return {first, first + samples.rows_B.numel()};
}

augment::Axis axis(const std::string& name, augment::Operation operation) {
  augment::Axis made{name, {operation}, std::vector<augment::FixedSetting>(2)};
  made.fixed_settings[1].hue = 0.3;
  return made;
}

}  // namespace

TEST_CASE("a known task has pictures times fixed settings classes, as its marks say", "[downstream][known]") {
  const auto axes = augment::default_axes();
  CHECK(combinations("01", axes).size() == 4);
  CHECK(combinations("10", axes).size() == 4);
  CHECK(combinations("11", axes).size() == 1);
  CHECK(combinations("00", axes).size() == 4);  // two settings an axis
  CHECK(n_pictures(known("01"), axes) == 10);
  CHECK(n_pictures(known("11"), axes) == 40);

  const augment::AugmentSettings normalise;
  const TaskData task = make_known_task(known("01"), axes, made_dataset(), normalise, 8, 0, 0);
  CHECK(task.n_classes == 40);
  CHECK(task.pictures.size() == 10);
  CHECK(task.train.size() == 160);
  CHECK(task.validation.size() == 160);
  CHECK(task.test.size() == 480);
  CHECK(at::equal(at::bincount(task.test.labels_B), at::full({40}, 12, at::kLong)));
}

TEST_CASE("samples of a class differ where an axis is drawn and agree where all is fixed or left alone",
          "[downstream][known]") {
  const auto axes = augment::default_axes();
  const augment::AugmentSettings normalise;
  const TaskData drawn = make_known_task(known("01"), axes, made_dataset(), normalise, 8, 0, 0);
  CHECK_FALSE(at::equal(drawn.train.pictures.all()[0], drawn.train.pictures.all()[1]));
  // Marked 0 and -: nothing is drawn, so all samples of a class are one picture.
  const TaskData fixed = make_known_task(known("0-"), axes, made_dataset(), normalise, 8, 0, 0);
  REQUIRE(fixed.train.labels_B[3].item<int64_t>() == 0);
  for (int64_t sample = 1; sample < 4; ++sample)
    CHECK(at::equal(fixed.train.pictures.all()[0], fixed.train.pictures.all()[sample]));
  CHECK_FALSE(
      at::equal(fixed.train.pictures.all()[0], fixed.train.pictures.all()[4]));  // identity and flip of one picture
  CHECK(at::allclose(fixed.train.pictures.all()[0].flip({2}), fixed.train.pictures.all()[4], 1e-5, 1e-5));
}

TEST_CASE("a repeat draws other pictures; the same repeat the same", "[downstream][known]") {
  const auto axes = augment::default_axes();
  const augment::AugmentSettings normalise;
  const auto make = [&](uint64_t seed, int64_t repeat) {
    return make_known_task(known("10"), axes, made_dataset(), normalise, 8, seed, repeat);
  };
  const TaskData task = make(3, 0);
  CHECK(make(3, 0).split_hash == task.split_hash);
  CHECK(at::equal(make(3, 0).test.pictures.all(), task.test.pictures.all()));
  CHECK(make(3, 1).pictures != task.pictures);
  CHECK(make(3, 1).split_hash != task.split_hash);
  CHECK(make(4, 0).pictures != task.pictures);
}

TEST_CASE("where colour is asked for, grey pictures are left out, and too few are refused", "[downstream][known]") {
  data::ImageDataset dataset = made_dataset(4, 5);
  auto* pixels = const_cast<uint8_t*>(dataset.splits["test"].image(0).get());
  for (int64_t byte = 0; byte < 9 * 16 * 16 * 3; ++byte) pixels[byte] = uint8_t{90};  // pictures 0 to 8
  CHECK(mean_saturation(dataset.splits["test"].image(0).get(), 256) == 0.0);
  const uint8_t half_saturated[] = {200, 100, 150};
  CHECK(mean_saturation(half_saturated, 1) == Approx(0.5));
  const augment::AugmentSettings normalise;
  const TaskData task = make_known_task(known("10"), augment::default_axes(), dataset, normalise, 8, 0, 0);
  for (const std::string& name : task.pictures) CHECK_FALSE(name.starts_with("class0/"));
  KnownSettings many = known("10");
  many.classes = 60;
  CHECK_THROWS_AS(make_known_task(many, augment::default_axes(), dataset, normalise, 8, 0, 0), ConfigError);
}

TEST_CASE("marks that cannot work are refused with the reason", "[downstream][known]") {
  const auto axes = augment::default_axes();
  CHECK(rules(known("01"), axes).empty());
  CHECK(rules(known("-1"), axes).empty());
  CHECK(rules(known("00"), axes).size() == 1);   // degenerate
  CHECK(rules(known("012"), axes).size() == 1);  // wrong length
  CHECK(rules(known("0x"), axes).size() == 1);
  KnownSettings few = known("01");
  few.classes = 16;  // four pictures
  CHECK(rules(few, axes).size() == 1);
  std::vector<augment::Axis> bare = axes;
  bare[0].fixed_settings.resize(1);
  CHECK(rules(known("01"), bare).size() == 1);
  const std::vector<augment::Axis> apart{axis("jitter", augment::Operation::kColorJitter),
                                         axis("grayscale", augment::Operation::kGrayscale)};
  REQUIRE(rules(known("01"), apart).size() == 1);
  CHECK(rules(known("01"), apart)[0].find("undo one another") != std::string::npos);
  CHECK(rules(known("10"), apart).empty());
}

TEST_CASE("of K = 5 the marks that fit are taken, and those whose operations undo one another refused",
          "[downstream][known]") {
  const auto axes = augment::named_axes(augment::NamedAxes::kK5);  // crop, jitter, grayscale, blur, flip
  for (const char* marks : {"01111", "11110", "10-11", "11011", "11101", "11111", "01110", "0-1-0", "11001", "10-01"}) {
    INFO(marks);
    CHECK(rules(known(marks), axes).empty());
  }
  for (const char* marks : {"10111", "10011", "00110"}) {
    INFO(marks);
    REQUIRE(rules(known(marks), axes).size() == 1);
    CHECK(rules(known(marks), axes)[0].find("grayscale removes the hue that jitter is asked for") != std::string::npos);
  }
  CHECK(rules(known("00000"), axes).size() == 1);
  CHECK(rules(known("00-0-"), axes).size() == 1);
  CHECK(rules(known("00-00"), axes).size() == 1);
  KnownSettings many = known("00-01");  // eight combinations
  CHECK(rules(many, axes).empty());
  many.classes = 39;
  CHECK(rules(many, axes).size() == 1);
}

TEST_CASE("jitter that asks for brightness alone is not undone by grayscale", "[downstream][known]") {
  std::vector<augment::Axis> axes{axis("jitter", augment::Operation::kColorJitter),
                                  {"grayscale", {augment::Operation::kGrayscale}, {}}};
  axes[0].fixed_settings[1] = {};
  axes[0].fixed_settings[1].brightness = 0.5;
  CHECK(rules(known("01"), axes).empty());
  axes[0].fixed_settings[1].saturation = 0.5;
  CHECK(rules(known("01"), axes).size() == 1);
}

TEST_CASE("fixed settings that show a coloured picture alike are refused", "[downstream][known]") {
  std::vector<augment::Axis> axes = augment::default_axes();
  const auto second_of = [&](size_t axis, auto change) {
    std::vector<augment::Axis> changed = axes;
    changed[axis].fixed_settings.resize(2);
    changed[axis].fixed_settings[0] = changed[axis].fixed_settings[1] = {};
    change(changed[axis].fixed_settings[1]);
    return rules(known(axis == 0 ? "01" : "10"), changed);
  };
  const auto nothing = [](augment::FixedSetting&) {};
  REQUIRE(second_of(0, nothing).size() == 1);
  CHECK(second_of(0, nothing)[0].find("the numbers 0 and 1 show it alike") != std::string::npos);
  CHECK(second_of(0, [](auto& fixed) { fixed.crop = {0, 0, 1, 1}; }).size() == 1);  // the whole frame
  CHECK(second_of(0, [](auto& fixed) { fixed.flip = true; }).empty());
  CHECK(second_of(1, [](auto& fixed) { fixed.blur_sigma = 0.1; }).size() == 1);  // no blur to speak of
  CHECK(second_of(1, [](auto& fixed) { fixed.blur_sigma = 2.0; }).empty());
  CHECK(second_of(1, [](auto& fixed) { fixed.hue = 0.01; }).empty());
}

TEST_CASE("a known task of K = 5 has the classes that its marks say and draws what is marked 1",
          "[downstream][known]") {
  const auto axes = augment::named_axes(augment::NamedAxes::kK5);
  const augment::AugmentSettings normalise;
  const TaskData flips = make_known_task(known("11110"), axes, made_dataset(), normalise, 8, 0, 0);
  CHECK(flips.n_classes == 40);
  CHECK(flips.pictures.size() == 20);  // two settings: as it is, mirrored
  CHECK_FALSE(at::equal(flips.train.pictures.all()[0], flips.train.pictures.all()[1]));
  // Hue asked for, grayscale left alone: nothing of a class is ever grey.
  const TaskData hues = make_known_task(known("10-11"), axes, made_dataset(), normalise, 8, 0, 0);
  CHECK(hues.pictures.size() == 10);
  CHECK(hues.n_classes == 40);
  augment::AugmentSettings plain;
  plain.mean = {0, 0, 0};
  plain.std = {1, 1, 1};
  const TaskData coloured = make_known_task(known("10-11"), axes, made_dataset(), plain, 8, 0, 0);
  const at::Tensor range_BHW = coloured.pool.all().amax(1) - coloured.pool.all().amin(1);
  CHECK(range_BHW.amax({1, 2}).min().item<double>() > 0.05);
}

TEST_CASE("a classification task cuts a stratified validation part from train, anew in each repeat", "[downstream]") {
  TaskSettings settings;
  settings.name = "every-third";
  settings.data = "made";
  settings.class_every = 3;
  settings.class_limit = 3;
  const augment::AugmentSettings normalise;
  const TaskData task = make_task(settings, {}, made_dataset(), normalise, 8, 0, 0);
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

  const TaskData again = make_task(settings, {}, made_dataset(), normalise, 8, 0, 1);
  CHECK(again.pool_hash == task.pool_hash);
  CHECK(again.split_hash != task.split_hash);
  CHECK(make_task(settings, {}, made_dataset(), normalise, 8, 0, 0).split_hash == task.split_hash);
}

TEST_CASE("training samples of real pictures are drawn as pretraining's views with milder crops", "[downstream]") {
  TaskSettings settings;
  settings.name = "t";
  settings.data = "made";
  settings.class_every = 4;
  augment::AugmentSettings pretraining;
  pretraining.jitter.p = 1.0;
  pretraining.crop_area = {0.05, 0.1};  // its own crops would keep little
  const data::ImageDataset dataset = made_dataset();
  const auto axes = augment::default_axes();
  const TaskData task = make_task(settings, axes, dataset, pretraining, 16, 0, 0);
  REQUIRE(task.train.draw_views);
  CHECK_FALSE(task.test.draw_views);
  const int64_t sample = 3;
  // Rows of the pool are the pictures of classes 0, 4, 8 in order.
  const int64_t row = task.train.rows_B[sample].item<int64_t>();
  const data::ImageSplit& split = dataset.split("train");
  const data::PicturePixels picture = split.image(4 * 8 * (row / 8) + row % 8);
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
  const data::ImageDataset dataset = made_dataset();
  const TaskData task = make_task(settings, {}, dataset, normalise, 16, 0, 0);
  CHECK(task.n_classes == 3);  // classes 0, 4, 8
  // The first test sample of the second class is the first picture of class4.
  const at::Tensor expected = render_clean(dataset.split("test"), {4 * 8}, normalise, 16);
  CHECK(task.test.labels_B[8].item<int64_t>() == 1);
  CHECK(at::equal(task.test.pictures.all()[8], expected[0]));
}

TEST_CASE("a regression task carries its targets in step with its pictures", "[downstream]") {
  TaskSettings settings;
  settings.name = "t";
  settings.kind = TaskKind::kRegression;
  settings.data = "made";
  const augment::AugmentSettings normalise;
  const data::ImageDataset dataset = made_dataset(2, 6);
  const TaskData task = make_task(settings, {}, dataset, normalise, 16, 0, 0);
  CHECK(task.has_targets());
  CHECK(task.train.size() == 9);
  for (int64_t sample = 0; sample < task.train.size(); ++sample) {
    const auto picture = static_cast<int64_t>(task.train.targets_BT[sample][0].item<double>());
    CHECK(task.train.targets_BT[sample][1].item<double>() == picture * picture);
    CHECK(at::equal(task.train.pictures.all()[sample],
                    render_clean(dataset.split("train"), {picture}, normalise, 16)[0]));
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

std::vector<std::string> problems_of(const TaskSettings& settings, const data::ImageDataset& dataset) {
  config::Problems problems;
  target_columns(settings, dataset.target_names, "tasks[0]", problems);
  check_targets(settings, dataset, "tasks[0]", problems);
  std::vector<std::string> found;
  for (const config::Problem& problem : problems.list()) found.push_back(problem.where + ": " + problem.rule);
  return found;
}

/// Every sample's targets replaced.
data::ImageDataset with_targets(const std::vector<std::string>& names, const std::vector<double>& targets) {
  data::ImageDataset dataset = made_dataset();
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
  data::ImageDataset dataset = with_targets({"box_x", "attr_a", "box_y", "attr_b"}, {1, 2, 3, 4});
  const TaskData task = made_task(settings, dataset);
  CHECK(at::equal(task.test.targets_BT[5], at::tensor({1., 3., 4.}, at::kDouble)));
  settings.targets = {"attr_c"};
  CHECK(problems_of(settings, dataset).size() == 1);
}

TEST_CASE("a task that names no targets takes those of its kind, where a data set has any", "[downstream]") {
  const data::ImageDataset faces = with_targets(
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
  const data::ImageDataset dataset = made_dataset(10, 20);
  const auto make = [&](double fraction) {
    TaskSettings settings = settings_of(TaskKind::kRegression);
    settings.validation = "validation";
    settings.train_fraction = fraction;
    data::ImageDataset with_validation = made_dataset(10, 20);
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
  const data::ImageDataset dataset = made_dataset(4, 6);
  const TaskData task = made_task(settings_of(TaskKind::kClassification), dataset);
  const data::ImageSplit& test = dataset.split("test");
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
  auto* pixels = const_cast<uint8_t*>(test.image(0).get());
  std::fill(pixels, pixels + test.height * test.width * 3, uint8_t{0});
  CHECK_FALSE(at::equal(task.test.pictures.range(0, 1), before.narrow(0, 0, 1)));
  CHECK(at::equal(task.test.pictures.range(1, 1), before.narrow(0, 1, 1)));
}

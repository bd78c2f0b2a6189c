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
  validate_known(settings, axes, augment::ViewSettings(), {}, "known", problems);
  std::vector<std::string> found;
  for (const config::Problem& problem : problems.list()) found.push_back(problem.where + ": " + problem.rule);
  return found;
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
  const TaskData task = make_known_task(known("01"), axes, made_dataset(), {normalise, 8, {}}, 0, 0);
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
  const TaskData drawn = make_known_task(known("01"), axes, made_dataset(), {normalise, 8, {}}, 0, 0);
  CHECK_FALSE(at::equal(drawn.train.pictures.all()[0], drawn.train.pictures.all()[1]));
  // Marked 0 and -: nothing is drawn, so all samples of a class are one picture.
  const TaskData fixed = make_known_task(known("0-"), axes, made_dataset(), {normalise, 8, {}}, 0, 0);
  REQUIRE(fixed.train.labels_B[3].item<int64_t>() == 0);
  for (int64_t sample = 1; sample < 4; ++sample)
    CHECK(at::equal(fixed.train.pictures.all()[0], fixed.train.pictures.all()[sample]));
  CHECK_FALSE(
      at::equal(fixed.train.pictures.all()[0], fixed.train.pictures.all()[4]));  // identity and flip of one picture
  CHECK(at::allclose(fixed.train.pictures.all()[0].flip({2}), fixed.train.pictures.all()[4], 1e-5, 1e-5));
}

TEST_CASE("a repeat draws other pictures, and the same repeat the same", "[downstream][known]") {
  const auto axes = augment::default_axes();
  const augment::AugmentSettings normalise;
  const auto make = [&](uint64_t seed, int64_t repeat) {
    return make_known_task(known("10"), axes, made_dataset(), {normalise, 8, {}}, seed, repeat);
  };
  const TaskData task = make(3, 0);
  CHECK(make(3, 0).split_hash == task.split_hash);
  CHECK(at::equal(make(3, 0).test.pictures.all(), task.test.pictures.all()));
  CHECK(make(3, 1).pictures != task.pictures);
  CHECK(make(3, 1).split_hash != task.split_hash);
  CHECK(make(4, 0).pictures != task.pictures);
}

TEST_CASE("where colour is asked for, grey pictures are left out, and too few are refused", "[downstream][known]") {
  data::Dataset dataset = made_dataset(4, 5);
  auto* pixels = const_cast<uint8_t*>(dataset.splits["test"].sample(0).get());
  for (int64_t byte = 0; byte < 9 * 16 * 16 * 3; ++byte) pixels[byte] = uint8_t{90};  // pictures 0 to 8
  CHECK(mean_saturation(dataset.splits["test"].sample(0).get(), 256) == 0.0);
  const uint8_t half_saturated[] = {200, 100, 150};
  CHECK(mean_saturation(half_saturated, 1) == Approx(0.5));
  const augment::AugmentSettings normalise;
  const TaskData task = make_known_task(known("10"), augment::default_axes(), dataset, {normalise, 8, {}}, 0, 0);
  for (const std::string& name : task.pictures) CHECK_FALSE(name.starts_with("class0/"));
  KnownSettings many = known("10");
  many.classes = 60;
  CHECK_THROWS_AS(make_known_task(many, augment::default_axes(), dataset, {normalise, 8, {}}, 0, 0), ConfigError);
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
  const TaskData flips = make_known_task(known("11110"), axes, made_dataset(), {normalise, 8, {}}, 0, 0);
  CHECK(flips.n_classes == 40);
  CHECK(flips.pictures.size() == 20);  // two settings: as it is, mirrored
  CHECK_FALSE(at::equal(flips.train.pictures.all()[0], flips.train.pictures.all()[1]));
  // Hue asked for, grayscale left alone: nothing of a class is ever grey.
  const TaskData hues = make_known_task(known("10-11"), axes, made_dataset(), {normalise, 8, {}}, 0, 0);
  CHECK(hues.pictures.size() == 10);
  CHECK(hues.n_classes == 40);
  augment::AugmentSettings plain;
  plain.mean = {0, 0, 0};
  plain.std = {1, 1, 1};
  const TaskData coloured = make_known_task(known("10-11"), axes, made_dataset(), {plain, 8, {}}, 0, 0);
  const at::Tensor range_BHW = coloured.pool.all().amax(1) - coloured.pool.all().amin(1);
  CHECK(range_BHW.amax({1, 2}).min().item<double>() > 0.05);
}

// Settings and axes: what parses, what is refused, and where the message points.
#include <boost/json.hpp>

#include "augment/axes.hpp"
#include "augment/named_axes.hpp"
#include "augment/settings.hpp"
#include "core/errors.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::augment;

namespace {

template <class T>
std::vector<std::string> places_of_problems(const std::string& text) {
  config::Problems problems;
  config::parse<T>(boost::json::parse(text), "a", problems);
  std::vector<std::string> places;
  for (const auto& problem : problems.list()) places.push_back(problem.where);
  return places;
}

std::vector<std::string> places_of_problems(const std::vector<Axis>& axes) {
  config::Problems problems;
  validate_axes(axes, "axes", problems);
  std::vector<std::string> places;
  for (const auto& problem : problems.list()) places.push_back(problem.where);
  return places;
}

using Places = std::vector<std::string>;

}  // namespace

TEST_CASE("every setting survives being written and read", "[augment]") {
  AugmentSettings settings;
  settings.crop_area = {0.35, 0.9};
  settings.whole_image = WholeImage::kCentreCrop;
  settings.blur.kernel = 5;
  settings.jitter.hue = 0.1;
  config::Problems problems;
  const boost::json::value written = config::write(settings);
  const auto back = config::parse<AugmentSettings>(written, "", problems);
  CHECK(problems.to_string().empty());
  CHECK(config::write(back) == written);
  CHECK(written.at("whole_image") == "centre-crop");

  const boost::json::value axes = config::write(default_axes());
  const auto axes_back = config::parse<std::vector<Axis>>(axes, "", problems);
  CHECK(problems.to_string().empty());
  CHECK(config::write(axes_back) == axes);
}

TEST_CASE("settings that make no sense are refused at their place", "[augment]") {
  CHECK(places_of_problems<AugmentSettings>("{}").empty());
  CHECK(places_of_problems<AugmentSettings>(R"({"crop_area": [0.5, 0.2]})") == Places{"a.crop_area"});
  CHECK(places_of_problems<AugmentSettings>(R"({"crop_area": [0.5]})") == Places{"a.crop_area"});
  CHECK(places_of_problems<AugmentSettings>(R"({"crop_area": [0, 1]})") == Places{"a.crop_area[0]"});
  CHECK(places_of_problems<AugmentSettings>(R"({"crop_ratio": [2, 1]})") == Places{"a.crop_ratio"});
  CHECK(places_of_problems<AugmentSettings>(R"({"flip_p": 1.5})") == Places{"a.flip_p"});
  CHECK(places_of_problems<AugmentSettings>(R"({"jitter": {"hue": 0.6}})") == Places{"a.jitter.hue"});
  CHECK(places_of_problems<AugmentSettings>(R"({"blur": {"kernel": 4}})") == Places{"a.blur.kernel"});
  CHECK(places_of_problems<AugmentSettings>(R"({"blur": {"sigma": [2, 1]}})") == Places{"a.blur.sigma"});
  CHECK(places_of_problems<AugmentSettings>(R"({"mean": [0.5, 0.5]})") == Places{"a.mean"});
  CHECK(places_of_problems<AugmentSettings>(R"({"std": [1, 1, 0]})") == Places{"a.std[2]"});
  CHECK(places_of_problems<AugmentSettings>(R"({"whole_image": "stretch"})") == Places{"a.whole_image"});
  CHECK(places_of_problems<AugmentSettings>(R"({"solarise": {}})") == Places{"a.solarise"});
}

TEST_CASE("an axis names its operations once and fixes no others", "[augment]") {
  CHECK(
      places_of_problems<Axis>(R"({"name": "colour", "operations": ["jitter"], "fixed_settings": [{}, {"hue": 0.2}]})")
          .empty());
  CHECK(places_of_problems<Axis>(R"({"name": "colour", "operations": []})") == Places{"a.operations"});
  CHECK(places_of_problems<Axis>(R"({"name": "colour", "operations": ["jitter", "jitter"]})") ==
        Places{"a.operations[1]"});
  CHECK(places_of_problems<Axis>(R"({"name": "colour", "operations": ["jiter"]})") == Places{"a.operations[0]"});
  CHECK(places_of_problems<Axis>(R"({"name": "c", "operations": ["jitter"], "fixed_settings": [{"flip": true}]})") ==
        Places{"a.fixed_settings[0]"});
  CHECK(places_of_problems<Axis>(
            R"({"name": "c", "operations": ["crop"], "fixed_settings": [{"crop": [0.5, 0, 0.6, 1]}]})") ==
        Places{"a.fixed_settings[0].crop"});
  CHECK(places_of_problems<Axis>(
            R"({"name": "c", "operations": ["crop"], "fixed_settings": [{"crop": [0, 0, 0, 1]}]})") ==
        Places{"a.fixed_settings[0].crop"});
}

TEST_CASE("axes share neither names nor operations", "[augment]") {
  CHECK(places_of_problems(default_axes()).empty());
  CHECK(places_of_problems(std::vector<Axis>{}) == Places{"axes"});
  CHECK(places_of_problems({{"a", {Operation::kCrop}, {}}, {"a", {Operation::kFlip}, {}}}) == Places{"axes[1].name"});
  CHECK(places_of_problems({{"a", {Operation::kCrop}, {}}, {"b", {Operation::kFlip, Operation::kCrop}, {}}}) ==
        Places{"axes[1].operations"});
}

TEST_CASE("a corner switches on the operations of its axes", "[augment]") {
  const auto axes = default_axes();
  CHECK((active_operations(axes, {1, 0}) == std::vector{Operation::kCrop, Operation::kFlip}));
  CHECK((active_operations(axes, {0, 1}) ==
         std::vector{Operation::kColorJitter, Operation::kGrayscale, Operation::kBlur, Operation::kSolarize}));
  CHECK(active_operations(axes, {1, 1}).size() == 6);
  CHECK(active_operations(axes, {0, 0}).empty());
  CHECK_THROWS_AS(active_operations(axes, {0.5, 1}), PreconditionError);
  CHECK_THROWS_AS(active_operations(axes, {1}), PreconditionError);
}

TEST_CASE("the default axes fix four places and four hues", "[augment]") {
  const auto axes = default_axes();
  REQUIRE(axes.size() == 2);
  CHECK(axes[0].fixed_settings.size() == 4);
  CHECK(axes[1].fixed_settings.size() == 4);
  CHECK(axes[0].fixed_settings[0].operations().empty());
  CHECK(*axes[0].fixed_settings[3].crop == std::vector<double>{0.3125, 0.3125, 0.6875, 0.6875});
  CHECK(axes[1].fixed_settings[3].hue == 0.36);
}

namespace {

AugmentSettings read_augment(const std::string& text) {
  config::Problems problems;
  const auto settings = config::parse<AugmentSettings>(boost::json::parse(text), "", problems);
  CHECK(problems.to_string().empty());
  return settings;
}

}  // namespace

TEST_CASE("a preset gives what a suite leaves open, and the suite's own values win", "[augment]") {
  const AugmentSettings mixed = read_augment(R"({"jitter": {"hue": 0.3}, "preset": "moco-v2", "grayscale_p": 0.5})");
  CHECK(mixed.crop_area == std::vector<double>{0.2, 1.0});
  CHECK(mixed.jitter.brightness == 0.4);
  CHECK(mixed.jitter.hue == 0.3);
  CHECK(mixed.grayscale_p == 0.5);
  CHECK(mixed.blur.sigma == std::vector<double>{0.1, 2.0});
  CHECK(mixed.solarize.p == 0.0);

  // The record names the preset, and read back it is the same.
  const boost::json::value record = config::write(mixed);
  CHECK(record.at("preset") == "moco-v2");
  CHECK(config::write(read_augment(boost::json::serialize(record))) == record);

  const boost::json::value small = config::write(read_augment(R"({"preset": "small"})"));
  CHECK(small == config::write(AugmentSettings()));
  CHECK(places_of_problems<AugmentSettings>(R"({"preset": "moco"})") == Places{"a.preset"});
  CHECK(places_of_problems<AugmentSettings>(R"({"preset": 3})") == Places{"a.preset"});
}

TEST_CASE("every preset is sound, carries its name and shows the centre of what is not cropped at 224 pixels",
          "[augment]") {
  for (const auto& [preset, name] : config::EnumNames<AugmentPreset>::kNames) {
    INFO(name);
    const AugmentSettings settings = preset_settings(preset);
    CHECK(config::name_of(settings.preset) == name);
    config::Problems problems;
    settings.validate("", problems);
    CHECK(problems.to_string().empty());
    CHECK((settings.whole_image == WholeImage::kCentreCrop) == (preset != AugmentPreset::kSmall));
    if (preset != AugmentPreset::kSmall) CHECK(blur_kernel(settings.blur, 224) == 23);
  }
}

// arXiv:2002.05709 (App. A, and the authors' pretraining at strength 1), arXiv:2003.04297, arXiv:2006.07733 (App. B).
TEST_CASE("presets have the published strengths", "[augment]") {
  struct Published {
    AugmentPreset preset;
    std::vector<double> crop_area;
    std::vector<double> jitter;  // brightness, contrast, saturation, hue
    Probabilities first, second;
  };
  const std::vector<Published> all{
      {AugmentPreset::kSimclr, {0.08, 1}, {0.8, 0.8, 0.8, 0.2}, {0.5, 0.8, 0.2, 0.5, 0}, {0.5, 0.8, 0.2, 0.5, 0}},
      {AugmentPreset::kMocoV2, {0.2, 1}, {0.4, 0.4, 0.4, 0.1}, {0.5, 0.8, 0.2, 0.5, 0}, {0.5, 0.8, 0.2, 0.5, 0}},
      {AugmentPreset::kByol, {0.08, 1}, {0.4, 0.4, 0.2, 0.1}, {0.5, 0.8, 0.2, 1, 0}, {0.5, 0.8, 0.2, 0.1, 0.2}},
      {AugmentPreset::kSmall, {0.2, 1}, {0.4, 0.4, 0.4, 0.15}, {0.5, 0.8, 0.2, 0.3, 0.1}, {0.5, 0.8, 0.2, 0.3, 0.1}},
  };
  for (const Published& published : all) {
    INFO(config::name_of(published.preset));
    const AugmentSettings found = preset_settings(published.preset);
    CHECK(found.crop_area == published.crop_area);
    CHECK(found.crop_ratio == std::vector<double>{3.0 / 4.0, 4.0 / 3.0});
    CHECK(std::vector<double>{found.jitter.brightness, found.jitter.contrast, found.jitter.saturation,
                              found.jitter.hue} == published.jitter);
    for (uint32_t view : {0u, 1u}) {
      const Probabilities p = found.probabilities(view), wanted = view == 0 ? published.first : published.second;
      CHECK(std::vector<double>{p.flip, p.jitter, p.grayscale, p.blur, p.solarize} ==
            std::vector<double>{wanted.flip, wanted.jitter, wanted.grayscale, wanted.blur, wanted.solarize});
    }
    CHECK(found.blur.sigma ==
          (published.preset == AugmentPreset::kSmall ? std::vector<double>{0.1, 1.2} : std::vector<double>{0.1, 2.0}));
  }
}

TEST_CASE("the paper's two presets differ in how often views are solarized", "[augment]") {
  const AugmentSettings older = preset_settings(AugmentPreset::kPaper2022);
  AugmentSettings newer = preset_settings(AugmentPreset::kPaper2023);
  CHECK(older.jitter.saturation == 0.2);
  CHECK(older.crop_area == std::vector<double>{0.08, 1.0});
  CHECK(older.solarize.p == 0.0);
  CHECK(newer.solarize.p == 0.5);
  newer.solarize.p = 0.0;
  newer.preset = older.preset;
  CHECK(config::write(newer) == config::write(older));
}

TEST_CASE("K = 5 gives every operation but solarization an axis of its own, with two settings or more", "[augment]") {
  const auto axes = named_axes(NamedAxes::kK5);
  REQUIRE(axes.size() == 5);
  CHECK(places_of_problems(axes).empty());
  const std::vector<Operation> order{Operation::kCrop, Operation::kColorJitter, Operation::kGrayscale, Operation::kBlur,
                                     Operation::kFlip};
  for (size_t n = 0; n < axes.size(); ++n) {
    CHECK((axes[n].operations == std::vector{order[n]}));
    CHECK(axes[n].fixed_settings.size() >= 2);
    CHECK(axes[n].fixed_settings[0].operations().empty());
    config::Problems problems;
    axes[n].validate("", problems);
    CHECK(problems.to_string().empty());
  }
  CHECK(config::write(named_axes(NamedAxes::kK2)) == config::write(default_axes()));
}

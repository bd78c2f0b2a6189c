// The draws: their distributions, their independence of one another, and fixed settings.
#include <cmath>
#include <map>
#include <set>

#include "augment/view_parameters.hpp"
#include "core/errors.hpp"
#include "tests/augment/pictures.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::augment;

namespace {

const AugmentSettings kDefaults;

constexpr uint64_t kDraws = 20000;

ViewParameters draw_one(const std::vector<Operation>& active, uint64_t sample,
                        const AugmentSettings& settings = kDefaults) {
  return draw(settings, active, 64, 64, 5, 3, sample, 0);
}

/// Whether a count agrees with a binomial of kDraws at p within five standard deviations.
bool is_binomial(int64_t count, double p) {
  const double n = static_cast<double>(kDraws);
  return std::abs(static_cast<double>(count) - n * p) <= 5.0 * std::sqrt(n * p * (1.0 - p));
}

bool has_jitter(const ViewParameters& p) {
  return p.brightness != 1.0 || p.contrast != 1.0 || p.saturation != 1.0 || p.hue != 0.0;
}

}  // namespace

TEST_CASE("each operation happens as often as its probability says", "[augment]") {
  std::map<std::string, int64_t> counts;
  for (uint64_t sample = 0; sample < kDraws; ++sample) {
    const ViewParameters p = draw_one(all_operations(), sample);
    counts["flip"] += p.flip;
    counts["jitter"] += has_jitter(p);
    counts["grayscale"] += p.grayscale;
    counts["blur"] += p.blur_sigma != 0.0;
    counts["solarize"] += p.solarize;
    counts["both"] += p.flip && p.grayscale;
  }
  CHECK(is_binomial(counts["flip"], 0.5));
  CHECK(is_binomial(counts["jitter"], 0.8));
  CHECK(is_binomial(counts["grayscale"], 0.2));
  CHECK(is_binomial(counts["blur"], 0.3));
  CHECK(is_binomial(counts["solarize"], 0.1));
  CHECK(is_binomial(counts["both"], 0.5 * 0.2));  // operations are independent of one another
}

TEST_CASE("crops lie inside the image and their area and ratio are those asked for", "[augment]") {
  double area_sum = 0.0;
  int64_t wide = 0;
  bool touches_bottom = false;
  bool touches_right = false;
  for (uint64_t sample = 0; sample < kDraws; ++sample) {
    const Box box = draw_one({Operation::kCrop}, sample).box;
    REQUIRE((box.top >= 0 && box.left >= 0 && box.top + box.height <= 64 && box.left + box.width <= 64));
    const double area = static_cast<double>(box.height * box.width) / (64.0 * 64.0);
    const double ratio = static_cast<double>(box.width) / static_cast<double>(box.height);
    REQUIRE(area > 0.2 - 0.02);  // sides are rounded to whole pixels
    REQUIRE(area <= 1.0);
    REQUIRE((ratio > 0.75 - 0.03 && ratio < 4.0 / 3.0 + 0.06));
    area_sum += area;
    wide += box.width > box.height;
    touches_bottom |= box.top > 0 && box.top + box.height == 64;
    touches_right |= box.left > 0 && box.left + box.width == 64;
  }
  // Tries that do not fit are drawn again, which thins out the largest areas: the mean lies below that of U(0.2, 1).
  CHECK(area_sum / kDraws > 0.53);
  CHECK(area_sum / kDraws < 0.60);
  CHECK(static_cast<double>(wide) / kDraws ==
        Approx(0.5).margin(0.04));  // log-uniform: wide as often as high (equal sides apart)
  CHECK(touches_bottom);
  CHECK(touches_right);
}

TEST_CASE("a crop that never fits becomes torchvision's central crop", "[augment]") {
  AugmentSettings settings;
  settings.crop_area = {1.0, 1.0};
  const std::vector<Operation> crop{Operation::kCrop};
  CHECK(draw(settings, crop, 10, 100, 1, 1, 1, 0).box == Box{0, 43, 10, 13});  // round(10 * 4/3) = 13, (100 - 13) / 2
  CHECK(draw(settings, crop, 100, 10, 1, 1, 1, 0).box == Box{43, 0, 13, 10});  // round(10 / (3/4)) = 13
  settings.crop_ratio = {1.9, 2.0};
  CHECK(draw(settings, crop, 8, 4, 1, 1, 1, 0).box == Box{3, 0, 2, 4});  // round(4 / 1.9) = 2
  CHECK(draw(kDefaults, crop, 1, 1, 1, 1, 1, 0).box == Box{0, 0, 1, 1});
}

TEST_CASE("jitter comes in all 24 orders, equally often, and its factors fill their ranges", "[augment]") {
  std::map<std::array<JitterStep, 4>, int64_t> orders;
  double low = 10, high = 0, hue_low = 1, hue_high = -1, brightness_sum = 0;
  int64_t jittered = 0;
  for (uint64_t sample = 0; sample < kDraws; ++sample) {
    const ViewParameters p = draw_one({Operation::kColorJitter}, sample);
    if (!has_jitter(p)) continue;
    ++jittered;
    ++orders[p.jitter_order];
    for (const double factor : {p.brightness, p.contrast, p.saturation}) {
      low = std::min(low, factor);
      high = std::max(high, factor);
    }
    hue_low = std::min(hue_low, p.hue);
    hue_high = std::max(hue_high, p.hue);
    brightness_sum += p.brightness;
  }
  REQUIRE(orders.size() == 24);
  for (const auto& [order, count] : orders) CHECK(is_binomial(count, 0.8 / 24));
  CHECK(low == Approx(0.6).margin(0.001));
  CHECK(low >= 0.6);
  CHECK(high == Approx(1.4).margin(0.001));
  CHECK(high <= 1.4);
  CHECK(hue_low == Approx(-0.15).margin(0.001));
  CHECK(hue_high == Approx(0.15).margin(0.001));
  CHECK(brightness_sum / static_cast<double>(jittered) == Approx(1.0).margin(0.01));
}

TEST_CASE("switching operations off leaves the draws of the others as they were", "[augment][property]") {
  for (uint64_t sample = 0; sample < 200; ++sample) {
    const ViewParameters all = draw_one(all_operations(), sample);
    const ViewParameters spatial = draw_one({Operation::kCrop, Operation::kFlip}, sample);
    const ViewParameters appearance =
        draw_one({Operation::kColorJitter, Operation::kGrayscale, Operation::kBlur, Operation::kSolarize}, sample);
    ViewParameters joined = appearance;
    joined.box = spatial.box;
    joined.flip = spatial.flip;
    REQUIRE(joined == all);
    REQUIRE_FALSE(has_jitter(spatial));
    REQUIRE(appearance.box == Box{0, 0, 64, 64});
    std::vector<Operation> backwards = all_operations();
    std::reverse(backwards.begin(), backwards.end());
    REQUIRE(draw_one(backwards, sample) == all);
  }
}

TEST_CASE("draws change with view, sample, epoch and seed", "[augment]") {
  const auto active = all_operations();
  const ViewParameters one = draw(kDefaults, active, 64, 64, 1, 1, 1, 0);
  CHECK(draw(kDefaults, active, 64, 64, 1, 1, 1, 0) == one);
  CHECK_FALSE(draw(kDefaults, active, 64, 64, 1, 1, 1, 1) == one);
  CHECK_FALSE(draw(kDefaults, active, 64, 64, 1, 1, 2, 0) == one);
  CHECK_FALSE(draw(kDefaults, active, 64, 64, 1, 2, 1, 0) == one);
  CHECK_FALSE(draw(kDefaults, active, 64, 64, 2, 1, 1, 0) == one);
}

TEST_CASE("without crop the whole image is shown as the settings say", "[augment]") {
  AugmentSettings settings;
  CHECK(draw_one({}, 0, settings) == whole_frame(64, 64));
  settings.whole_image = WholeImage::kCentreCrop;
  CHECK(draw_one({Operation::kFlip}, 0, settings).framing == WholeImage::kCentreCrop);
  CHECK(draw_one({Operation::kCrop}, 0, settings).framing == WholeImage::kWholeFrame);
}

TEST_CASE("a fixed setting alters what it names and nothing else", "[augment]") {
  const ViewParameters drawn = draw_one(all_operations(), 3);
  ViewParameters p = drawn;
  apply(FixedSetting{}, 64, 64, p);
  CHECK(p == drawn);

  FixedSetting fixed;
  fixed.crop = std::vector<double>{20.0 / 64, 0.0, 44.0 / 64, 0.5};
  fixed.flip = fixed.grayscale = fixed.solarize = true;
  fixed.hue = 0.24;
  fixed.brightness = 0.5;
  fixed.contrast = 1.5;
  fixed.saturation = 2.0;
  fixed.blur_sigma = 0.7;
  p = whole_frame(64, 128);
  p.framing = WholeImage::kCentreCrop;
  apply(fixed, 64, 128, p);
  ViewParameters expected;
  expected.box = {20, 0, 44, 64};
  expected.flip = expected.grayscale = expected.solarize = true;
  expected.hue = 0.24;
  expected.brightness = 0.5;
  expected.contrast = 1.5;
  expected.saturation = 2.0;
  expected.blur_sigma = 0.7;
  CHECK(p == expected);
}

TEST_CASE("a fixed crop keeps at least a pixel and stays inside the smallest image", "[augment]") {
  FixedSetting fixed;
  fixed.crop = std::vector<double>{0.9, 0.9, 0.1, 0.1};
  ViewParameters p = whole_frame(3, 2);
  apply(fixed, 3, 2, p);
  CHECK(p.box == Box{2, 1, 1, 1});
}

TEST_CASE("the second view of a pair is drawn with probabilities of its own", "[augment]") {
  const AugmentSettings byol = preset_settings(AugmentPreset::kByol);
  for (const uint32_t view : {0u, 1u, 2u}) {
    int64_t n_blurred = 0;
    int64_t n_solarized = 0;
    int64_t n_gray = 0;
    for (uint64_t sample = 0; sample < kDraws; ++sample) {
      const ViewParameters p = draw(byol, all_operations(), 64, 64, 5, 3, sample, view);
      n_blurred += p.blur_sigma != 0.0 ? 1 : 0;
      n_solarized += p.solarize;
      n_gray += p.grayscale;
    }
    INFO("view " << view);
    CHECK(is_binomial(n_blurred, view == 1 ? 0.1 : 1.0));
    CHECK(is_binomial(n_solarized, view == 1 ? 0.2 : 0.0));
    CHECK(is_binomial(n_gray, 0.2));
  }
}

TEST_CASE("each probability of the second view can be set alone", "[augment]") {
  AugmentSettings settings;
  settings.second_view = {.flip_p = 1.0, .jitter_p = 0.0, .grayscale_p = 1.0, .blur_p = 1.0, .solarize_p = 1.0};
  const ViewParameters second = draw(settings, all_operations(), 64, 64, 5, 3, 7, 1);
  CHECK(second.flip);
  CHECK_FALSE(has_jitter(second));
  CHECK(second.grayscale);
  CHECK(second.blur_sigma != 0.0);
  CHECK(second.solarize);
  settings.flip_p = settings.grayscale_p = settings.blur.p = settings.solarize.p = settings.jitter.p = 0.0;
  const ViewParameters first = draw(settings, all_operations(), 64, 64, 5, 3, 7, 0);
  CHECK_FALSE((first.flip || has_jitter(first) || first.grayscale || first.blur_sigma != 0.0 || first.solarize));
}

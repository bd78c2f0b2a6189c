#include "augment/settings.hpp"

#include <algorithm>

namespace invaria::augment {
namespace {

void expect_range(const std::vector<double>& range, const std::string& path, config::Problems& problems) {
  if (range.size() != 2) {
    problems.add(path, config::excerpt(config::write(range)), "two numbers, [low, high]");
  } else if (range[0] > range[1]) {
    problems.add(path, config::excerpt(config::write(range)), "low <= high", "exchange the two numbers");
  }
}

void expect_channels(const std::vector<double>& values, const std::string& path, config::Problems& problems) {
  if (values.size() != 3) problems.add(path, config::excerpt(config::write(values)), "three numbers: red, green, blue");
}

}  // namespace

void BlurSettings::validate(const std::string& path, config::Problems& problems) const {
  expect_range(sigma, config::join_path(path, "sigma"), problems);
  if (kernel != 0 && kernel % 2 == 0) {
    problems.add(config::join_path(path, "kernel"), std::to_string(kernel), "an odd number, or 0");
  }
}

void AugmentSettings::start_from(const config::json::object& given) {
  const config::json::value* name = given.if_contains("preset");
  if (name == nullptr) return;
  config::Problems unknown;  // is reported when the setting itself is read
  const auto named = config::parse<AugmentPreset>(*name, "preset", unknown);
  if (unknown.empty()) *this = preset_settings(named);
}

void AugmentSettings::validate(const std::string& path, config::Problems& problems) const {
  expect_range(crop_area, config::join_path(path, "crop_area"), problems);
  expect_range(crop_ratio, config::join_path(path, "crop_ratio"), problems);
  expect_channels(mean, config::join_path(path, "mean"), problems);
  expect_channels(std, config::join_path(path, "std"), problems);
}

Probabilities AugmentSettings::probabilities(uint32_t view) const {
  const Probabilities first{flip_p, jitter.p, grayscale_p, blur.p, solarize.p};
  if (view != 1) return first;
  return {second_view.flip_p.value_or(first.flip), second_view.jitter_p.value_or(first.jitter),
          second_view.grayscale_p.value_or(first.grayscale), second_view.blur_p.value_or(first.blur),
          second_view.solarize_p.value_or(first.solarize)};
}

AugmentSettings preset_settings(AugmentPreset preset) {
  if (preset == AugmentPreset::kSmall) return {};
  // What the published ones share: ratio, flips, jitter of 80 %, gray of 20 %, blurs of 0.1 to 2 pixels at 224.
  AugmentSettings s;
  s.preset = preset;
  s.crop_area = {0.08, 1.0};
  s.jitter = {.brightness = 0.4, .contrast = 0.4, .saturation = 0.4, .hue = 0.1, .p = 0.8};
  s.blur = {.p = 0.5, .sigma = {0.1, 2.0}, .kernel = 0};
  s.solarize.p = 0.0;
  s.whole_image = WholeImage::kCentreCrop;
  switch (preset) {
    case AugmentPreset::kSmall:
      break;
    case AugmentPreset::kPaper2022:
      s.jitter.saturation = 0.2;
      break;
    case AugmentPreset::kPaper2023:
      s.jitter.saturation = 0.2;
      s.solarize.p = 0.5;
      break;
    case AugmentPreset::kSimclr:
      s.jitter = {.brightness = 0.8, .contrast = 0.8, .saturation = 0.8, .hue = 0.2, .p = 0.8};
      break;
    case AugmentPreset::kMocoV2:
      s.crop_area = {0.2, 1.0};
      break;
    case AugmentPreset::kByol:
      s.jitter.saturation = 0.2;
      s.blur.p = 1.0;
      s.second_view.blur_p = 0.1;
      s.second_view.solarize_p = 0.2;
      break;
  }
  return s;
}

int64_t blur_kernel(const BlurSettings& settings, int64_t view_size) {
  if (settings.kernel != 0) return settings.kernel;
  return std::max<int64_t>(2 * (view_size / 20) + 1, 3);
}

}  // namespace invaria::augment

#pragma once
/// @file
/// How strongly views are altered: the distributions that draw() takes its parameters from. The defaults are setting A:
/// 32-pixel views.

#include <cstdint>
#include <vector>

#include "config/setting.hpp"

namespace invaria::augment {

/// How an image becomes a view while nothing crops it.
enum class WholeImage {
  kWholeFrame,  ///< the whole frame is stretched to the square view
  kCentreCrop,  ///< the shorter side is resized to the view; of the longer side its centre is kept
};

/// Colour jitter (torchvision's ColorJitter under RandomApply): four factors in random order.
struct JitterSettings {
  double brightness = 0.4;  ///< factor from U(max(0, 1 - x), 1 + x)
  double contrast = 0.4;    ///< likewise
  double saturation = 0.4;  ///< likewise
  double hue = 0.15;        ///< turn from U(-x, x), in fractions of a circle
  double p = 0.8;           ///< how often the four are applied at all

  static auto settings() {
    using config::between;
    using config::setting;
    return std::tuple{
        setting("brightness", &JitterSettings::brightness, "factor within 1 +- this", between(0, 10)),
        setting("contrast", &JitterSettings::contrast, "factor within 1 +- this", between(0, 10)),
        setting("saturation", &JitterSettings::saturation, "factor within 1 +- this", between(0, 10)),
        setting("hue", &JitterSettings::hue, "largest turn of the hue, as a fraction of a circle", between(0, 0.5)),
        setting("p", &JitterSettings::p, "probability that a view is jittered", between(0, 1)),
    };
  }
};

/// Gaussian blur.
struct BlurSettings {
  double p = 0.3;
  std::vector<double> sigma = {0.1, 1.2};  ///< range of the standard deviation, pixels of the view
  int64_t kernel = 0;                      ///< side of the kernel, odd; 0: from the view's side (blur_kernel())

  static auto settings() {
    using config::setting;
    return std::tuple{
        setting("p", &BlurSettings::p, "probability that a view is blurred", config::between(0, 1)),
        setting("sigma", &BlurSettings::sigma, "[low, high]: range of the standard deviation, in pixels of the view",
                config::between(0.01, 100)),
        setting("kernel", &BlurSettings::kernel,
                "side of the kernel in pixels, odd; 0: the odd number nearest a tenth of the view's side, at least 3",
                config::between(0, 255)),
    };
  }
  void validate(const std::string& path, config::Problems& problems) const;
};

/// Inversion of the bright pixels.
struct SolarizeSettings {
  double p = 0.1;
  double threshold = 0.5;  ///< values from here on are inverted, on the scale [0, 1]

  static auto settings() {
    using config::between;
    using config::setting;
    return std::tuple{
        setting("p", &SolarizeSettings::p, "probability that a view is solarized", between(0, 1)),
        setting("threshold", &SolarizeSettings::threshold, "values x >= threshold become 1 - x", between(0, 1)),
    };
  }
};

/// All that the six operations and the final normalisation need to know beside the images.
struct AugmentSettings {
  std::vector<double> crop_area = {0.2, 1.0};               ///< [low, high] share of the image's area
  std::vector<double> crop_ratio = {3.0 / 4.0, 4.0 / 3.0};  ///< [low, high] width / height, drawn log-uniformly
  double flip_p = 0.5;
  JitterSettings jitter;
  double grayscale_p = 0.2;
  BlurSettings blur;
  SolarizeSettings solarize;
  WholeImage whole_image = WholeImage::kWholeFrame;
  std::vector<double> mean = {0.485, 0.456, 0.406};  ///< ImageNet's, RGB, scale [0, 1]
  std::vector<double> std = {0.229, 0.224, 0.225};

  static auto settings() {
    using config::between;
    using config::setting;
    using S = AugmentSettings;
    return std::tuple{
        setting("crop_area", &S::crop_area, "[low, high]: share of the image's area that a crop keeps",
                between(1e-4, 1)),
        setting("crop_ratio", &S::crop_ratio, "[low, high]: width / height of a crop", between(0.01, 100)),
        setting("flip_p", &S::flip_p, "probability of a horizontal flip", between(0, 1)),
        setting("jitter", &S::jitter, "colour jitter"),
        setting("grayscale_p", &S::grayscale_p, "probability that a view loses its colour", between(0, 1)),
        setting("blur", &S::blur, "Gaussian blur"),
        setting("solarize", &S::solarize, "inversion of bright pixels"),
        setting("whole_image", &S::whole_image, "how an image becomes a view while nothing crops it"),
        setting("mean", &S::mean, "subtracted from the channels R, G, B in [0, 1]", between(-10, 10)),
        setting("std", &S::std, "divides the channels R, G, B", between(1e-3, 10)),
    };
  }
  void validate(const std::string& path, config::Problems& problems) const;
};

/// Side of the blur kernel for a view: the setting, or the odd number nearest a tenth of the view's side (the larger of
/// two), at least 3.
int64_t blur_kernel(const BlurSettings& settings, int64_t view_size);

}  // namespace invaria::augment

template <>
struct invaria::config::EnumNames<invaria::augment::WholeImage> {
  using enum invaria::augment::WholeImage;
  static constexpr std::array<std::pair<invaria::augment::WholeImage, const char*>, 2> kNames{
      {{kWholeFrame, "whole-frame"}, {kCentreCrop, "centre-crop"}}};
};

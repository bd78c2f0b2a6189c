#pragma once
/// @file
/// How strongly views are altered: the distributions that draw() takes its parameters from. The defaults are those of
/// 32-pixel views, preset `small`.

#include <cstdint>
#include <optional>
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

/// How often operations happen to the second view of a pair, where that differs from the first view.
struct SecondViewSettings {
  std::optional<double> flip_p, jitter_p, grayscale_p, blur_p, solarize_p;  ///< nothing: as in the first view

  static auto settings() {
    using config::between;
    using config::setting;
    using S = SecondViewSettings;
    return std::tuple{
        setting("flip_p", &S::flip_p, "probability of a horizontal flip; null: as in the first view", between(0, 1)),
        setting("jitter_p", &S::jitter_p, "probability of colour jitter; null: as in the first view", between(0, 1)),
        setting("grayscale_p", &S::grayscale_p, "probability of losing colour; null: as in the first view",
                between(0, 1)),
        setting("blur_p", &S::blur_p, "probability of a blur; null: as in the first view", between(0, 1)),
        setting("solarize_p", &S::solarize_p, "probability of solarization; null: as in the first view", between(0, 1)),
    };
  }
};

/// Published sets of strengths, by name.
enum class AugmentPreset {
  kSmall,      ///< the defaults: views of 32 pixels
  kPaper2022,  ///< arXiv:2302.12712, the authors' first code: 224 pixels, no solarization
  kPaper2023,  ///< their newer code: solarization of every second view
  kSimclr,     ///< arXiv:2002.05709, appendix A, at strength 1
  kMocoV2,     ///< arXiv:2003.04297, section 3, and the authors' code
  kByol,       ///< arXiv:2006.07733, appendix B, table 6: the two views differ
};

/// How often each operation that is left to chance happens.
struct Probabilities {
  double flip = 0.0;
  double jitter = 0.0;
  double grayscale = 0.0;
  double blur = 0.0;
  double solarize = 0.0;
};

/// All that the six operations and the final normalisation need to know beside the images.
struct AugmentSettings {
  AugmentPreset preset = AugmentPreset::kSmall;             ///< what the others are that a suite does not give
  std::vector<double> crop_area = {0.2, 1.0};               ///< [low, high] share of the image's area
  std::vector<double> crop_ratio = {3.0 / 4.0, 4.0 / 3.0};  ///< [low, high] width / height, drawn log-uniformly
  double flip_p = 0.5;
  JitterSettings jitter;
  double grayscale_p = 0.2;
  BlurSettings blur;
  SolarizeSettings solarize;
  SecondViewSettings second_view;
  WholeImage whole_image = WholeImage::kWholeFrame;
  std::vector<double> mean = {0.485, 0.456, 0.406};  ///< ImageNet's, RGB, scale [0, 1]
  std::vector<double> std = {0.229, 0.224, 0.225};

  static auto settings() {
    using config::between;
    using config::setting;
    using S = AugmentSettings;
    return std::tuple{
        setting("preset", &S::preset, "named strengths, which the values given beside it override"),
        setting("crop_area", &S::crop_area, "[low, high]: share of the image's area that a crop keeps",
                between(1e-4, 1)),
        setting("crop_ratio", &S::crop_ratio, "[low, high]: width / height of a crop", between(0.01, 100)),
        setting("flip_p", &S::flip_p, "probability of a horizontal flip", between(0, 1)),
        setting("jitter", &S::jitter, "colour jitter"),
        setting("grayscale_p", &S::grayscale_p, "probability that a view loses its colour", between(0, 1)),
        setting("blur", &S::blur, "Gaussian blur"),
        setting("solarize", &S::solarize, "inversion of bright pixels"),
        setting("second_view", &S::second_view, "where the second view of a pair differs from the first"),
        setting("whole_image", &S::whole_image, "how an image becomes a view while nothing crops it"),
        setting("mean", &S::mean, "subtracted from the channels R, G, B in [0, 1]", between(-10, 10)),
        setting("std", &S::std, "divides the channels R, G, B", between(1e-3, 10)),
    };
  }
  /// Take the preset's values, if `given` names one.
  void start_from(const config::json::object& given);
  void validate(const std::string& path, config::Problems& problems) const;

  /// Of view 1, the second of a pair, or of any other view.
  Probabilities probabilities(uint32_t view) const;
};

/// The strengths of a preset. Mean and std are ImageNet's in all of them; kernels of blurs are a tenth of the view.
AugmentSettings preset_settings(AugmentPreset preset);

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

template <>
struct invaria::config::EnumNames<invaria::augment::AugmentPreset> {
  using enum invaria::augment::AugmentPreset;
  static constexpr std::array<std::pair<invaria::augment::AugmentPreset, const char*>, 6> kNames{
      {{kSmall, "small"},
       {kPaper2022, "paper-2022"},
       {kPaper2023, "paper-2023"},
       {kSimclr, "simclr"},
       {kMocoV2, "moco-v2"},
       {kByol, "byol"}}};
};

#include "augment/view_parameters.hpp"

#include <algorithm>
#include <cmath>

#include "core/errors.hpp"
#include "core/philox.hpp"

namespace invaria::augment {
namespace {

constexpr int kCropTries = 10;

/// Half to even, as Python's round().
int64_t round_to_int(double value) {
  return static_cast<int64_t>(std::nearbyint(value));
}

/// torchvision's fallback: the largest central box whose ratio is allowed.
Box central_crop(const std::vector<double>& ratio, int64_t height, int64_t width) {
  const double image_ratio = static_cast<double>(width) / static_cast<double>(height);
  Box box{0, 0, height, width};
  if (image_ratio < ratio[0]) {
    box.height = round_to_int(static_cast<double>(width) / ratio[0]);
  } else if (image_ratio > ratio[1]) {
    box.width = round_to_int(static_cast<double>(height) * ratio[1]);
  }
  box.height = std::clamp<int64_t>(box.height, 1, height);
  box.width = std::clamp<int64_t>(box.width, 1, width);
  box.top = (height - box.height) / 2;
  box.left = (width - box.width) / 2;
  return box;
}

Box draw_crop(const AugmentSettings& settings, int64_t height, int64_t width, Draws& draws) {
  const double area = static_cast<double>(height * width);
  for (int attempt = 0; attempt < kCropTries; ++attempt) {
    const double target_area = area * draws.uniform(settings.crop_area[0], settings.crop_area[1]);
    const double ratio = std::exp(draws.uniform(std::log(settings.crop_ratio[0]), std::log(settings.crop_ratio[1])));
    const int64_t box_width = round_to_int(std::sqrt(target_area * ratio));
    const int64_t box_height = round_to_int(std::sqrt(target_area / ratio));
    if (box_width < 1 || box_width > width || box_height < 1 || box_height > height) continue;
    const int64_t top = draws.below(height - box_height + 1);
    const int64_t left = draws.below(width - box_width + 1);
    return {top, left, box_height, box_width};
  }
  return central_crop(settings.crop_ratio, height, width);
}

void draw_jitter(const JitterSettings& settings, double p, Draws& draws, ViewParameters& parameters) {
  if (!draws.bernoulli(p)) return;
  draws.shuffle(std::span<JitterStep>(parameters.jitter_order));
  const auto factor = [&](double strength) { return draws.uniform(std::max(0.0, 1.0 - strength), 1.0 + strength); };
  parameters.brightness = factor(settings.brightness);
  parameters.contrast = factor(settings.contrast);
  parameters.saturation = factor(settings.saturation);
  parameters.hue = draws.uniform(-settings.hue, settings.hue);
}

}  // namespace

ViewParameters whole_frame(int64_t height, int64_t width) {
  require(height >= 1 && width >= 1, "whole_frame: found an image of {} x {} pixels, expected at least 1 x 1", height,
          width);
  ViewParameters parameters;
  parameters.box = {0, 0, height, width};
  return parameters;
}

ViewParameters draw(const AugmentSettings& settings, std::span<const Operation> active, int64_t height, int64_t width,
                    uint64_t seed, uint64_t epoch, uint64_t sample, uint32_t view) {
  ViewParameters parameters = whole_frame(height, width);
  parameters.framing = settings.whole_image;
  const Probabilities p = settings.probabilities(view);
  const auto stream = [&](Purpose purpose) { return Draws({seed, purpose, epoch, sample, view}); };
  for (const Operation operation : active) {
    switch (operation) {
      case Operation::kCrop: {
        Draws draws = stream(Purpose::kCrop);
        parameters.box = draw_crop(settings, height, width, draws);
        parameters.framing = WholeImage::kWholeFrame;
        break;
      }
      case Operation::kFlip:
        parameters.flip = stream(Purpose::kFlip).bernoulli(p.flip);
        break;
      case Operation::kColorJitter: {
        Draws draws = stream(Purpose::kColorJitter);
        draw_jitter(settings.jitter, p.jitter, draws, parameters);
        break;
      }
      case Operation::kGrayscale:
        parameters.grayscale = stream(Purpose::kGrayscale).bernoulli(p.grayscale);
        break;
      case Operation::kBlur: {
        Draws draws = stream(Purpose::kBlur);
        if (draws.bernoulli(p.blur))
          parameters.blur_sigma = draws.uniform(settings.blur.sigma[0], settings.blur.sigma[1]);
        break;
      }
      case Operation::kSolarize:
        parameters.solarize = stream(Purpose::kSolarize).bernoulli(p.solarize);
        break;
      default:
        throw PreconditionError("draw: an operation on sounds for a picture");
    }
  }
  return parameters;
}

void apply(const FixedSetting& fixed, int64_t height, int64_t width, ViewParameters& parameters) {
  if (fixed.crop) {
    const std::vector<double>& crop = *fixed.crop;
    require(crop.size() == 4, "apply: a fixed crop of {} numbers, expected top, left, height, width", crop.size());
    const auto pixels = [](double fraction, int64_t side) {
      return std::llround(fraction * static_cast<double>(side));
    };
    Box& box = parameters.box;
    box.height = std::clamp<int64_t>(pixels(crop[2], height), 1, height);
    box.width = std::clamp<int64_t>(pixels(crop[3], width), 1, width);
    box.top = std::clamp<int64_t>(pixels(crop[0], height), 0, height - box.height);
    box.left = std::clamp<int64_t>(pixels(crop[1], width), 0, width - box.width);
    parameters.framing = WholeImage::kWholeFrame;
  }
  if (fixed.flip) parameters.flip = true;
  if (fixed.brightness != 1.0) parameters.brightness = fixed.brightness;
  if (fixed.contrast != 1.0) parameters.contrast = fixed.contrast;
  if (fixed.saturation != 1.0) parameters.saturation = fixed.saturation;
  if (fixed.hue != 0.0) parameters.hue = fixed.hue;
  if (fixed.grayscale) parameters.grayscale = true;
  if (fixed.blur_sigma != 0.0) parameters.blur_sigma = fixed.blur_sigma;
  if (fixed.solarize) parameters.solarize = true;
}

}  // namespace invaria::augment

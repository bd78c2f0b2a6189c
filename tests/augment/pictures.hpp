#pragma once
/// @file
/// Made pictures and random view parameters for the tests of augment.

#include <string>
#include <vector>

#include "augment/render.hpp"
#include "core/philox.hpp"

namespace invaria::augment {

/// Pictures that own their pixels.
struct Pictures {
  int64_t height = 0;
  int64_t width = 0;
  std::vector<std::vector<uint8_t>> pixels;
  std::vector<const uint8_t*> pointers;

  ImageBatch batch() const { return {pointers, height, width}; }
  ImageBatch part(size_t first, size_t count) const {
    return {std::span(pointers).subspan(first, count), height, width};
  }
};

inline Pictures constant_pictures(size_t count, int64_t height, int64_t width, uint8_t value) {
  Pictures pictures{
      height, width, std::vector(count, std::vector<uint8_t>(static_cast<size_t>(height * width * 3), value)), {}};
  for (const auto& picture : pictures.pixels) pictures.pointers.push_back(picture.data());
  return pictures;
}

/// A coloured gradient under noise, so that both smooth and sharp errors show; some pixels gray, black or white.
inline Pictures random_pictures(size_t count, int64_t height, int64_t width, uint64_t seed) {
  Pictures pictures = constant_pictures(count, height, width, 0);
  for (size_t n = 0; n < count; ++n) {
    Draws draws({.seed = seed, .purpose = Purpose::kTest, .sample = n});
    for (int64_t pixel = 0; pixel < height * width; ++pixel) {
      uint8_t* rgb = pictures.pixels[n].data() + pixel * 3;
      const int64_t kind = draws.below(10);
      for (int c = 0; c < 3; ++c)
        rgb[c] = static_cast<uint8_t>((draws.below(100) + pixel * (c + 1) * 155 / (height * width)) % 256);
      if (kind == 0) rgb[1] = rgb[2] = rgb[0];
      if (kind == 1) rgb[0] = rgb[1] = rgb[2] = draws.bernoulli(0.5) ? 255 : 0;
    }
  }
  return pictures;
}

/// Settings under which every operation happens often.
inline AugmentSettings busy_settings() {
  AugmentSettings settings;
  settings.grayscale_p = settings.blur.p = settings.solarize.p = 0.5;
  settings.jitter.hue = 0.5;
  settings.crop_area = {0.01, 1.0};
  settings.crop_ratio = {0.3, 3.0};
  return settings;
}

inline std::vector<Operation> all_operations() {
  return {Operation::kCrop,      Operation::kFlip, Operation::kColorJitter,
          Operation::kGrayscale, Operation::kBlur, Operation::kSolarize};
}

}  // namespace invaria::augment

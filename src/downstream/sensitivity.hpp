#pragma once
/// @file
/// How far features move under one transformation, beside how far apart two pictures are: the cheapest proof that
/// corners differ.

#include <cstdint>
#include <string>
#include <vector>

#include "augment/settings.hpp"
#include "data/dataset.hpp"
#include "model/encoder.hpp"

namespace invaria::downstream {

struct SensitivitySettings {
  std::string data;  ///< empty: no sensitivity table
  std::string split = "test";
  int64_t images = 500;

  static auto settings() {
    using S = SensitivitySettings;
    return std::tuple{
        config::setting("data", &S::data, "data set of the held-out pictures; empty: no sensitivity table"),
        config::setting("split", &S::split, "its split"),
        config::setting("images", &S::images, "pictures to average over", config::between(3, 1e6)),
    };
  }
};

/// The transformations of the table, by name.
std::vector<std::string> sensitivity_transformations();

/// E |f(x) - f(T x)|^2 / E |f(x) - f(x')|^2 for each transformation; 0 is invariance, 1 as far as another picture.
///
/// flip: mirrored; crop: a random crop; hue .2: turned by a fifth of a circle; jitter: always on. Pictures and
/// parameters are drawn from `seed`, so every corner and encoder is asked about the same ones.
/// @param augment  how strong crop and jitter are: the same for all encoders that are to be compared; mean, std and
///                 whole_image the encoder's own
std::vector<double> sensitivities(const model::Encoder& encoder, const model::Generated& generated,
                                  const model::BatchNormPass& batch_norm, const data::ImageSplit& pictures,
                                  const augment::AugmentSettings& augment, int64_t view_size, int64_t n_images,
                                  uint64_t seed);

}  // namespace invaria::downstream

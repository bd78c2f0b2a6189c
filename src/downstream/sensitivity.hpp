#pragma once
/// @file
/// How far features move under one transformation, beside how far apart two samples are: the cheapest proof that
/// corners differ.

#include <cstdint>
#include <string>
#include <vector>

#include "augment/views.hpp"
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
        config::setting("data", &S::data, "data set of the held-out samples; empty: no sensitivity table"),
        config::setting("split", &S::split, "its split"),
        config::setting("images", &S::images, "samples to average over", config::between(3, 1e6)),
    };
  }
};

/// The transformations of the table, by name, for pictures or for sounds.
std::vector<std::string> sensitivity_transformations(config::Media media);

/// E |f(x) - f(T x)|^2 / E |f(x) - f(x')|^2 for each transformation; 0 is invariance, 1 as far as another sample.
///
/// Of pictures, flip: mirrored; crop: a random crop; hue .2: turned by a fifth of a circle; jitter: always on. Of
/// sounds, pitch 4: four semitones higher; rate 1.6: as many times as fast; shift .25: later by a quarter of its
/// length; noise 10 dB: white noise so far below it; gain -14 dB; fade: always one; time mask and band mask: random
/// ones. Samples and parameters are drawn from `seed`, so every corner and encoder is asked about the same ones.
/// @param views  how strong those that are drawn are: the same for all encoders that are to be compared; framed as the
///               encoder's own
std::vector<double> sensitivities(const model::Encoder& encoder, const model::Generated& generated,
                                  const model::BatchNormPass& batch_norm, const data::DataSplit& pictures,
                                  augment::ViewSettings views, int64_t n_images, uint64_t seed);

}  // namespace invaria::downstream

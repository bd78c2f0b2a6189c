#include "downstream/sensitivity.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <optional>

#include "core/errors.hpp"
#include "downstream/features.hpp"
#include "downstream/task.hpp"

namespace invaria::downstream {
namespace {

/// A draw of one operation, or a fixed setting.
struct Transformation {
  std::string name;
  std::optional<augment::Operation> drawn{};
  augment::FixedSetting fixed{};
};

std::vector<Transformation> transformations(config::Media media) {
  using augment::Operation;
  if (media == config::Media::kSounds) {
    return {{.name = "pitch 4", .fixed = {.pitch_semitones = 4.0}},
            {.name = "rate 1.6", .fixed = {.rate = 1.6}},
            {.name = "shift .25", .fixed = {.shift = 0.25}},
            {.name = "noise 10 dB", .fixed = {.noise = augment::NoiseColour::kWhite, .noise_snr_dB = 10.0}},
            {.name = "gain -14 dB", .fixed = {.gain_dB = -14.0}},
            {.name = "fade", .drawn = Operation::kFade},
            {.name = "time mask", .drawn = Operation::kTimeMask},
            {.name = "band mask", .drawn = Operation::kBandMask}};
  }
  return {{.name = "flip", .fixed = {.flip = true}},
          {.name = "crop", .drawn = Operation::kCrop},
          {.name = "hue .2", .fixed = {.hue = 0.2}},
          {.name = "jitter", .drawn = Operation::kColorJitter}};
}

/// The parameters of a transformation for one sample.
augment::Parameters transformed(const Transformation& transformation, const augment::Views& views, uint64_t seed,
                                int64_t sample) {
  if (const auto& operation = transformation.drawn)
    return views.draw(std::span(&*operation, 1), seed, 0, static_cast<uint64_t>(sample), 0);
  // Drawn with nothing: noise that is imposed differs from sample to sample.
  augment::Parameters parameters = views.draw({}, seed, 0, static_cast<uint64_t>(sample), 0);
  views.impose(transformation.fixed, parameters);
  return parameters;
}

}  // namespace

std::vector<std::string> sensitivity_transformations(config::Media media) {
  std::vector<std::string> names;
  for (const Transformation& transformation : transformations(media)) names.push_back(transformation.name);
  return names;
}

std::vector<double> sensitivities(const model::Encoder& encoder, const model::Generated& generated,
                                  const model::BatchNormPass& batch_norm, const data::DataSplit& pictures,
                                  augment::ViewSettings views, int64_t n_images, uint64_t seed) {
  require(pictures.n >= 3, "sensitivities: {} samples, expected at least 3", pictures.n);
  const std::vector<int64_t> order = sample_pictures(pictures, n_images, seed);
  const data::HeldSamples held = pictures.samples(order, at::get_num_threads());
  views.pictures.jitter.p = 1.0;
  views.sound.augment.fade_p = 1.0;
  const auto maker = augment::make_views(views, pictures.shape);
  const auto features_of = [&](const Transformation& transformation) {
    std::vector<augment::Parameters> parameters;
    for (int64_t index : order) parameters.push_back(transformed(transformation, *maker, seed, index));
    return extract_features(encoder, generated, batch_norm, maker->render(held.bytes, parameters)).to(at::kDouble);
  };

  const at::Tensor clean_BD = features_of({});
  // Mean squared distance over pairs of different samples: twice the unbiased variance, summed over features.
  const double between = 2.0 * clean_BD.var(0, /*unbiased=*/true).sum().item<double>();
  std::vector<double> values;
  for (const Transformation& transformation : transformations(pictures.shape.media)) {
    const double moved = (features_of(transformation) - clean_BD).square().sum(1).mean().item<double>();
    values.push_back(moved / std::max(between, 1e-30));
  }
  return values;
}

}  // namespace invaria::downstream

#include "downstream/sensitivity.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "augment/render.hpp"
#include "core/errors.hpp"
#include "downstream/features.hpp"
#include "downstream/task.hpp"

namespace invaria::downstream {
namespace {

/// The parameters of transformation `name` for one picture.
augment::ViewParameters transformed(const std::string& name, const augment::AugmentSettings& augment,
                                    const data::ImageSplit& pictures, uint64_t seed, int64_t sample) {
  augment::AugmentSettings always = augment;
  always.jitter.p = 1.0;
  const auto draw = [&](augment::Operation operation) {
    return augment::draw(always, std::span(&operation, 1), pictures.height, pictures.width, seed, 0,
                         static_cast<uint64_t>(sample), 0);
  };
  if (name == "crop") return draw(augment::Operation::kCrop);
  if (name == "jitter") return draw(augment::Operation::kColorJitter);
  augment::ViewParameters parameters = augment::whole_frame(pictures.height, pictures.width);
  parameters.framing = augment.whole_image;
  if (name == "flip") parameters.flip = true;
  if (name == "hue .2") parameters.hue = 0.2;
  return parameters;
}

}  // namespace

std::vector<std::string> sensitivity_transformations() {
  return {"flip", "crop", "hue .2", "jitter"};
}

std::vector<double> sensitivities(const model::Encoder& encoder, const model::Generated& generated,
                                  const model::BatchNormPass& batch_norm, const data::ImageSplit& pictures,
                                  const augment::AugmentSettings& augment, int64_t view_size, int64_t n_images,
                                  uint64_t seed) {
  require(pictures.n >= 3, "sensitivities: {} pictures, expected at least 3", pictures.n);
  const std::vector<int64_t> order = sample_pictures(pictures, n_images, seed);
  const data::HeldPictures held = pictures.images(order, at::get_num_threads());
  const augment::ImageBatch images{held.pixels, pictures.height, pictures.width};
  const auto features_of = [&](const std::string& transformation) {
    std::vector<augment::ViewParameters> parameters;
    for (int64_t index : order) parameters.push_back(transformed(transformation, augment, pictures, seed, index));
    return extract_features(encoder, generated, batch_norm,
                            augment::render_views(images, parameters, view_size, augment))
        .to(at::kDouble);
  };

  const at::Tensor clean_BD = features_of("");
  // Mean squared distance over pairs of different pictures: twice the unbiased variance, summed over features.
  const double between = 2.0 * clean_BD.var(0, /*unbiased=*/true).sum().item<double>();
  std::vector<double> values;
  for (const std::string& transformation : sensitivity_transformations()) {
    const double moved = (features_of(transformation) - clean_BD).square().sum(1).mean().item<double>();
    values.push_back(moved / std::max(between, 1e-30));
  }
  return values;
}

}  // namespace invaria::downstream

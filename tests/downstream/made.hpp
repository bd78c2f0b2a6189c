#pragma once
/// @file
/// Small made things for the downstream tests: an encoder, a data set of coloured pictures, features around class
/// centres.

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <vector>

#include "augment/axes.hpp"
#include "core/philox.hpp"
#include "data/dataset.hpp"
#include "downstream/readout.hpp"
#include "downstream/samples.hpp"
#include "downstream/task.hpp"
#include "model/encoder.hpp"

namespace invaria::downstream {

inline model::Encoder small_encoder(uint64_t seed = 1) {
  model::EncoderSettings settings;
  settings.width = 4;
  return model::Encoder(settings, 2, seed, 32);
}

inline at::Tensor noise(at::IntArrayRef shape, uint64_t sample, at::ScalarType type = at::kDouble) {
  at::Tensor tensor = at::empty(shape, at::kDouble);
  Draws draws({.purpose = Purpose::kTest, .sample = sample});
  double* values = tensor.mutable_data_ptr<double>();
  for (int64_t index = 0; index < tensor.numel(); ++index) values[index] = draws.normal();
  return tensor.to(type);
}

/// n features [n, dim] around `classes` centres `distance` apart, labels in turn.
inline LabelledFeatures around_centres(int64_t n, int64_t dim, int64_t classes, double distance, uint64_t sample) {
  LabelledFeatures made;
  made.n_classes = classes;
  made.labels_B = at::arange(n, at::kLong).remainder(classes);
  const at::Tensor centres_CD = distance * noise({classes, dim}, 77);
  made.features_BD = (centres_CD.index_select(0, made.labels_B) + noise({n, dim}, sample)).to(at::kFloat);
  return made;
}

/// Pictures of one split: `per_class` pictures each of `classes` classes, 16 x 16; picture n has its own colours.
inline data::DataSplit made_split(int64_t classes, int64_t per_class, uint64_t seed) {
  data::DataSplit split;
  split.n = classes * per_class;
  split.shape = {.height = 16, .width = 16};
  const size_t bytes = static_cast<size_t>(split.n) * 16 * 16 * 3;
  auto pixels = std::shared_ptr<std::byte>(new std::byte[bytes], std::default_delete<std::byte[]>());
  for (int64_t picture = 0; picture < split.n; ++picture) {
    Draws draws({.seed = seed, .purpose = Purpose::kTest, .sample = static_cast<uint64_t>(picture)});
    for (int64_t index = 0; index < 16 * 16 * 3; ++index) {
      const bool is_red = index % 3 == picture % 3;
      pixels.get()[picture * 16 * 16 * 3 + index] = static_cast<std::byte>(draws.below(is_red ? 256 : 100));
    }
    split.names.push_back("class" + std::to_string(picture / per_class) + "/picture" +
                          std::to_string(picture % per_class) + ".png");
    split.labels.push_back(picture / per_class);
    split.targets.push_back({static_cast<double>(picture), static_cast<double>(picture * picture)});
  }
  split.source = data::samples_in_memory(pixels, int64_t{16} * 16 * 3);
  split.hash = "made-" + std::to_string(seed);
  return split;
}

inline data::Dataset made_dataset(int64_t classes = 10, int64_t per_class = 8) {
  data::Dataset dataset;
  dataset.name = "made";
  dataset.target_names = {"number", "square"};
  for (int64_t label = 0; label < classes; ++label) dataset.classes.push_back("class" + std::to_string(label));
  dataset.splits["train"] = made_split(classes, per_class, 1);
  dataset.splits["test"] = made_split(classes, per_class, 2);
  return dataset;
}

/// A task on the default axes, rendered as the default strengths normalise.
inline TaskData made_task(const TaskSettings& settings, const data::Dataset& dataset, int64_t view_size = 8,
                          uint64_t seed = 0, int64_t repeat = 0) {
  const augment::AugmentSettings normalise;
  return make_task(settings, augment::default_axes(), dataset, {normalise, view_size, {}}, seed, repeat);
}

}  // namespace invaria::downstream

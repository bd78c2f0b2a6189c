#include "downstream/task.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "augment/render.hpp"
#include "core/errors.hpp"
#include "core/sha256.hpp"
#include "data/splits.hpp"
#include "downstream/known_task.hpp"

namespace invaria::downstream {
namespace {

/// Old class index -> new one, for the classes that the task uses.
std::map<int64_t, int64_t> used_classes(const TaskSettings& task, const data::ImageDataset& dataset) {
  std::map<int64_t, int64_t> used;
  const auto n = static_cast<int64_t>(dataset.classes.size());
  for (int64_t label = 0; label < n; label += task.class_every) {
    if (task.class_limit > 0 && static_cast<int64_t>(used.size()) == task.class_limit) break;
    used.emplace(label, static_cast<int64_t>(used.size()));
  }
  if (used.size() < 2)
    throw_config("task {}: {} leaves {} classes, expected at least 2", task.name, dataset.name, used.size());
  return used;
}

/// Indices of the split's samples that belong to the task.
std::vector<int64_t> members(const data::ImageSplit& split, const std::map<int64_t, int64_t>& used) {
  std::vector<int64_t> indices;
  for (int64_t index = 0; index < split.n; ++index) {
    if (split.labels.empty() || used.contains(split.labels[static_cast<size_t>(index)])) indices.push_back(index);
  }
  return indices;
}

class SampleMaker {
 public:
  SampleMaker(const TaskSettings& task, const data::ImageDataset& dataset, const augment::AugmentSettings& normalise,
              int64_t view_size)
      : task_(task), normalise_(normalise), view_size_(view_size) {
    if (task.kind == TaskKind::kClassification) used_ = used_classes(task, dataset);
  }

  std::vector<int64_t> members(const data::ImageSplit& split) const {
    if (task_.kind == TaskKind::kClassification) return downstream::members(split, used_);
    std::vector<int64_t> all(static_cast<size_t>(split.n));
    std::iota(all.begin(), all.end(), 0);
    return all;
  }

  int64_t n_classes() const { return static_cast<int64_t>(used_.size()); }

  std::vector<int64_t> labels(const data::ImageSplit& split, const std::vector<int64_t>& indices) const {
    std::vector<int64_t> labels;
    for (int64_t index : indices)
      labels.push_back(used_.empty() ? 0 : used_.at(split.labels[static_cast<size_t>(index)]));
    return labels;
  }

  Samples make(const data::ImageSplit& split, const std::vector<int64_t>& indices) const {
    Samples samples;
    samples.images_BCHW = render_clean(split, indices, normalise_, view_size_);
    if (task_.kind == TaskKind::kClassification) {
      samples.labels_B = at::tensor(labels(split, indices), at::kLong);
      return samples;
    }
    if (split.targets.empty()) throw_config("task {}: {} has no regression targets", task_.name, task_.data);
    const auto n_targets = static_cast<int64_t>(split.targets.front().size());
    samples.targets_BT = at::empty({static_cast<int64_t>(indices.size()), n_targets}, at::kDouble);
    double* out = samples.targets_BT.mutable_data_ptr<double>();
    for (int64_t index : indices) out = std::copy_n(split.targets[static_cast<size_t>(index)].data(), n_targets, out);
    return samples;
  }

 private:
  const TaskSettings& task_;
  const augment::AugmentSettings& normalise_;
  int64_t view_size_;
  std::map<int64_t, int64_t> used_;
};

}  // namespace

at::Tensor render_clean(const data::ImageSplit& split, const std::vector<int64_t>& indices,
                        const augment::AugmentSettings& normalise, int64_t view_size) {
  std::vector<const uint8_t*> pixels;
  for (int64_t index : indices) pixels.push_back(split.image(index));
  augment::ViewParameters whole = augment::whole_frame(split.height, split.width);
  whole.framing = normalise.whole_image;
  return augment::render_views({pixels, split.height, split.width},
                               std::vector<augment::ViewParameters>(indices.size(), whole), view_size, normalise);
}

TaskData make_task(const TaskSettings& task, const std::vector<augment::Axis>& axes, const data::ImageDataset& dataset,
                   const augment::AugmentSettings& normalise, int64_t view_size, uint64_t seed, int64_t repeat) {
  if (task.kind == TaskKind::kKnown)
    return make_known_task(task.known, axes, dataset, normalise, view_size, seed, repeat);
  const SampleMaker maker(task, dataset, normalise, view_size);
  const data::ImageSplit& train = dataset.split(task.train);
  const data::ImageSplit& test = dataset.split(task.test);
  std::vector<int64_t> train_indices = maker.members(train);
  std::vector<int64_t> validation_indices;
  const bool has_validation = !task.validation.empty();
  const data::ImageSplit& validation = has_validation ? dataset.split(task.validation) : train;
  if (has_validation) {
    validation_indices = maker.members(validation);
  } else {
    // Cut from train, stratified; each repeat cuts anew.
    const auto [kept, cut] = data::stratified_split(maker.labels(train, train_indices), task.validation_fraction,
                                                    seed + static_cast<uint64_t>(repeat) * 1000003ull);
    std::vector<int64_t> kept_indices;
    for (int64_t position : kept) kept_indices.push_back(train_indices[static_cast<size_t>(position)]);
    for (int64_t position : cut) validation_indices.push_back(train_indices[static_cast<size_t>(position)]);
    train_indices = std::move(kept_indices);
  }
  const std::vector<int64_t> test_indices = maker.members(test);
  if (train_indices.empty() || validation_indices.empty() || test_indices.empty()) {
    throw_config("task {}: {} gives {} training, {} validation and {} test samples, expected some of each", task.name,
                 dataset.name, train_indices.size(), validation_indices.size(), test_indices.size());
  }

  TaskData made;
  made.n_classes = maker.n_classes();
  made.train = maker.make(train, train_indices);
  made.validation = maker.make(validation, validation_indices);
  made.test = maker.make(test, test_indices);
  Sha256 hash;
  const auto add = [&hash](const char* part, const data::ImageSplit& split, const std::vector<int64_t>& indices) {
    hash.update(fmt::format("{} {}\n", part, split.hash));
    for (int64_t index : indices) hash.update(split.names[static_cast<size_t>(index)] + "\n");
  };
  add("train", train, train_indices);
  add("validation", validation, validation_indices);
  add("test", test, test_indices);
  made.split_hash = hash.hex();
  return made;
}

}  // namespace invaria::downstream

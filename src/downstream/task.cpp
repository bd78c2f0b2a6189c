#include "downstream/task.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <string>

#include "augment/render.hpp"
#include "core/errors.hpp"
#include "core/sha256.hpp"
#include "data/splits.hpp"
#include "downstream/known_task.hpp"

namespace invaria::downstream {
namespace {

/// Classes of the data set that the task uses, in the order of their new labels.
std::vector<int64_t> used_classes(const TaskSettings& task, const data::ImageDataset& dataset) {
  std::vector<int64_t> used;
  for (int64_t label = 0; label < static_cast<int64_t>(dataset.classes.size()); label += task.class_every) {
    if (task.class_limit > 0 && static_cast<int64_t>(used.size()) == task.class_limit) break;
    used.push_back(label);
  }
  if (used.size() < 2) {
    throw_config("task {}: {} leaves {} classes, expected at least 2", task.name, dataset.name, used.size());
  }
  return used;
}

/// The samples of one split that belong to the task, with their new labels (all 0 for regression).
data::Subset members(const TaskSettings& task, const data::ImageDataset& dataset, const data::ImageSplit& split) {
  if (task.kind == TaskKind::kClassification) return data::subset_classes(split.labels, used_classes(task, dataset));
  data::Subset all{std::vector<int64_t>(static_cast<size_t>(split.n)),
                   std::vector<int64_t>(static_cast<size_t>(split.n), 0)};
  std::iota(all.indices.begin(), all.indices.end(), 0);
  return all;
}

/// Members of several splits, one after the other, rendered once.
class Pool {
 public:
  Pool(const TaskSettings& task, const data::ImageDataset& dataset) : task_(task), dataset_(dataset) {}

  /// Rows of a split's members. Each split once.
  std::vector<int64_t> add(const std::string& name, const augment::AugmentSettings& normalise, int64_t view_size) {
    const data::ImageSplit& split = dataset_.split(name);
    const data::Subset subset = members(task_, dataset_, split);
    if (subset.indices.empty()) {
      throw_config("task {}: split {} of {} has no samples for it", task_.name, name, dataset_.name);
    }
    const auto first = static_cast<int64_t>(labels_.size());
    images_.push_back(render_clean(split, subset.indices, normalise, view_size));
    labels_.insert(labels_.end(), subset.labels.begin(), subset.labels.end());
    for (int64_t index : subset.indices) {
      pixels_.push_back(split.image(index));
      names_.push_back(name + "/" + split.names[static_cast<size_t>(index)]);
      if (task_.kind == TaskKind::kRegression) add_targets(split, index);
    }
    content_.update(fmt::format("{} {}\n", name, split.hash));
    std::vector<int64_t> rows(subset.indices.size());
    std::iota(rows.begin(), rows.end(), first);
    return rows;
  }

  std::vector<int64_t> labels(const std::vector<int64_t>& rows) const {
    std::vector<int64_t> labels;
    for (int64_t row : rows) labels.push_back(labels_[static_cast<size_t>(row)]);
    return labels;
  }

  /// Close the pool: the task's images and hash.
  void finish(TaskData& task) {
    task.pool_BCHW = at::cat(images_);
    for (const std::string& name : names_) content_.update(name + "\n");
    task.pool_hash = content_.hex();
  }

  /// Random views of the pictures of a split that lie at `rows`.
  DrawViews views(const std::string& name, const std::vector<int64_t>& rows, std::vector<augment::Operation> operations,
                  const augment::AugmentSettings& strengths, int64_t view_size) const {
    const data::ImageSplit& split = dataset_.split(name);
    std::vector<const uint8_t*> pixels;
    for (int64_t row : rows) pixels.push_back(pixels_[static_cast<size_t>(row)]);
    return
        [pixels, owner = split.pixels, height = split.height, width = split.width, operations = std::move(operations),
         strengths, view_size](const std::vector<int64_t>& samples, uint64_t seed, uint64_t epoch, uint32_t view) {
          std::vector<const uint8_t*> drawn;
          std::vector<augment::ViewParameters> parameters;
          for (int64_t sample : samples) {
            drawn.push_back(pixels[static_cast<size_t>(sample)]);
            parameters.push_back(
                augment::draw(strengths, operations, height, width, seed, epoch, static_cast<uint64_t>(sample), view));
          }
          return augment::render_views({drawn, height, width}, parameters, view_size, strengths);
        };
  }

  /// One part of the task. `hash` takes in what every sample is.
  Samples part(const std::string& name, const std::vector<int64_t>& rows, const TaskData& task, Sha256& hash) const {
    Samples samples;
    samples.rows_B = at::tensor(rows, at::kLong);
    samples.images_BCHW = task.pool_BCHW.index_select(0, samples.rows_B);
    if (task_.kind == TaskKind::kClassification) {
      samples.labels_B = at::tensor(labels(rows), at::kLong);
    } else {
      samples.targets_BT = at::tensor(targets_, at::kDouble)
                               .reshape({static_cast<int64_t>(labels_.size()), -1})
                               .index_select(0, samples.rows_B);
    }
    hash.update(name + "\n");
    for (int64_t row : rows) hash.update(names_[static_cast<size_t>(row)] + "\n");
    return samples;
  }

 private:
  void add_targets(const data::ImageSplit& split, int64_t index) {
    if (split.targets.empty()) throw_config("task {}: {} has no regression targets", task_.name, dataset_.name);
    const std::vector<double>& targets = split.targets[static_cast<size_t>(index)];
    targets_.insert(targets_.end(), targets.begin(), targets.end());
  }

  const TaskSettings& task_;
  const data::ImageDataset& dataset_;
  std::vector<at::Tensor> images_;
  std::vector<const uint8_t*> pixels_;
  std::vector<int64_t> labels_;
  std::vector<double> targets_;  ///< [row][target]
  std::vector<std::string> names_;
  Sha256 content_;
};

std::vector<int64_t> pick(const std::vector<int64_t>& rows, const std::vector<int64_t>& positions) {
  std::vector<int64_t> picked;
  for (int64_t position : positions) picked.push_back(rows[static_cast<size_t>(position)]);
  return picked;
}

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
                   const augment::AugmentSettings& pretraining, int64_t view_size, uint64_t seed, int64_t repeat) {
  if (task.kind == TaskKind::kKnown) {
    return make_known_task(task.known, axes, dataset, pretraining, view_size, seed, repeat);
  }
  TaskData made;
  if (task.kind == TaskKind::kClassification) {
    made.n_classes = static_cast<int64_t>(used_classes(task, dataset).size());
  }
  Pool pool(task, dataset);
  std::vector<int64_t> train = pool.add(task.train, pretraining, view_size);
  std::vector<int64_t> validation;
  if (!task.validation.empty()) {
    validation = pool.add(task.validation, pretraining, view_size);
  } else {
    // Cut from train, stratified; each repeat cuts anew.
    const data::SplitIndices cut = data::stratified_split(pool.labels(train), task.validation_fraction,
                                                          seed + static_cast<uint64_t>(repeat) * 1000003ull);
    validation = pick(train, cut.chosen);
    train = pick(train, cut.rest);
    if (train.empty() || validation.empty()) {
      throw_config(
          "task {}: cutting {} of split {} leaves {} training and {} validation samples, expected some of each",
          task.name, task.validation_fraction, task.train, train.size(), validation.size());
    }
  }
  const std::vector<int64_t> test = pool.add(task.test, pretraining, view_size);
  pool.finish(made);
  Sha256 hash;
  hash.update(made.pool_hash + "\n");
  made.train = pool.part("train", train, made, hash);
  const std::vector<augment::Operation> operations =
      augment::active_operations(axes, config::Invariance(axes.size(), 1.0));
  made.train.draw_views = pool.views(task.train, train, operations, milder_crops(pretraining), view_size);
  made.validation = pool.part("validation", validation, made, hash);
  made.test = pool.part("test", test, made, hash);
  made.split_hash = hash.hex();
  return made;
}

}  // namespace invaria::downstream

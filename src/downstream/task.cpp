#include "downstream/task.hpp"

#include <ATen/ATen.h>

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <string>

#include "augment/render.hpp"
#include "core/errors.hpp"
#include "core/philox.hpp"
#include "core/sha256.hpp"
#include "data/splits.hpp"
#include "downstream/known_task.hpp"
#include "downstream/nested_subset.hpp"

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

/// The data set's classes that each part of a task has, in the order of their new labels; empty without classes.
struct TaskClasses {
  std::vector<int64_t> train, validation, test;
};

std::vector<int64_t> occurring(const data::ImageSplit& split) {
  const std::set<int64_t> labels(split.labels.begin(), split.labels.end());
  return {labels.begin(), labels.end()};
}

TaskClasses few_shot_classes(const TaskSettings& task, const data::ImageDataset& dataset) {
  TaskClasses classes{occurring(dataset.split(task.train)), {}, occurring(dataset.split(task.test))};
  if (!task.validation.empty()) classes.validation = occurring(dataset.split(task.validation));
  const int64_t n_novel = task.few_shot.novel_classes, n_all = std::ssize(dataset.classes);
  if (n_novel == 0) return classes;
  if (n_novel >= n_all) {
    throw_config("task {}: few_shot.novel_classes {} of the {} classes of {} leaves none to learn from", task.name,
                 n_novel, n_all, dataset.name);
  }
  classes.test = data::spread_classes(n_all, n_novel);
  const std::set<int64_t> novel(classes.test.begin(), classes.test.end());
  for (std::vector<int64_t>* part : {&classes.train, &classes.validation})
    std::erase_if(*part, [&](int64_t label) { return novel.contains(label); });
  return classes;
}

TaskClasses classes_of(const TaskSettings& task, const data::ImageDataset& dataset) {
  if (!task.has_classes()) return {};
  if (task.kind == TaskKind::kFewShot) return few_shot_classes(task, dataset);
  const std::vector<int64_t> used = used_classes(task, dataset);
  return {used, used, used};
}

/// The samples of one split that belong to the task, with their new labels (all 0 without classes).
data::Subset members(const TaskSettings& task, const std::vector<int64_t>& classes, const data::ImageSplit& split) {
  if (task.has_classes()) return data::subset_classes(split.labels, classes);
  data::Subset all{std::vector<int64_t>(static_cast<size_t>(split.n)),
                   std::vector<int64_t>(static_cast<size_t>(split.n), 0)};
  std::iota(all.indices.begin(), all.indices.end(), 0);
  return all;
}

/// Members of several splits, one after the other, rendered once.
class Pool {
 public:
  Pool(const TaskSettings& task, const data::ImageDataset& dataset) : task_(task), dataset_(dataset) {
    if (task.has_classes()) return;
    config::Problems problems;
    columns_ = target_columns(task, dataset.target_names, "", problems);
    problems.throw_if_any(fmt::format("task {} on {}", task.name, dataset.name));
  }

  /// Rows of a split's members, those of `classes` where the task has classes. Each split once.
  std::vector<int64_t> add(const std::string& name, const std::vector<int64_t>& classes,
                           const augment::AugmentSettings& normalise, int64_t view_size) {
    const data::ImageSplit& split = dataset_.split(name);
    const data::Subset subset = members(task_, classes, split);
    if (subset.indices.empty()) {
      throw_config("task {}: split {} of {} has no samples for it", task_.name, name, dataset_.name);
    }
    const auto first = static_cast<int64_t>(labels_.size());
    images_.push_back(render_clean(split, subset.indices, normalise, view_size));
    labels_.insert(labels_.end(), subset.labels.begin(), subset.labels.end());
    for (int64_t index : subset.indices) {
      pixels_.push_back(split.image(index));
      names_.push_back(name + "/" + split.names[static_cast<size_t>(index)]);
      if (!task_.has_classes()) add_targets(split, index);
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
    if (task_.has_classes()) {
      samples.labels_B = at::tensor(labels(rows), at::kLong);
    } else {
      samples.targets_BT = at::tensor(targets_, at::kDouble)
                               .reshape({static_cast<int64_t>(labels_.size()), -1})
                               .index_select(0, samples.rows_B);
    }
    if (task_.kind == TaskKind::kKeypoints) samples.norm_B = keypoint_norms(samples.targets_BT, task_.nme_points);
    hash.update(name + "\n");
    for (int64_t row : rows) hash.update(names_[static_cast<size_t>(row)] + "\n");
    return samples;
  }

 private:
  void add_targets(const data::ImageSplit& split, int64_t index) {
    if (split.targets.empty()) throw_config("task {}: {} has no regression targets", task_.name, dataset_.name);
    const std::vector<double>& targets = split.targets[static_cast<size_t>(index)];
    for (size_t column : columns_) targets_.push_back(targets[column]);
  }

  const TaskSettings& task_;
  const data::ImageDataset& dataset_;
  std::vector<at::Tensor> images_;
  std::vector<const uint8_t*> pixels_;
  std::vector<int64_t> labels_;
  std::vector<size_t> columns_;  ///< of the data set's targets, those of the task
  std::vector<double> targets_;  ///< [row][target]
  std::vector<std::string> names_;
  Sha256 content_;
};

/// What is expected of a sample's targets; empty if they are so.
std::string wrong_targets(const TaskSettings& task, const std::vector<double>& targets) {
  const bool are_finite =
      std::all_of(targets.begin(), targets.end(), [](double value) { return std::isfinite(value); });
  if (!are_finite) return "finite numbers";
  if (task.kind == TaskKind::kMultiLabel) {
    const bool are_bits =
        std::all_of(targets.begin(), targets.end(), [](double value) { return value == 0.0 || value == 1.0; });
    return are_bits ? "" : "attributes, each 0 or 1";
  }
  if (task.kind == TaskKind::kBox)
    return targets[2] > targets[0] && targets[3] > targets[1] ? "" : "left, top, right, bottom of a box with an area";
  if (task.kind != TaskKind::kKeypoints) return "";
  const at::Tensor targets_1T = at::tensor(targets, at::kDouble).unsqueeze(0);
  return keypoint_norms(targets_1T, task.nme_points).item<double>() > 0 ? "" : "keypoints with a norm above 0 for nme";
}

std::vector<int64_t> pick(const std::vector<int64_t>& rows, const std::vector<int64_t>& positions) {
  std::vector<int64_t> picked;
  for (int64_t position : positions) picked.push_back(rows[static_cast<size_t>(position)]);
  return picked;
}

}  // namespace

std::vector<int64_t> sample_pictures(const data::ImageSplit& split, int64_t n, uint64_t seed) {
  std::vector<int64_t> order(static_cast<size_t>(split.n));
  std::iota(order.begin(), order.end(), 0);
  Draws({.seed = seed, .purpose = Purpose::kCalibration}).shuffle(std::span(order));
  order.resize(static_cast<size_t>(std::min(n, split.n)));
  return order;
}

at::Tensor render_clean(const data::ImageSplit& split, const std::vector<int64_t>& indices,
                        const augment::AugmentSettings& normalise, int64_t view_size) {
  std::vector<const uint8_t*> pixels;
  for (int64_t index : indices) pixels.push_back(split.image(index));
  augment::ViewParameters whole = augment::whole_frame(split.height, split.width);
  whole.framing = normalise.whole_image;
  return augment::render_views({pixels, split.height, split.width},
                               std::vector<augment::ViewParameters>(indices.size(), whole), view_size, normalise);
}

void check_targets(const TaskSettings& task, const data::ImageDataset& dataset, const std::string& path,
                   config::Problems& problems) {
  const size_t problems_before = problems.list().size();
  const std::vector<size_t> columns = target_columns(task, dataset.target_names, path, problems);
  if (problems.list().size() > problems_before) return;
  for (const std::string& name : std::set{task.train, task.validation, task.test}) {
    if (!dataset.splits.contains(name)) continue;
    const data::ImageSplit& split = dataset.split(name);
    for (size_t sample = 0; sample < split.targets.size(); ++sample) {
      std::vector<double> targets;
      for (size_t column : columns) targets.push_back(split.targets[sample][column]);
      const std::string where = fmt::format("{} of {}, {}/{}", path, dataset.name, name, split.names[sample]);
      if (const std::string wrong = wrong_targets(task, targets); !wrong.empty()) {
        problems.add(where, fmt::format("[{}]", fmt::join(targets, ", ")), wrong);
        return;  // the first of perhaps thousands
      }
    }
  }
}

void check_few_shot(const TaskSettings& task, const data::ImageDataset& dataset, const std::string& path,
                    config::Problems& problems) {
  const FewShotSettings& few_shot = task.few_shot;
  TaskClasses classes;
  try {
    classes = few_shot_classes(task, dataset);
  } catch (const ConfigError& error) {
    problems.add(config::join_path(path, "few_shot.novel_classes"), std::to_string(few_shot.novel_classes), "fewer",
                 error.what());
    return;
  }
  const auto check_disjoint = [&](const std::vector<int64_t>& learned, const char* split) {
    std::vector<std::string> shared;
    for (int64_t label : classes.test) {
      if (std::find(learned.begin(), learned.end(), label) != learned.end())
        shared.push_back(dataset.classes[static_cast<size_t>(label)]);
    }
    if (shared.empty()) return;
    problems.add(config::join_path(path, "test"), "\"" + task.test + "\"",
                 fmt::format("classes that split {} does not have; shared: {}{}", split,
                             fmt::join(shared.begin(), shared.begin() + std::min<int64_t>(std::ssize(shared), 5), ", "),
                             shared.size() > 5 ? fmt::format(" and {} more", shared.size() - 5) : ""),
                 "name splits by classes, or set few_shot.novel_classes");
  };
  check_disjoint(classes.train, task.train.c_str());
  if (!task.validation.empty()) check_disjoint(classes.validation, task.validation.c_str());
  if (classes.train.size() < 2)
    problems.add(config::join_path(path, "train"), "\"" + task.train + "\"", "at least two base classes");
  const auto check_samples = [&](const std::vector<int64_t>& of, const std::string& split, const char* key) {
    const std::vector<int64_t>& labels = dataset.split(split).labels;
    const int64_t wanted = few_shot.shots + few_shot.queries;
    const auto enough = std::count_if(
        of.begin(), of.end(), [&](int64_t label) { return std::count(labels.begin(), labels.end(), label) >= wanted; });
    if (enough >= few_shot.ways) return;
    problems.add(
        config::join_path(path, key), "\"" + split + "\"",
        fmt::format("at least {} classes of {} samples (shots + queries), not {}", few_shot.ways, wanted, enough),
        "lower few_shot.ways, few_shot.shots or few_shot.queries");
  };
  check_samples(classes.test, task.test, "test");
  if (task.validation.empty()) {
    check_samples(classes.train, task.train, "train");
  } else {
    check_samples(classes.validation, task.validation, "validation");
  }
}

TaskData make_task(const TaskSettings& task, const std::vector<augment::Axis>& axes, const data::ImageDataset& dataset,
                   const augment::AugmentSettings& pretraining, int64_t view_size, uint64_t seed, int64_t repeat) {
  if (task.kind == TaskKind::kKnown) {
    return make_known_task(task.known, axes, dataset, pretraining, view_size, seed, repeat);
  }
  TaskData made;
  const TaskClasses classes = classes_of(task, dataset);
  made.n_classes = static_cast<int64_t>(classes.train.size());
  if (task.kind == TaskKind::kMultiLabel) made.target_kind = TargetKind::kAttributes;
  Pool pool(task, dataset);
  const uint64_t repeat_seed = seed + static_cast<uint64_t>(repeat) * 1000003ull;
  std::vector<int64_t> train = pool.add(task.train, classes.train, pretraining, view_size);
  std::vector<int64_t> validation;
  if (!task.validation.empty()) {
    made.validation_has_own_classes = task.kind == TaskKind::kFewShot;
    validation = pool.add(task.validation, classes.validation, pretraining, view_size);
  } else {
    // Cut from train, stratified; each repeat cuts anew.
    const data::SplitIndices cut = data::stratified_split(pool.labels(train), task.validation_fraction, repeat_seed);
    validation = pick(train, cut.chosen);
    train = pick(train, cut.rest);
    if (train.empty() || validation.empty()) {
      throw_config(
          "task {}: cutting {} of split {} leaves {} training and {} validation samples, expected some of each",
          task.name, task.validation_fraction, task.train, train.size(), validation.size());
    }
  }
  if (task.train_fraction < 1.0) {
    train = pick(train, nested_subset(pool.labels(train), task.train_fraction, repeat_seed));
    if (task.validation.empty())
      validation = pick(validation, nested_subset(pool.labels(validation), task.train_fraction, repeat_seed));
  }
  const std::vector<int64_t> test = pool.add(task.test, classes.test, pretraining, view_size);
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

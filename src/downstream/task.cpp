#include "downstream/task.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <set>
#include <string>

#include "core/errors.hpp"
#include "core/philox.hpp"
#include "core/sha256.hpp"
#include "data/splits.hpp"
#include "downstream/known_task.hpp"
#include "downstream/nested_subset.hpp"
#include "downstream/task_parts.hpp"

namespace invaria::downstream {
namespace {

/// The samples of one split that belong to the task, with their new labels (all 0 without classes).
data::Subset members(const TaskSettings& task, const std::vector<int64_t>& classes, const data::DataSplit& split) {
  if (task.has_classes()) return data::subset_classes(split.labels, classes);
  data::Subset all{std::vector<int64_t>(static_cast<size_t>(split.n)),
                   std::vector<int64_t>(static_cast<size_t>(split.n), 0)};
  std::iota(all.indices.begin(), all.indices.end(), 0);
  return all;
}

/// Members of several splits, one after the other.
class Pool {
 public:
  Pool(const TaskSettings& task, const data::Dataset& dataset) : task_(task), dataset_(dataset) {
    if (task.has_classes()) return;
    config::Problems problems;
    columns_ = target_columns(task, dataset.target_names, "", problems);
    problems.throw_if_any(fmt::format("task {} on {}", task.name, dataset.name));
  }

  /// Rows of a part's members, one split after the other.
  std::vector<int64_t> add(const TaskPart& part) {
    const size_t first = labels_.size();
    for (const std::string& split : part.splits) add_split(split, part.classes);
    if (labels_.size() == first) {
      throw_config("task {}: split {} of {} has no samples for it", task_.name, fmt::join(part.splits, " or "),
                   dataset_.name);
    }
    stretch_ends_.push_back(std::ssize(labels_));
    std::vector<int64_t> rows(labels_.size() - first);
    std::iota(rows.begin(), rows.end(), static_cast<int64_t>(first));
    return rows;
  }

  /// These rows by what cuts never divide: a sample, or all parts of a sound.
  struct Whole {
    std::vector<std::vector<int64_t>> rows;
    std::vector<int64_t> labels;

    std::vector<int64_t> at(const std::vector<int64_t>& positions) const {
      std::vector<int64_t> picked;
      for (int64_t position : positions)
        picked.insert(picked.end(), rows[static_cast<size_t>(position)].begin(),
                      rows[static_cast<size_t>(position)].end());
      return picked;
    }
  };
  Whole whole(const std::vector<int64_t>& rows) const {
    Whole whole;
    for (size_t n = 0; n < rows.size(); ++n) {
      const bool goes_on = n > 0 && !sounds_.empty() && sound_of(rows[n]) == sound_of(rows[n - 1]);
      if (!goes_on) {
        whole.rows.emplace_back();
        whole.labels.push_back(labels_[static_cast<size_t>(rows[n])]);
      }
      whole.rows.back().push_back(rows[n]);
    }
    return whole;
  }

  /// Close the pool: the task's images and hash.
  void finish(TaskData& task, const augment::ViewSettings& views) {
    task.pool = Pictures(stored_, views);
    if (!sounds_.empty()) task.pool_sounds_B = at::tensor(sounds_, at::kLong);
    task.stretch_ends = stretch_ends_;
    for (const std::string& name : names_) content_.update(name + "\n");
    task.pool_hash = content_.hex();
  }

  /// Random views of the pictures that lie at `rows`.
  DrawViews views(const std::vector<int64_t>& rows, std::vector<augment::Operation> operations,
                  const augment::ViewSettings& strengths) const {
    std::vector<data::SampleRef> refs;
    for (int64_t row : rows) refs.push_back(stored_->samples[static_cast<size_t>(row)]);
    return [refs, views = augment::make_views(strengths, stored_->shape), operations = std::move(operations)](
               const std::vector<int64_t>& samples, uint64_t seed, uint64_t epoch, uint32_t view) {
      std::vector<data::SampleRef> drawn;
      std::vector<augment::Parameters> parameters;
      for (int64_t sample : samples) {
        drawn.push_back(refs[static_cast<size_t>(sample)]);
        parameters.push_back(views->draw(operations, seed, epoch, static_cast<uint64_t>(sample), view));
      }
      return views->render(data::hold(drawn, at::get_num_threads()).bytes, parameters);
    };
  }

  /// One part of the task. `hash` takes in what every sample is.
  Samples part(const std::string& name, const std::vector<int64_t>& rows, const TaskData& task, Sha256& hash) const {
    Samples samples;
    samples.rows_B = at::tensor(rows, at::kLong);
    samples.pictures = task.pool.subset(samples.rows_B);
    if (task.pool_sounds_B.defined()) samples.sounds_B = task.pool_sounds_B.index_select(0, samples.rows_B);
    if (task_.has_classes()) {
      samples.labels_B = at::tensor(labels_, at::kLong).index_select(0, samples.rows_B);
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
  void add_split(const std::string& name, const std::vector<int64_t>& classes) {
    const data::DataSplit& split = dataset_.split(name);
    const data::Subset subset = members(task_, classes, split);
    if (subset.indices.empty()) return;
    stored_->shape = split.shape;  // of all splits of a data set
    labels_.insert(labels_.end(), subset.labels.begin(), subset.labels.end());
    const int64_t first_sound = sounds_.empty() ? 0 : sounds_.back() + 1;
    for (int64_t index : subset.indices) {
      stored_->samples.push_back(split.ref(index));
      if (!split.sounds.empty()) sounds_.push_back(first_sound + split.sounds[static_cast<size_t>(index)]);
      names_.push_back(name + "/" + split.names[static_cast<size_t>(index)]);
      if (!task_.has_classes()) add_targets(split, index);
    }
    content_.update(fmt::format("{} {}\n", name, split.hash));
  }

  void add_targets(const data::DataSplit& split, int64_t index) {
    if (split.targets.empty()) throw_config("task {}: {} has no regression targets", task_.name, dataset_.name);
    const std::vector<double>& targets = split.targets[static_cast<size_t>(index)];
    for (size_t column : columns_) targets_.push_back(targets[column]);
  }

  const TaskSettings& task_;
  const data::Dataset& dataset_;
  std::shared_ptr<StoredSamples> stored_ = std::make_shared<StoredSamples>();
  int64_t sound_of(int64_t row) const { return sounds_[static_cast<size_t>(row)]; }

  std::vector<int64_t> labels_;
  std::vector<int64_t> sounds_;  ///< ascending; empty where none has parts
  std::vector<size_t> columns_;  ///< of the data set's targets, those of the task
  std::vector<double> targets_;  ///< [row][target]
  std::vector<std::string> names_;
  std::vector<int64_t> stretch_ends_;
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

}  // namespace

std::vector<int64_t> sample_pictures(const data::DataSplit& split, int64_t n, uint64_t seed) {
  std::vector<int64_t> order(static_cast<size_t>(split.n));
  std::iota(order.begin(), order.end(), 0);
  Draws({.seed = seed, .purpose = Purpose::kCalibration}).shuffle(std::span(order));
  order.resize(static_cast<size_t>(std::min(n, split.n)));
  return order;
}

Pictures clean_views(const data::DataSplit& split, const std::vector<int64_t>& indices,
                     const augment::ViewSettings& views) {
  auto stored = std::make_shared<StoredSamples>();
  for (int64_t index : indices) stored->samples.push_back(split.ref(index));
  stored->shape = split.shape;
  return {stored, views};
}

at::Tensor render_clean(const data::DataSplit& split, const std::vector<int64_t>& indices,
                        const augment::ViewSettings& views) {
  return clean_views(split, indices, views).all();
}

void check_targets(const TaskSettings& task, const data::Dataset& dataset, const std::string& path,
                   config::Problems& problems) {
  config::Problems of_columns;
  const std::vector<size_t> columns = target_columns(task, dataset.target_names, path, of_columns);
  if (!of_columns.empty()) return;
  for (const std::string& name : std::set{task.train, task.validation, task.test}) {
    if (!dataset.splits.contains(name)) continue;
    const data::DataSplit& split = dataset.split(name);
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

TaskData make_task(const TaskSettings& task, const std::vector<augment::Axis>& axes, const data::Dataset& dataset,
                   const augment::ViewSettings& pretraining, uint64_t seed, int64_t repeat) {
  if (task.kind == TaskKind::kKnown) {
    return make_known_task(task.known, axes, dataset, pretraining, seed, repeat);
  }
  TaskData made;
  const TaskParts parts = parts_of(task, data::summary_of(dataset));
  made.n_classes = static_cast<int64_t>(parts.train.classes.size());
  if (task.kind == TaskKind::kMultiLabel) made.target_kind = TargetKind::kAttributes;
  Pool pool(task, dataset);
  const uint64_t repeat_seed = seed + static_cast<uint64_t>(repeat) * 1000003ull;
  std::vector<int64_t> train = pool.add(parts.train);
  std::vector<int64_t> validation;
  const bool is_cut = task.validation.empty() || task.kind == TaskKind::kFewShot;
  if (!is_cut) {
    validation = pool.add(parts.validation);
  } else if (task.validation_fraction > 0.0) {
    // Cut from train, stratified; each repeat cuts anew.
    const Pool::Whole whole = pool.whole(train);
    const data::SplitIndices cut = data::stratified_split(whole.labels, task.validation_fraction, repeat_seed);
    validation = whole.at(cut.chosen);
    train = whole.at(cut.rest);
    if (train.empty() || validation.empty()) {
      throw_config(
          "task {}: cutting {} of split {} leaves {} training and {} validation samples, expected some of each",
          task.name, task.validation_fraction, task.train, train.size(), validation.size());
    }
  }
  if (task.train_fraction < 1.0) {
    const auto share_of = [&](const std::vector<int64_t>& rows) {
      const Pool::Whole whole = pool.whole(rows);
      return whole.at(nested_subset(whole.labels, task.train_fraction, repeat_seed));
    };
    train = share_of(train);
    validation = share_of(validation);
  }
  const std::vector<int64_t> test = pool.add(parts.test);
  std::vector<int64_t> validation_classes;
  if (is_cut && !parts.validation.splits.empty()) validation_classes = pool.add(parts.validation);
  pool.finish(made, pretraining);
  Sha256 hash;
  hash.update(made.pool_hash + "\n");
  made.train = pool.part("train", train, made, hash);
  augment::ViewSettings milder = pretraining;
  milder.pictures = milder_crops(milder.pictures);
  const std::vector<augment::Operation> operations =
      augment::active_operations(axes, config::Invariance(axes.size(), 1.0));
  made.train.draw_views = pool.views(train, operations, milder);
  made.validation = pool.part("validation", validation, made, hash);
  made.test = pool.part("test", test, made, hash);
  if (!validation_classes.empty())
    made.validation_classes = pool.part("validation classes", validation_classes, made, hash);
  made.split_hash = hash.hex();
  return made;
}

}  // namespace invaria::downstream

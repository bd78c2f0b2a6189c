#include "suite/load.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <optional>

#include "comm/agree.hpp"
#include "comm/watchdog.hpp"
#include "core/errors.hpp"
#include "core/progress.hpp"
#include "downstream/known_task.hpp"
#include "downstream/task.hpp"
#include "downstream/task_parts.hpp"

namespace invaria::suite {
namespace {

using downstream::TaskKind;
using downstream::TaskSettings;

/// Names of the splits that a data set has under its settings.
std::vector<std::string> split_names(const data::Manifest& manifest, const data::DatasetSettings& settings) {
  std::vector<std::string> names;
  for (const data::SplitManifest& split : manifest.splits) names.push_back(split.name);
  if (settings.validation_fraction > 0) names.push_back("validation");
  return names;
}

/// Checks that names of splits exist.
class SplitCheck {
 public:
  SplitCheck(const Suite& suite, const Manifests& manifests, config::Problems& problems)
      : suite_(suite), manifests_(manifests), problems_(problems) {}

  void operator()(const std::string& dataset, const std::string& split, const std::string& path) const {
    const auto manifest = manifests_.find(dataset);
    if (manifest == manifests_.end()) return;  // reported already
    const std::vector<std::string> names = split_names(manifest->second, suite_.dataset(dataset));
    if (std::find(names.begin(), names.end(), split) == names.end()) {
      problems_.add(path, "\"" + split + "\"", "a split of " + dataset, config::name_hint(split, names));
    }
  }

 private:
  const Suite& suite_;
  const Manifests& manifests_;
  config::Problems& problems_;
};

void check_task_splits(const TaskSettings& task, const std::string& path, const SplitCheck& check_split) {
  if (task.kind == TaskKind::kKnown) {
    check_split(task.data, task.known.split, path + ".known.split");
    return;
  }
  check_split(task.data, task.train, path + ".train");
  check_split(task.data, task.test, path + ".test");
  if (!task.validation.empty()) check_split(task.data, task.validation, path + ".validation");
}

void check_task_contents(const TaskSettings& task, const std::vector<augment::Axis>& axes,
                         const data::DatasetSummary& data, const std::string& path, config::Problems& problems) {
  const std::string named = "\"" + task.data + "\"";
  if (task.kind == TaskKind::kKnown) {
    if (task.known.marks.size() != axes.size()) return;  // reported already
    const int64_t pictures = downstream::n_pictures(task.known, axes);
    const int64_t count = data.count(task.known.split);
    if (count == 0 || pictures <= count) return;
    problems.add(path + ".known.classes", fmt::format("{}, which takes {} samples", task.known.classes, pictures),
                 fmt::format("no more samples than the {} of split {} of {}", count, task.known.split, task.data));
  } else if (!task.has_classes()) {
    if (data.n_targets == 0) {
      problems.add(path + ".data", named,
                   fmt::format("a data set with targets for a {} task", config::name_of(task.kind)));
    } else {
      downstream::target_columns(task, data.target_names, path, problems);
    }
  } else if (data.n_classes == 0) {
    problems.add(path + ".data", named,
                 fmt::format("a data set with classes for a {} task", config::name_of(task.kind)));
  } else if (task.kind == TaskKind::kFewShot) {
    const auto is_there = [&](const std::string& split) { return split.empty() || data.class_counts.contains(split); };
    if (is_there(task.train) && is_there(task.validation) && is_there(task.test))  // else reported already
      downstream::check_few_shot(task, data, path, problems);
  } else if (downstream::chosen_classes(task, data.n_classes).size() < 2) {
    problems.add(path + (task.class_limit == 1 ? ".class_limit" : ".class_every"),
                 std::to_string(task.class_limit == 1 ? task.class_limit : task.class_every),
                 fmt::format("at least two classes of the {}", data.n_classes));
  }
}

/// What only targets' values tell: whether attributes are 0 or 1, boxes have an area.
void check_targets(const Suite& suite, const Datasets& datasets, config::Problems& problems) {
  for (size_t index = 0; index < suite.tasks.size(); ++index) {
    const TaskSettings& task = suite.tasks[index];
    const data::Dataset& dataset = datasets.at(task.data);
    if (task.has_classes() || dataset.target_names.empty()) continue;  // the latter is reported
    downstream::check_targets(task, dataset, fmt::format("tasks[{}]", index), problems);
  }
}

/// What only pixels tell: whether known tasks find enough pictures, with colour where they ask for it.
void check_known_pictures(const Suite& suite, const Datasets& datasets, config::Problems& problems) {
  for (size_t index = 0; index < suite.tasks.size(); ++index) {
    const TaskSettings& task = suite.tasks[index];
    if (task.kind != TaskKind::kKnown) continue;
    try {
      downstream::draw_pictures(task.known, suite.axes, datasets.at(task.data), static_cast<uint64_t>(suite.seed), 0);
    } catch (const ConfigError& error) {
      problems.add(fmt::format("tasks[{}].known.classes", index), std::to_string(task.known.classes), "fewer",
                   error.what());
    }
  }
}

}  // namespace

int64_t class_count(const TaskSettings& task, const data::DatasetSummary& data) {
  if (task.kind == TaskKind::kKnown) return task.known.classes;
  return std::ssize(downstream::parts_of(task, data).train.classes);
}

Manifests find_manifests(const Suite& suite, const DataFolders& folders, config::Problems& problems) {
  Manifests manifests;
  const auto where = data::manifest_folders(folders.suite_folder, folders.data_folders);
  for (size_t index = 0; index < suite.data.size(); ++index) {
    const auto manifest =
        data::find_manifest(suite.data[index].name, where, fmt::format("data[{}].name", index), problems);
    if (!manifest) continue;
    const config::Media altered = augment::media_of(suite.axes);
    if (manifest->media != altered) {
      problems.add(fmt::format("data[{}].name", index),
                   fmt::format("\"{}\", of {}", suite.data[index].name, config::name_of(manifest->media)),
                   fmt::format("a data set of {}, which the axes alter", config::name_of(altered)),
                   altered == config::Media::kSounds ? "" : "\"axes\": \"sound-k3\" has axes that alter sounds");
      continue;
    }
    manifests.emplace(suite.data[index].name, *manifest);
  }
  return manifests;
}

Summaries check_data(const Suite& suite, const Manifests& manifests, const DataFolders& folders, data::CheckDepth depth,
                     config::Problems& problems) {
  Summaries summaries;
  for (size_t index = 0; index < suite.data.size(); ++index) {
    const auto manifest = manifests.find(suite.data[index].name);
    if (manifest == manifests.end()) continue;
    const auto summary =
        data::check_dataset(manifest->second, suite.data[index], {folders.data_folders, at::get_num_threads(), {}},
                            depth, fmt::format("data[{}]", index), problems);
    if (summary) summaries.emplace(suite.data[index].name, *summary);
  }
  const SplitCheck check_split(suite, manifests, problems);
  for (size_t index = 0; index < suite.encoders.size(); ++index) {
    const train::PretrainSettings& pretraining = suite.encoders[index].pretraining;
    check_split(pretraining.data, pretraining.split, fmt::format("encoders[{}].pretraining.split", index));
    if (pretraining.monitor.every > 0) {
      check_split(pretraining.monitor.data, pretraining.monitor.split,
                  fmt::format("encoders[{}].pretraining.monitor.split", index));
    }
  }
  for (size_t index = 0; index < suite.tasks.size(); ++index) {
    check_task_splits(suite.tasks[index], fmt::format("tasks[{}]", index), check_split);
  }
  if (!suite.sensitivity.data.empty())
    check_split(suite.sensitivity.data, suite.sensitivity.split, "sensitivity.split");
  if (!suite.measure.data.empty()) check_split(suite.measure.data, suite.measure.split, "measure.split");
  check_contents(suite, summaries, problems);
  return summaries;
}

namespace {

/// Where a manifest splits classes, novel ones are met in both splits of a few-shot task: no encoder may have been
/// pretrained on either.
void check_pretrained(const Suite& suite, size_t index, const data::DatasetSummary& data, config::Problems& problems) {
  const TaskSettings& task = suite.tasks[index];
  if (!downstream::takes_class_splits(task, data) || !is_pretrained_on(suite, task.data, task.train)) return;
  problems.add(fmt::format("tasks[{}].train", index), "\"" + task.train + "\"",
               "a split that no encoder is pretrained on: it has novel classes, too",
               "set few_shot.novel_classes to take novel classes from split test alone");
}

}  // namespace

void check_contents(const Suite& suite, const Summaries& summaries, config::Problems& problems) {
  for (size_t index = 0; index < suite.encoders.size(); ++index) {
    const train::PretrainSettings& pretraining = suite.encoders[index].pretraining;
    const auto watched = summaries.find(pretraining.monitor.data);
    if (pretraining.monitor.every > 0 && watched != summaries.end() && watched->second.n_classes == 0) {
      problems.add(fmt::format("encoders[{}].pretraining.monitor.data", index), "\"" + pretraining.monitor.data + "\"",
                   "a data set with classes");
    }
    const auto found = summaries.find(pretraining.data);
    if (found == summaries.end() || pretraining.steps == 0) continue;
    const int64_t count = found->second.count(pretraining.split);
    if (count == 0 || pretraining.global_batch <= count) continue;
    problems.add(fmt::format("encoders[{}].pretraining.global_batch", index), std::to_string(pretraining.global_batch),
                 fmt::format("at most {}, the samples of split {}", count, pretraining.split));
  }
  for (size_t index = 0; index < suite.tasks.size(); ++index) {
    const auto found = summaries.find(suite.tasks[index].data);
    if (found == summaries.end()) continue;
    check_task_contents(suite.tasks[index], suite.axes, found->second, fmt::format("tasks[{}]", index), problems);
    check_pretrained(suite, index, found->second, problems);
  }
  const auto found = summaries.find(suite.sensitivity.data);
  if (found == summaries.end()) return;
  const int64_t count = found->second.count(suite.sensitivity.split);
  if (count > 0 && count < 3) {
    problems.add("sensitivity.split", "\"" + suite.sensitivity.split + "\"",
                 fmt::format("a split of three or more samples, not {}", count));
  }
}

std::vector<TaskSize> task_sizes(const Suite& suite, const Summaries& summaries) {
  std::vector<TaskSize> sizes;
  for (const TaskSettings& task : suite.tasks) {
    if (task.kind == TaskKind::kKnown) {
      const int64_t classes = task.known.classes;
      const int64_t train = classes * task.known.train_per_class;
      const int64_t validation = classes * task.known.validation_per_class;
      sizes.push_back({train, validation, classes * task.known.test_per_class, train + validation});
      continue;
    }
    const data::DatasetSummary& data = summaries.at(task.data);
    const downstream::TaskParts parts = downstream::parts_of(task, data);
    const int64_t all = downstream::n_pictures(parts.train, data);
    const double train = task.train_fraction * static_cast<double>(all);
    const int64_t validation = downstream::n_pictures(parts.validation, data);
    const int64_t test = downstream::n_pictures(parts.test, data);
    const bool is_cut = task.validation.empty() || task.kind == TaskKind::kFewShot;
    const double cut = is_cut ? task.validation_fraction : 0.0;
    const bool has_own_episodes = task.kind == TaskKind::kFewShot && validation > 0;
    // A share of train is validated on as large a share of a split that is named for it.
    const double validated =
        (task.kind == TaskKind::kFewShot ? 1.0 : task.train_fraction) * static_cast<double>(validation);
    sizes.push_back({static_cast<int64_t>((1.0 - cut) * train), static_cast<int64_t>(validated + cut * train), test,
                     has_own_episodes ? validation : all + validation});
  }
  return sizes;
}

void refuse_unequal_data(const Datasets& datasets, const comm::Communicator& comm) {
  std::string hashes;
  for (const auto& [name, dataset] : datasets) {
    for (const auto& [split, hash] : dataset.record.split_hashes)
      hashes += fmt::format("{} {} {}\n", name, split, hash);
  }
  const std::vector<std::string> all = comm.all_gather(hashes);
  comm::together(comm, [&] {
    if (hashes != all.front()) {
      throw_config(
          "the data on {} are not those of rank 0; mend the copy of the data there. Splits here:\n{}there:\n{}",
          comm.host(), hashes, all.front());
    }
  });
}

Datasets load_datasets(const Suite& suite, const Manifests& manifests, const DataFolders& folders,
                       const comm::Communicator& comm) {
  const comm::Patience patience(comm);  // a node may decode what another one has packed
  Datasets datasets;
  for (const data::DatasetSettings& settings : suite.data) {
    std::optional<Progress> progress;
    data::LoadOptions options{folders.data_folders, at::get_num_threads(), {}};
    if (comm.is_root()) {
      options.progress = [&](int64_t done, int64_t total) {
        if (!progress) progress.emplace("decode " + settings.name, total, "samples");
        progress->update(done);
      };
    }
    // Each node throws as one; the nodes then agree.
    comm::together(comm, [&] {
      datasets.emplace(settings.name,
                       data::load_dataset(manifests.at(settings.name), settings, options, comm.node_memory()));
    });
  }
  refuse_unequal_data(datasets, comm);
  comm::together(comm, [&] {
    config::Problems problems;
    Summaries summaries;
    for (const auto& [name, dataset] : datasets) summaries.emplace(name, data::summary_of(dataset));
    check_contents(suite, summaries, problems);
    check_targets(suite, datasets, problems);
    check_known_pictures(suite, datasets, problems);
    problems.throw_if_any("the decoded data");
  });
  return datasets;
}

}  // namespace invaria::suite

#include "suite/load.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <optional>

#include "comm/agree.hpp"
#include "core/progress.hpp"
#include "downstream/known_task.hpp"

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
    const auto settings =
        std::find_if(suite_.data.begin(), suite_.data.end(), [&](const auto& entry) { return entry.name == dataset; });
    const std::vector<std::string> names = split_names(manifest->second, *settings);
    if (std::find(names.begin(), names.end(), split) == names.end()) {
      problems_.add(path, "\"" + split + "\"", "a split of " + dataset, config::name_hint(split, names));
    }
  }

 private:
  const Suite& suite_;
  const Manifests& manifests_;
  config::Problems& problems_;
};

void check_task(const TaskSettings& task, const std::string& path, const Manifests& manifests,
                const SplitCheck& check_split, config::Problems& problems) {
  if (task.kind == TaskKind::kKnown) {
    check_split(task.data, task.known.split, path + ".known.split");
    return;
  }
  check_split(task.data, task.train, path + ".train");
  check_split(task.data, task.test, path + ".test");
  if (!task.validation.empty()) check_split(task.data, task.validation, path + ".validation");
  const auto manifest = manifests.find(task.data);
  if (manifest == manifests.end()) return;
  if (task.kind == TaskKind::kClassification && manifest->second.classes == 0) {
    problems.add(path + ".data", "\"" + task.data + "\"", "a data set with classes for a classification task");
  } else if (task.kind == TaskKind::kClassification && class_count(task, manifest->second) < 2) {
    problems.add(path + (task.class_limit == 1 ? ".class_limit" : ".class_every"),
                 std::to_string(task.class_limit == 1 ? task.class_limit : task.class_every),
                 fmt::format("at least two classes of the {}", manifest->second.classes));
  }
}

int64_t split_count(const data::Manifest& manifest, const std::string& name) {
  const data::SplitManifest* split = manifest.find_split(name);
  return split != nullptr ? split->count.value_or(0) : 0;
}

/// The share of a data set's classes that a task uses.
double class_share(const TaskSettings& task, const data::Manifest& manifest) {
  if (task.kind != TaskKind::kClassification || manifest.classes == 0) return 1.0;
  return static_cast<double>(class_count(task, manifest)) / static_cast<double>(manifest.classes);
}

}  // namespace

int64_t class_count(const TaskSettings& task, const data::Manifest& manifest) {
  if (task.kind == TaskKind::kRegression) return 0;
  if (task.kind == TaskKind::kKnown) return task.known.classes;
  const int64_t every = (manifest.classes + task.class_every - 1) / task.class_every;
  return task.class_limit > 0 ? std::min(every, task.class_limit) : every;
}

Manifests find_manifests(const Suite& suite, const DataFolders& folders, config::Problems& problems) {
  Manifests manifests;
  const auto where = data::manifest_folders(folders.suite_folder, folders.data_folders);
  for (size_t index = 0; index < suite.data.size(); ++index) {
    const auto manifest =
        data::find_manifest(suite.data[index].name, where, fmt::format("data[{}].name", index), problems);
    if (manifest) manifests.emplace(suite.data[index].name, *manifest);
  }
  return manifests;
}

void check_data(const Suite& suite, const Manifests& manifests, const DataFolders& folders, data::CheckDepth depth,
                config::Problems& problems) {
  for (size_t index = 0; index < suite.data.size(); ++index) {
    const auto manifest = manifests.find(suite.data[index].name);
    if (manifest == manifests.end()) continue;
    data::check_dataset(manifest->second, suite.data[index], {folders.data_folders, at::get_num_threads(), {}}, depth,
                        fmt::format("data[{}]", index), problems);
  }
  const SplitCheck check_split(suite, manifests, problems);
  for (size_t index = 0; index < suite.encoders.size(); ++index) {
    const train::PretrainSettings& pretraining = suite.encoders[index].pretraining;
    const std::string path = fmt::format("encoders[{}].pretraining", index);
    check_split(pretraining.data, pretraining.split, path + ".split");
    const auto manifest = manifests.find(pretraining.data);
    const int64_t count = manifest != manifests.end() ? split_count(manifest->second, pretraining.split) : 0;
    if (count > 0 && pretraining.steps > 0 && pretraining.global_batch > count) {
      problems.add(path + ".global_batch", std::to_string(pretraining.global_batch),
                   fmt::format("at most {}, the pictures of split {}", count, pretraining.split));
    }
  }
  for (size_t index = 0; index < suite.tasks.size(); ++index) {
    check_task(suite.tasks[index], fmt::format("tasks[{}]", index), manifests, check_split, problems);
  }
  const auto sensitivity = manifests.find(suite.sensitivity.data);
  if (sensitivity == manifests.end()) return;
  check_split(suite.sensitivity.data, suite.sensitivity.split, "sensitivity.split");
  const data::SplitManifest* split = sensitivity->second.find_split(suite.sensitivity.split);
  if (split != nullptr && split->count.value_or(3) < 3) {
    problems.add("sensitivity.split", "\"" + suite.sensitivity.split + "\"",
                 fmt::format("a split of three or more pictures, not {}", *split->count));
  }
}

std::vector<TaskSize> task_sizes(const Suite& suite, const Manifests& manifests) {
  std::vector<TaskSize> sizes;
  for (const TaskSettings& task : suite.tasks) {
    if (task.kind == TaskKind::kKnown) {
      const int64_t classes = task.known.classes;
      sizes.push_back({classes * task.known.train_per_class, classes * task.known.validation_per_class,
                       classes * task.known.test_per_class});
      continue;
    }
    const data::Manifest& manifest = manifests.at(task.data);
    const double share = class_share(task, manifest);
    const auto part = [&](const std::string& split, double fraction) {
      return static_cast<int64_t>(share * fraction * static_cast<double>(split_count(manifest, split)));
    };
    const bool has_validation = !task.validation.empty();
    sizes.push_back({part(task.train, has_validation ? 1.0 : 1.0 - task.validation_fraction),
                     has_validation ? part(task.validation, 1.0) : part(task.train, task.validation_fraction),
                     part(task.test, 1.0)});
  }
  return sizes;
}

Datasets load_datasets(const Suite& suite, const Manifests& manifests, const DataFolders& folders,
                       const comm::Communicator& comm) {
  Datasets datasets;
  for (const data::DatasetSettings& settings : suite.data) {
    std::optional<Progress> progress;
    data::LoadOptions options{folders.data_folders, at::get_num_threads(), {}};
    if (comm.is_root()) {
      options.progress = [&](int64_t done, int64_t total) {
        if (!progress) progress.emplace("decode " + settings.name, total, "pictures");
        progress->update(done);
      };
    }
    // Each node throws as one; the nodes then agree.
    comm::together(comm, [&] {
      datasets.emplace(settings.name,
                       data::load_dataset(manifests.at(settings.name), settings, options, comm.node_memory()));
    });
  }
  return datasets;
}

}  // namespace invaria::suite

#include "downstream/task_parts.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "core/errors.hpp"
#include "data/splits.hpp"

namespace invaria::downstream {
namespace {

/// Samples of a class in some splits, parts of a sound as one.
int64_t n_pictures_of(const data::DatasetSummary& data, const std::vector<std::string>& splits, int64_t label) {
  return std::accumulate(splits.begin(), splits.end(), int64_t{0}, [&](int64_t n, const std::string& split) {
    return n + data.class_counts.at(split)[static_cast<size_t>(label)];
  });
}

TaskPart all_occurring(const data::DatasetSummary& data, const std::string& split) {
  TaskPart part{{split}, {}};
  for (int64_t label = 0; label < data.n_classes; ++label) {
    if (n_pictures_of(data, part.splits, label) > 0) part.classes.push_back(label);
  }
  return part;
}

TaskParts parts_by_manifest(const TaskSettings& task, const data::DatasetSummary& data) {
  const auto part = [&](const char* name) {
    const auto found = data.class_splits.find(name);
    if (found == data.class_splits.end()) return TaskPart{};
    return TaskPart{{task.train, task.test}, found->second};
  };
  return {part("base"), part("validation"), part("novel")};
}

/// The parts as splits have classes; with `novel_classes` these are met in test alone.
TaskParts parts_by_splits(const TaskSettings& task, const data::DatasetSummary& data) {
  TaskParts parts{all_occurring(data, task.train), {}, all_occurring(data, task.test)};
  if (!task.validation.empty()) parts.validation = all_occurring(data, task.validation);
  const int64_t n_novel = task.few_shot.novel_classes;
  if (n_novel == 0) return parts;
  if (n_novel >= data.n_classes) {
    throw_config("task {}: few_shot.novel_classes {} of the {} classes of {} leaves none to learn from", task.name,
                 n_novel, data.n_classes, task.data);
  }
  parts.test.classes = data::spread_classes(data.n_classes, n_novel);
  const std::set<int64_t> novel(parts.test.classes.begin(), parts.test.classes.end());
  for (TaskPart* part : {&parts.train, &parts.validation})
    std::erase_if(part->classes, [&](int64_t label) { return novel.contains(label); });
  return parts;
}

TaskParts few_shot_parts(const TaskSettings& task, const data::DatasetSummary& data) {
  return takes_class_splits(task, data) ? parts_by_manifest(task, data) : parts_by_splits(task, data);
}

/// The first few names.
std::string some_of(const std::vector<std::string>& names) {
  constexpr std::ptrdiff_t kShown = 5;
  const auto end = names.begin() + std::min(std::ssize(names), kShown);
  const std::string shown = fmt::format("{}", fmt::join(names.begin(), end, ", "));
  return std::ssize(names) > kShown ? fmt::format("{} and {} more", shown, std::ssize(names) - kShown) : shown;
}

/// Checks the parts of one few-shot task.
class FewShotCheck {
 public:
  FewShotCheck(const TaskSettings& task, const data::DatasetSummary& data, std::string path, config::Problems& problems)
      : task_(task), data_(data), path_(std::move(path)), problems_(problems) {}

  void operator()(const TaskParts& parts) const {
    const bool by_manifest = takes_class_splits(task_, data_);
    if (by_manifest && !task_.validation.empty()) {
      problems_.add(config::join_path(path_, "validation"), "\"" + task_.validation + "\"",
                    "none: the manifest of " + task_.data + " says which classes are for validation", "leave it out");
    }
    check_disjoint(parts.train, task_.train, parts.test);
    check_disjoint(parts.validation, task_.validation, parts.test);
    const bool is_counted = data_.count(task_.train) > 0;  // else a manifest promises the split and does not count it
    if (is_counted && parts.train.classes.size() < 2) {
      problems_.add(
          config::join_path(path_, by_manifest ? "data" : "train"),
          "\"" + (by_manifest ? task_.data : task_.train) + "\"",
          fmt::format("at least two base classes to learn i and the penalty on, not {}", parts.train.classes.size()),
          "few_shot.novel_classes makes so many classes novel and all others base");
    }
    check_samples(parts.test, "test", task_.test);
    if (parts.validation.splits.empty()) {
      if (parts.train.classes.size() >= 2) check_samples(parts.train, "train", task_.train);
    } else {
      check_samples(parts.validation, by_manifest ? "data" : "validation", by_manifest ? task_.data : task_.validation);
    }
  }

 private:
  void check_disjoint(const TaskPart& learned, const std::string& split, const TaskPart& judged) const {
    std::vector<std::string> shared;
    for (int64_t label : judged.classes) {
      if (std::find(learned.classes.begin(), learned.classes.end(), label) != learned.classes.end())
        shared.push_back(data_.classes[static_cast<size_t>(label)]);
    }
    if (shared.empty()) return;
    problems_.add(config::join_path(path_, "test"), "\"" + task_.test + "\"",
                  fmt::format("classes that split {} does not have; shared: {}", split, some_of(shared)),
                  "name splits that differ in their classes, or set few_shot.novel_classes");
  }

  void check_samples(const TaskPart& part, const char* key, const std::string& found) const {
    const bool is_counted = std::any_of(part.splits.begin(), part.splits.end(),
                                        [&](const std::string& split) { return data_.count(split) > 0; });
    if (!part.splits.empty() && !is_counted) return;  // a manifest promises the split and does not count it
    const int64_t wanted = task_.few_shot.shots + task_.few_shot.queries;
    const auto enough = std::count_if(part.classes.begin(), part.classes.end(), [&](int64_t label) {
      return n_pictures_of(data_, part.splits, label) >= wanted;
    });
    if (enough >= task_.few_shot.ways) return;
    problems_.add(config::join_path(path_, key), "\"" + found + "\"",
                  fmt::format("at least {} classes (ways) of {} samples (shots + queries), not {}", task_.few_shot.ways,
                              wanted, enough),
                  "lower few_shot.ways, few_shot.shots or few_shot.queries");
  }

  const TaskSettings& task_;
  const data::DatasetSummary& data_;
  std::string path_;
  config::Problems& problems_;
};

}  // namespace

int64_t n_pictures(const TaskPart& part, const data::DatasetSummary& data) {
  int64_t n = 0;
  for (int64_t label : part.classes) n += data.parts * n_pictures_of(data, part.splits, label);
  if (!part.classes.empty()) return n;
  for (const std::string& split : part.splits) n += data.count(split);
  return n;
}

std::vector<int64_t> chosen_classes(const TaskSettings& task, int64_t n_classes) {
  std::vector<int64_t> chosen;
  for (int64_t label = 0; label < n_classes; label += task.class_every) {
    if (task.class_limit > 0 && std::ssize(chosen) == task.class_limit) break;
    chosen.push_back(label);
  }
  return chosen;
}

bool takes_class_splits(const TaskSettings& task, const data::DatasetSummary& data) {
  return task.kind == TaskKind::kFewShot && task.few_shot.novel_classes == 0 && !data.class_splits.empty();
}

TaskParts parts_of(const TaskSettings& task, const data::DatasetSummary& data) {
  if (task.kind == TaskKind::kFewShot) return few_shot_parts(task, data);
  std::vector<int64_t> classes;
  if (task.has_classes()) {
    classes = chosen_classes(task, data.n_classes);
    if (classes.size() < 2)
      throw_config("task {}: {} leaves {} classes, expected at least 2", task.name, task.data, classes.size());
  }
  TaskParts parts{{{task.train}, classes}, {}, {{task.test}, classes}};
  if (!task.validation.empty()) parts.validation = {{task.validation}, classes};
  return parts;
}

void check_few_shot(const TaskSettings& task, const data::DatasetSummary& data, const std::string& path,
                    config::Problems& problems) {
  if (task.few_shot.novel_classes >= data.n_classes && data.n_classes > 0) {
    problems.add(config::join_path(path, "few_shot.novel_classes"), std::to_string(task.few_shot.novel_classes),
                 fmt::format("less than {}, the classes of {}", data.n_classes, task.data));
    return;
  }
  FewShotCheck(task, data, path, problems)(few_shot_parts(task, data));
}

}  // namespace invaria::downstream

#include "downstream/task_settings.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "downstream/known_task.hpp"

namespace invaria::downstream {
namespace {

std::string names_of(const std::vector<Metric>& metrics) {
  std::vector<std::string> names;
  for (Metric metric : metrics) names.push_back(config::name_of(metric));
  return fmt::format("{}", fmt::join(names, ", "));
}

/// Whether "attr_*" or "attr_hat" in a suite means the target "attr_hat".
bool names_target(const std::string& wanted, const std::string& target) {
  if (wanted.ends_with('*')) return target.starts_with(wanted.substr(0, wanted.size() - 1));
  return wanted == target;
}

/// What a task takes that names no targets: those that data sets give for its kind, else all.
std::vector<std::string> default_targets(TaskKind kind, const std::vector<std::string>& target_names) {
  const char* wanted = kind == TaskKind::kKeypoints    ? "point_*"
                       : kind == TaskKind::kBox        ? "box_*"
                       : kind == TaskKind::kMultiLabel ? "attr_*"
                                                       : "*";
  const bool are_there = std::any_of(target_names.begin(), target_names.end(),
                                     [&](const std::string& target) { return names_target(wanted, target); });
  return {are_there ? wanted : "*"};
}

bool contains(const std::vector<augment::Operation>& operations, augment::Operation wanted) {
  return std::find(operations.begin(), operations.end(), wanted) != operations.end();
}

/// Whether settings differ in colour alone where a grey picture has none.
bool tells_colours_apart(const std::vector<augment::FixedSetting>& asked) {
  return std::any_of(asked.begin(), asked.end(), [&](const augment::FixedSetting& setting) {
    return setting.hue != asked.front().hue || setting.saturation != asked.front().saturation;
  });
}

bool asks_for_grey(const std::vector<augment::FixedSetting>& asked) {
  return std::any_of(asked.begin(), asked.end(), [](const augment::FixedSetting& setting) {
    return setting.grayscale || setting.saturation == 0.0;
  });
}

/// An axis that asks for colours stands beside no axis that grays pictures, whether that one is drawn or asked for as
/// well. No other operations undo one another: crops and flips move what the rest leave, blurs and solarization keep
/// hues and places apart, and jitter keeps some of the colour that grayscale asks for.
void validate_contradictions(const KnownSettings& known, const std::vector<augment::Axis>& axes,
                             const std::string& path, config::Problems& problems) {
  for (size_t colour = 0; colour < axes.size(); ++colour) {
    if (known.marks[colour] != '0' || !tells_colours_apart(asked_settings(known.marks, axes[colour]))) continue;
    for (size_t other = 0; other < axes.size(); ++other) {
      if (other == colour || known.marks[other] == '-') continue;
      const bool grays = known.marks[other] == '1' ? contains(axes[other].operations, augment::Operation::kGrayscale)
                                                   : asks_for_grey(asked_settings(known.marks, axes[other]));
      if (!grays) continue;
      problems.add(
          path, "\"" + known.marks + "\"",
          fmt::format("marks whose operations do not undo one another: {} removes the hue that {} is asked for",
                      axes[other].name, axes[colour].name),
          fmt::format("mark {} with - to leave it alone", axes[other].name));
    }
  }
}

/// Classes that look alike cannot be told apart at any i.
void validate_settings_differ(const KnownSettings& known, const std::vector<augment::Axis>& axes,
                              const augment::ViewSettings& pretraining, const config::StoredShape& stored,
                              const std::string& path, config::Problems& problems) {
  for (size_t axis = 0; axis < axes.size(); ++axis) {
    if (known.marks[axis] != '0') continue;
    const auto same = alike(stored, asked_settings(known.marks, axes[axis]), known.views(pretraining));
    if (!same) continue;
    problems.add(path, "\"" + known.marks + "\"",
                 fmt::format("0 only on axes whose fixed_settings show a sample differently; of {} the numbers "
                             "{} and {} show it alike",
                             axes[axis].name, same->first, same->second),
                 fmt::format("change them, or mark {} with -", axes[axis].name));
  }
}

}  // namespace

augment::AugmentSettings milder_crops(augment::AugmentSettings strengths) {
  strengths.crop_area = {0.35, 1.0};
  return strengths;
}

augment::AugmentSettings milder_crops() {
  return milder_crops(augment::AugmentSettings());
}

KindMetrics metrics_of(TaskKind kind) {
  using enum Metric;
  switch (kind) {
    case TaskKind::kClassification:
    case TaskKind::kKnown:
      return {{kTop1}, {kTop5, kMeanPerClass}};
    case TaskKind::kFewShot:
      return {{kTop1}, {}};
    case TaskKind::kMultiLabel:
      return {{kMap}, {}};
    case TaskKind::kRegression:
      return {{kR2, kR2Flat}, {}};
    case TaskKind::kBox:
      return {{kBoxIou, kR2}, {kR2Flat}};
    case TaskKind::kKeypoints:
      return {{kR2, kR2Flat, kNme}, {}};
  }
  return {};
}

std::vector<Metric> TaskSettings::resolved_metrics() const {
  return metrics.empty() ? metrics_of(kind).defaults : metrics;
}

void TaskSettings::validate(const std::string& path, config::Problems& problems) const {
  const KindMetrics fitting = metrics_of(kind);
  std::vector<Metric> allowed = fitting.defaults;
  allowed.insert(allowed.end(), fitting.others.begin(), fitting.others.end());
  for (Metric metric : metrics) {
    if (std::find(allowed.begin(), allowed.end(), metric) != allowed.end()) continue;
    problems.add(config::join_path(path, "metrics"), config::excerpt(config::write(metrics)),
                 fmt::format("metrics of a {} task: {}", config::name_of(kind), names_of(allowed)));
    return;
  }
  if (kind == TaskKind::kKeypoints && !nme_points.empty() &&
      (nme_points.size() != 2 || nme_points[0] == nme_points[1])) {
    problems.add(config::join_path(path, "nme_points"), config::excerpt(config::write(nme_points)),
                 "two different keypoints, or none");
  }
  if (std::set(metrics.begin(), metrics.end()).size() != metrics.size())
    problems.add(config::join_path(path, "metrics"), config::excerpt(config::write(metrics)), "each metric once");
  if (kind != TaskKind::kKnown) {
    const std::string rule = "another split than the one to learn from and the one to choose by";
    if (test == train || test == validation) problems.add(config::join_path(path, "test"), "\"" + test + "\"", rule);
    if (validation == train)
      problems.add(config::join_path(path, "validation"), "\"" + validation + "\"",
                   "another split than the one to learn from; empty: cut from it");
  }
  if (kind == TaskKind::kKnown && known.marks.empty()) {
    problems.add(config::join_path(path, "known.marks"), "", "one of 0, 1, - for each axis");
  }
}

std::vector<size_t> target_columns(const TaskSettings& task, const std::vector<std::string>& target_names,
                                   const std::string& path, config::Problems& problems) {
  const std::string where = config::join_path(path, "targets");
  const std::vector<std::string> wanted =
      task.targets.empty() ? default_targets(task.kind, target_names) : task.targets;
  std::set<size_t> chosen;
  for (size_t index = 0; index < wanted.size(); ++index) {
    const size_t before = chosen.size();
    for (size_t column = 0; column < target_names.size(); ++column) {
      if (names_target(wanted[index], target_names[column])) chosen.insert(column);
    }
    if (chosen.size() == before && !task.targets.empty()) {
      problems.add(fmt::format("{}[{}]", where, index), "\"" + wanted[index] + "\"",
                   "a target of the data set, or the beginning of some with a star, each once",
                   config::name_hint(wanted[index], target_names));
    }
  }
  const std::vector<size_t> columns(chosen.begin(), chosen.end());
  const auto found = static_cast<int64_t>(columns.size());
  if (task.kind == TaskKind::kBox && found != 4)
    problems.add(where, fmt::format("{} of the data set's targets", found), "four: left, top, right, bottom");
  if (task.kind == TaskKind::kKeypoints && (found == 0 || found % 2 != 0))
    problems.add(where, fmt::format("{} of the data set's targets", found), "an even number: x and y of each keypoint");
  for (int64_t point : task.nme_points) {
    if (2 * point + 1 >= found)
      problems.add(config::join_path(path, "nme_points"), std::to_string(point),
                   fmt::format("less than {}, the number of keypoints", found / 2));
  }
  return columns;
}

void validate_known(const KnownSettings& known, const std::vector<augment::Axis>& axes,
                    const augment::ViewSettings& pretraining, const config::StoredShape& stored,
                    const std::string& path, config::Problems& problems) {
  const std::string where = config::join_path(path, "marks");
  const std::string found = "\"" + known.marks + "\"";
  if (known.marks.size() != axes.size() || known.marks.find_first_not_of("01-") != std::string::npos) {
    problems.add(where, found, fmt::format("{} marks, one an axis, each 0, 1 or -", axes.size()));
    return;
  }
  if (known.marks.find('1') == std::string::npos) {
    problems.add(where, found, "at least one 1: without a drawn axis every invariance does well");
    return;
  }
  const size_t problems_before = problems.list().size();
  for (size_t axis = 0; axis < axes.size(); ++axis) {
    if (known.marks[axis] == '0' && axes[axis].fixed_settings.size() < 2) {
      problems.add(where, found,
                   fmt::format("0 only on axes with two or more fixed_settings; {} has {}", axes[axis].name,
                               axes[axis].fixed_settings.size()));
    }
  }
  validate_contradictions(known, axes, where, problems);
  validate_settings_differ(known, axes, pretraining, stored, where, problems);
  if (problems.list().size() > problems_before) return;
  if (const int64_t pictures = n_pictures(known, axes); pictures < 5) {
    problems.add(config::join_path(path, "classes"), std::to_string(known.classes),
                 fmt::format("at least {} classes: five pictures times {} combinations of fixed settings",
                             5 * combinations(known.marks, axes).size(), combinations(known.marks, axes).size()));
  }
}

}  // namespace invaria::downstream

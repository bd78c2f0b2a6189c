#include "downstream/task_settings.hpp"

#include <algorithm>
#include <set>

#include "downstream/known_task.hpp"

namespace invaria::downstream {
namespace {

bool contains(const std::vector<augment::Operation>& operations, augment::Operation wanted) {
  return std::find(operations.begin(), operations.end(), wanted) != operations.end();
}

bool is_regression_metric(Metric metric) {
  return metric == Metric::kR2 || metric == Metric::kR2Flat;
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
                              const std::string& path, config::Problems& problems) {
  for (size_t axis = 0; axis < axes.size(); ++axis) {
    if (known.marks[axis] != '0') continue;
    const auto same = alike(asked_settings(known.marks, axes[axis]), known.augment);
    if (!same) continue;
    problems.add(
        path, "\"" + known.marks + "\"",
        fmt::format("0 only on axes whose fixed_settings show a coloured picture differently; of {} the numbers "
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

void TaskSettings::validate(const std::string& path, config::Problems& problems) const {
  for (Metric metric : metrics) {
    if (is_regression_metric(metric) != (kind == TaskKind::kRegression)) {
      problems.add(config::join_path(path, "metrics"), config::excerpt(config::write(metrics)),
                   kind == TaskKind::kRegression ? "r2 or r2_flat for a regression task"
                                                 : "top1 or mean_per_class for a task with classes");
      return;
    }
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

std::vector<Metric> TaskSettings::resolved_metrics() const {
  if (!metrics.empty()) return metrics;
  if (kind == TaskKind::kRegression) return {Metric::kR2, Metric::kR2Flat};
  return {Metric::kTop1};
}

void validate_known(const KnownSettings& known, const std::vector<augment::Axis>& axes, const std::string& path,
                    config::Problems& problems) {
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
  validate_settings_differ(known, axes, where, problems);
  if (problems.list().size() > problems_before) return;
  if (const int64_t pictures = n_pictures(known, axes); pictures < 5) {
    problems.add(config::join_path(path, "classes"), std::to_string(known.classes),
                 fmt::format("at least {} classes: five pictures times {} combinations of fixed settings",
                             5 * combinations(known.marks, axes).size(), combinations(known.marks, axes).size()));
  }
}

}  // namespace invaria::downstream

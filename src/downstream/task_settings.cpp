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

/// Axes marked 0 ask for what their fixed settings change; an axis marked 1 that grays the picture takes any colour
/// away again.
void validate_contradictions(const KnownSettings& known, const std::vector<augment::Axis>& axes,
                             const std::string& path, config::Problems& problems) {
  for (size_t asked = 0; asked < axes.size(); ++asked) {
    for (size_t drawn = 0; drawn < axes.size(); ++drawn) {
      if (known.marks[asked] != '0' || known.marks[drawn] != '1') continue;
      if (contains(axes[asked].operations, augment::Operation::kColorJitter) &&
          contains(axes[drawn].operations, augment::Operation::kGrayscale)) {
        problems.add(path, "\"" + known.marks + "\"",
                     "marks whose operations do not undo one another: " + axes[drawn].name + " removes the hue that " +
                         axes[asked].name + " is asked for",
                     "mark " + axes[drawn].name + " with - to leave it alone");
      }
    }
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
  if (problems.list().size() > problems_before) return;
  if (const int64_t pictures = n_pictures(known, axes); pictures < 5) {
    problems.add(config::join_path(path, "classes"), std::to_string(known.classes),
                 fmt::format("at least {} classes: five pictures times {} combinations of fixed settings",
                             5 * combinations(known.marks, axes).size(), combinations(known.marks, axes).size()));
  }
}

}  // namespace invaria::downstream

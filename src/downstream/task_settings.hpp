#pragma once
/// @file
/// What a downstream task is: real classes or targets, or a known-invariance task made from pictures.

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "augment/axes.hpp"
#include "augment/views.hpp"
#include "config/setting.hpp"
#include "downstream/few_shot_settings.hpp"
#include "downstream/metrics.hpp"

namespace invaria::downstream {

/// These strengths, but for crops that leave more of the picture: a class must stay recognisable.
augment::AugmentSettings milder_crops(augment::AugmentSettings strengths);
/// The same of the default strengths.
augment::AugmentSettings milder_crops();

enum class TaskKind {
  kClassification,
  kMultiLabel,  ///< attributes of 0 or 1, any number of them at once
  kRegression,  ///< numbers
  kBox,         ///< left, top, right, bottom
  kKeypoints,   ///< x, y, x, y, ...
  kKnown,
  kFewShot,
};

/// A known-invariance task: a class is a picture or sound combined with one fixed setting of every axis marked 0; axes
/// marked 1 are drawn at random for each sample; axes marked - are left alone. So the invariance that it wants is
/// known: its marks.
struct KnownSettings {
  std::string marks;  ///< one of 0, 1, - for each axis, in axis order
  int64_t classes = 40;
  int64_t train_per_class = 4;
  int64_t validation_per_class = 4;
  int64_t test_per_class = 12;
  std::string split = "test";  ///< pictures that pretraining did not see
  double min_saturation =
      0.15;  ///< of a picture, where an axis with colour operations is marked 0: grey pictures have no hue
  augment::AugmentSettings augment = milder_crops();
  augment::SoundAugmentSettings sound;

  /// Strengths as these say, all else as in an encoder's pretraining.
  augment::ViewSettings views(const augment::ViewSettings& pretraining) const {
    augment::ViewSettings views;
    views.pictures = augment;
    views.sound.augment = sound;
    return views.framed_as(pretraining);
  }

  static auto settings() {
    using S = KnownSettings;
    using config::between;
    using config::setting;
    return std::tuple{
        setting("marks", &S::marks, "for each axis 0 (asked for), 1 (drawn at random) or - (left alone)"),
        setting("classes", &S::classes, "pictures times fixed settings", between(2, 80)),
        setting("train_per_class", &S::train_per_class, "samples", between(2, 1e4)),
        setting("validation_per_class", &S::validation_per_class, "samples", between(1, 1e4)),
        setting("test_per_class", &S::test_per_class, "samples", between(1, 1e4)),
        setting("split", &S::split, "split that pictures are taken from; one that pretraining does not see"),
        setting("min_saturation", &S::min_saturation, "mean saturation that a picture needs where colour is asked for",
                between(0, 1)),
        setting("augment", &S::augment,
                "strength of the operations on the axes marked 1; what is not given is as in the pretraining of the "
                "first conditioned encoder, or as in a preset named here, but crop_area [0.35, 1]"),
        setting("sound", &S::sound, "the same of operations on sounds; method and vocoder_n_fft are the encoder's own"),
    };
  }
};

struct TaskSettings {
  std::string name;
  TaskKind kind = TaskKind::kClassification;
  std::string data;
  std::string train = "train";
  std::string validation;  ///< empty: cut from train
  std::string test = "test";
  double validation_fraction = 0.25;
  int64_t class_every = 1;           ///< of the sorted classes, every n-th
  int64_t class_limit = 0;           ///< the first n of those; 0: all
  std::vector<std::string> targets;  ///< names, or prefixes with a star; empty: the kind's
  std::vector<int64_t> nme_points;
  double train_fraction = 1.0;
  std::vector<Metric> metrics;  ///< the first chooses the penalty; empty: metrics_of(kind).defaults
  KnownSettings known;
  FewShotSettings few_shot;

  static auto settings() {
    using S = TaskSettings;
    using config::between;
    using config::setting;
    return std::tuple{
        setting("name", &S::name, "unique name of the task", config::required_name()),
        setting(
            "kind", &S::kind,
            "classification, multi-label (attributes of 0 or 1), regression, box (targets left, top, right, "
            "bottom), keypoints (targets x, y, x, y, ...), known (a known-invariance task) or few-shot (episodes of "
            "classes that learning has not met)"),
        setting("data", &S::data, "a data set of the suite", config::required()),
        setting("train", &S::train, "split to learn from; of few-shot: with the base classes"),
        setting("validation", &S::validation, "split to choose by; empty: cut from the training split"),
        setting("test", &S::test, "split to judge by, read once; of few-shot: with the novel classes"),
        setting("validation_fraction", &S::validation_fraction,
                "share that is cut from the training split; 0: none, where nothing is chosen on validation, and so the "
                "default under protocol paper",
                between(0, 0.9)),
        setting("class_every", &S::class_every, "use every n-th of the sorted classes", between(1, 1e6)),
        setting("class_limit", &S::class_limit, "use the first n of those; 0: all", between(0, 1e6)),
        setting("targets", &S::targets,

                "targets of the data set by name, or with a star all whose names begin so; empty: point_* (keypoints), "
                "box_* (box) or attr_* (multi-label) where there are any, else all of them"),
        setting("nme_points", &S::nme_points,
                "of keypoints: the two, counted from 0, whose distance nme divides by (the outer corners of the eyes); "
                "empty: sqrt(width x height) of the box around a sample's points",
                config::at_least(0)),
        setting("train_fraction", &S::train_fraction,
                "share of the training and of the validation samples to learn from; smaller shares lie within larger "
                "ones",
                between(1e-4, 1)),
        setting("metrics", &S::metrics,
                "the first chooses on validation; empty: top1; map (multi-label); box_iou, r2 (box); r2, r2_flat "
                "(regression), and nme (keypoints)"),
        setting("known", &S::known, "settings of a known-invariance task"),
        setting("few_shot", &S::few_shot, "settings of a few-shot task"),
    };
  }
  void validate(const std::string& path, config::Problems& problems) const;

  /// `metrics`, or the default of the kind.
  std::vector<Metric> resolved_metrics() const;
  /// Whether samples have classes, rather than targets.
  bool has_classes() const {
    return kind == TaskKind::kClassification || kind == TaskKind::kKnown || kind == TaskKind::kFewShot;
  }
};

/// Metrics that a kind of task can be judged by; the first are its default.
struct KindMetrics {
  std::vector<Metric> defaults;
  std::vector<Metric> others;
};
KindMetrics metrics_of(TaskKind kind);

/// The columns of a data set's targets that a task is about, in the data set's order. What the task names and the data
/// set lacks, and numbers of targets that do not fit the kind, go to `problems` under `path`.
std::vector<size_t> target_columns(const TaskSettings& task, const std::vector<std::string>& target_names,
                                   const std::string& path, config::Problems& problems);

/// What a known task asks of the axes: as many marks as axes, at least one 1, on the axes marked 0 two or more fixed
/// settings that show a coloured picture differently, at least five pictures and at most 80 classes, and no axis marked
/// 0 whose operations another axis undoes.
/// @param pretraining  what samples are seen by
/// @param stored       the shape of the task's data
void validate_known(const KnownSettings& known, const std::vector<augment::Axis>& axes,
                    const augment::ViewSettings& pretraining, const config::StoredShape& stored,
                    const std::string& path, config::Problems& problems);

}  // namespace invaria::downstream

template <>
struct invaria::config::EnumNames<invaria::downstream::TaskKind> {
  using enum invaria::downstream::TaskKind;
  static constexpr std::array<std::pair<invaria::downstream::TaskKind, const char*>, 7> kNames{
      {{kClassification, "classification"},
       {kMultiLabel, "multi-label"},
       {kRegression, "regression"},
       {kBox, "box"},
       {kKeypoints, "keypoints"},
       {kKnown, "known"},
       {kFewShot, "few-shot"}}};
};

#pragma once
/// @file
/// A suite: one JSON file that says what is pretrained, on which tasks it is judged, by which arms, how often.

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <tuple>
#include <vector>

#include "augment/axes.hpp"
#include "config/setting.hpp"
#include "data/settings.hpp"
#include "downstream/measure.hpp"
#include "downstream/sensitivity.hpp"
#include "downstream/settings.hpp"
#include "downstream/task_settings.hpp"
#include "train/pretrain_settings.hpp"

namespace invaria::suite {

/// How an amortised encoder's i comes about. Encoders without conditioning are arms of their own, under their names.
enum class Arm {
  kLearnedProjected,
  kLearnedProjectedDiscretised,
  kLearnedJoint,
  kLearnedJointDiscretised,
  kLearnedEpisode,  ///< projected on each few-shot episode's support
  kCorners,         ///< i at every corner of {0, 1}^K
  kCentre,
  kGrid,  ///< every point of a grid, and from them grid-best and oracle
};

/// One encoder of the suite.
struct EncoderEntry {
  std::string name;
  std::vector<std::string> corners;
  int64_t min_ones = 1;
  std::vector<double> corner_weights;
  train::PretrainSettings pretraining;

  static auto settings() {
    using S = EncoderEntry;
    return std::tuple{
        config::setting("name", &S::name, "unique name; of an encoder without conditioning also its arm's",
                        config::required_name()),
        config::setting("corners", &S::corners,
                        "invariances met in pretraining, bits in axis order; empty: without conditioning all ones, "
                        "else every corner with min_ones"),
        config::setting("min_ones", &S::min_ones, "ones that a corner needs where corners is empty",
                        config::between(0, 64)),
        config::setting("corner_weights", &S::corner_weights,
                        "how often each of `corners` is drawn, relative to the others; empty: all alike",
                        config::above(0)),
        config::setting("pretraining", &S::pretraining, "how it is pretrained"),
    };
  }
};

/// Everything that a run computes follows from this.
struct Suite {
  std::string name;
  std::vector<data::DatasetSettings> data;
  std::vector<augment::Axis> axes = augment::default_axes();
  std::vector<EncoderEntry> encoders;
  std::vector<int64_t> encoder_seeds = {0};
  std::vector<downstream::TaskSettings> tasks;
  std::vector<Arm> arms = {Arm::kLearnedProjected, Arm::kCorners, Arm::kCentre, Arm::kGrid};
  int64_t repeats = 3;
  int64_t seed = 0;
  downstream::DownstreamSettings downstream;
  downstream::SensitivitySettings sensitivity;
  downstream::MeasureSettings measure;
  double checkpoint_every_s = 60.0;
  std::vector<std::string> published;

  bool asks_for(Arm arm) const { return std::find(arms.begin(), arms.end(), arm) != arms.end(); }
  /// Whether i is learned in this way, to be used as it is or discretised.
  bool asks_for_projected() const {
    return asks_for(Arm::kLearnedProjected) || asks_for(Arm::kLearnedProjectedDiscretised);
  }
  /// Whether anything reads the settings of projected learning.
  bool learns_projected() const { return asks_for_projected() || asks_for(Arm::kLearnedEpisode); }
  bool asks_for_joint() const { return asks_for(Arm::kLearnedJoint) || asks_for(Arm::kLearnedJointDiscretised); }
  /// The entry of `data` with this name. @throws PreconditionError if there is none
  const data::DatasetSettings& dataset(const std::string& dataset_name) const;

  static auto settings() {
    using S = Suite;
    using config::setting;
    return std::tuple{
        setting("name", &S::name, "name of the suite", config::required_name()),
        setting("data", &S::data, "data sets, decoded once per node", config::required()),
        setting("axes", &S::axes, "groups of operations, one coordinate of i each; or the name of known ones"),
        setting("encoders", &S::encoders, "encoders to pretrain", config::required()),
        setting("encoder_seeds", &S::encoder_seeds, "every encoder is pretrained once for each",
                config::between(0, 1e9)),
        setting("tasks", &S::tasks, "downstream tasks"),
        setting("arms", &S::arms, "how the i of a conditioned encoder comes about"),
        setting("repeats", &S::repeats, "each redraws a task's pictures or split and all batches",
                config::between(1, 1e6)),
        setting("seed", &S::seed, "of tasks and readouts", config::between(0, 1e9)),
        setting("downstream", &S::downstream, "readout, learned invariance, BatchNorm statistics"),
        setting("sensitivity", &S::sensitivity, "how far features move under single transformations"),
        setting("published", &S::published, "tables of results/published that a report lays beside the run's"),
        setting("measure", &S::measure, "for `invaria measure`: how alike features stay under known transformations"),
        setting("checkpoint_every_s", &S::checkpoint_every_s, "wall time between pretraining checkpoints in seconds",
                config::between(0, 1e6)),
    };
  }
};

/// The suite file as JSON text, with `--set` overrides applied and `encoder_defaults` and `task_defaults` merged under
/// each entry (RFC 7396, the entry's own values win) and named axes spelt out, read into `suite`. Everything wrong with
/// single values is added to `problems`. What the section `downstream` leaves open is its protocol's; what known tasks
/// leave open of their strengths is taken from reference_encoder().
Suite read_suite(const config::json::value& text, config::Problems& problems);

/// What spans settings: names that must exist or be unique, corners and marks that must fit the axes, arms, splits
/// that pretraining must not see.
void validate_suite(const Suite& suite, config::Problems& problems);

/// The JSON schema of a suite file, defaults sections included.
config::json::object suite_schema();

/// The first conditioned encoder, else the first encoder. The strengths of its pretraining's operations are those of
/// the known tasks (with milder crops, as far as a task does not set its own) and of the sensitivity table, so that all
/// encoders of a suite are asked the same. @throws PreconditionError without encoders
const EncoderEntry& reference_encoder(const Suite& suite);

/// What the samples of a data set of the suite become: pictures or sounds, as its axes alter, of the data set's size.
/// Of a name that the suite has not, the default size.
config::StoredShape stored_shape(const Suite& suite, const std::string& data);

/// Whether an encoder is pretrained on this split.
bool is_pretrained_on(const Suite& suite, const std::string& data, const std::string& split);

/// Whether i can be learned on each episode of a task: a few-shot task with two shots or more, so that both halves of a
/// support know every class.
bool allows_learned_episodes(const downstream::TaskSettings& task);

/// Whether a task may do without a validation set: one that would be cut from what it learns from, for choices among
/// readouts.
bool may_cut_none(const downstream::TaskSettings& task);

/// The corners that an encoder meets in pretraining. @throws ConfigError if a corner does not fit the axes
std::vector<config::Invariance> corners_of(const EncoderEntry& encoder, int64_t n_axes);

}  // namespace invaria::suite

template <>
struct invaria::config::EnumNames<invaria::suite::Arm> {
  using enum invaria::suite::Arm;
  static constexpr std::array<std::pair<invaria::suite::Arm, const char*>, 8> kNames{
      {{kLearnedProjected, "learned-projected"},
       {kLearnedProjectedDiscretised, "learned-projected-discretised"},
       {kLearnedJoint, "learned-joint"},
       {kLearnedJointDiscretised, "learned-joint-discretised"},
       {kLearnedEpisode, "learned-episode"},
       {kCorners, "corners"},
       {kCentre, "centre"},
       {kGrid, "grid"}}};
};

#pragma once
/// @file
/// How a frozen encoder is judged: readout, learned invariance, BatchNorm statistics. Defaults: the sound protocol.

#include <array>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "config/setting.hpp"

namespace invaria::downstream {

/// What a readout is judged by in the end.
enum class Refit {
  kNone,                ///< the fit on the training set that was chosen on validation
  kTrainAndValidation,  ///< another fit at the chosen penalty, on both together
};

/// How a linear readout is fitted.
enum class Solver {
  kExact,  ///< to the optimum at each penalty: logistic regression by Newton's method, ridge regression in closed form
  kDescent,  ///< as published: by Adam in batches, as learned-joint's own, without a penalty
};

/// The linear readout, the same at every i: features centred and divided by one scalar.
struct ReadoutSettings {
  Solver solver = Solver::kExact;
  std::vector<double> l2 = {1e-4, 1e-3, 1e-2, 1e-1};
  int64_t max_passes = 1000;
  Refit refit = Refit::kNone;

  static auto settings() {
    using S = ReadoutSettings;
    return std::tuple{
        config::setting("solver", &S::solver,
                        "exact (logistic or ridge regression, to the optimum), or descent (by Adam with the epochs, "
                        "batch, rate and kept "
                        "epoch of downstream.joint, without a penalty)"),
        config::setting("l2", &S::l2, "penalties l2/2 |W|^2 to choose from on validation", config::above(0)),
        config::setting("max_passes", &S::max_passes, "over the features, of logistic regression at a penalty",
                        config::between(1, 100000)),
        config::setting("refit", &S::refit,
                        "none: the readout that was chosen; train-and-validation: fitted again to both at its penalty"),
    };
  }
  void validate(const std::string& path, config::Problems& problems) const {
    if (l2.empty()) problems.add(config::join_path(path, "l2"), "[]", "at least one penalty");
  }
};

/// The readout inside learned-projected, solved for at every step.
enum class InnerReadout {
  kRidge,     ///< of centred one-hot classes, or of standardised numbers: in closed form
  kLogistic,  ///< of classes and attributes, as the final readout: implicit differentiation through its optimum
};

/// How learned-projected moves i on the held-out loss.
enum class Descent {
  kAdam,         ///< a batch of its own for every step, clamped to [0, 1]^K
  kQuasiNewton,  ///< box-constrained, on batches that grow and lie within one another
};

/// What decides where learned-projected ends.
enum class Choice {
  kLoss,        ///< the lowest held-out loss
  kValidation,  ///< the task's metric on validation, among the ends of the descents and the nearest corner
};

/// Learning i by projecting the readout out: every step solves for the readout at the present i and descends on its
/// held-out loss.
struct ProjectedSettings {
  InnerReadout readout = InnerReadout::kRidge;
  std::vector<double> ridge = {1.0};
  std::vector<double> l2 = {1e-3, 1e-2, 1e-1};
  Descent descent = Descent::kAdam;
  int64_t batch = 1000;
  int64_t first_batch = 1000;
  int64_t steps = 14;
  int64_t starts = 1;
  Choice choice = Choice::kValidation;
  double learning_rate = 0.1;
  double beta1 = 0.9;
  double beta2 = 0.99;

  static auto settings() {
    using S = ProjectedSettings;
    return std::tuple{
        config::setting("readout", &S::readout,
                        "the readout inside: ridge (in closed form) or logistic (implicit differentiation through its "
                        "optimum); numbers are regressed in any case"),
        config::setting("ridge", &S::ridge,
                        "penalties lambda of the ridge regression; the one with the lowest loss counts",
                        config::above(0)),
        config::setting("l2", &S::l2,
                        "penalties l2/2 |W|^2 of the logistic readout; the one with the lowest loss counts",
                        config::above(0)),
        config::setting("descent", &S::descent,
                        "adam (a batch of its own for every step) or quasi-newton (box-constrained, on batches that "
                        "grow from first_batch to batch, fourfold)"),
        config::setting("batch", &S::batch, "samples a step at most, but two of each class", config::between(4, 1e6)),
        config::setting("first_batch", &S::first_batch,
                        "samples of the first step; later ones grow geometrically up to batch",
                        config::between(4, 1e6)),
        config::setting("steps", &S::steps, "steps of Adam, or evaluations of quasi-newton on each batch",
                        config::between(1, 1e5)),
        config::setting(
            "starts", &S::starts,
            "descents: 1 from the centre; more from the points with the lowest loss on the first batch among "
            "the centre and the corners (32 of them where there are more)",
            config::between(1, 32)),
        config::setting("choice", &S::choice,
                        "where it ends: loss (the lowest of the descents), or validation, by the first metric on the "
                        "validation set: another descent's end if it is better than the lowest by more than a standard "
                        "error, then the nearest corner if that is better; each judged as any fixed i (not in few-shot "
                        "episodes, which have no validation set)"),
        config::setting("learning_rate", &S::learning_rate, "of Adam on i", config::between(1e-6, 10)),
        config::setting("beta1", &S::beta1, "of Adam on i", config::between(0, 0.999999)),
        config::setting("beta2", &S::beta2, "of Adam on i", config::between(0, 0.999999)),
    };
  }
  void validate(const std::string& path, config::Problems& problems) const {
    if (ridge.empty()) problems.add(config::join_path(path, "ridge"), "[]", "at least one penalty");
    if (l2.empty()) problems.add(config::join_path(path, "l2"), "[]", "at least one penalty");
  }
};

/// Where learned-joint ends.
enum class KeptEpoch {
  kBest,  ///< by the validation metric
  kLast,
};

/// How learned-joint's readout sees features. Scaled: centred, and divided by one scalar, the root mean feature
/// variance.
enum class JointScaling {
  kNone,   ///< as they are, as published
  kBatch,  ///< scaled by the moments of the batch, with gradient; judged with their means over the epoch
  kStart,  ///< scaled by the training set's moments at the i that learning starts from
};

/// How learned-joint's rates fall.
enum class JointSchedule {
  kConstant,  ///< as published
  kCosine,    ///< to 0 at the last step
};

/// Learning i jointly with the readout by gradient descent, as published.
struct JointSettings {
  int64_t epochs = 100;
  int64_t batch = 16;
  double readout_learning_rate = 0.01;
  double invariance_learning_rate = 0.01;
  JointScaling scaling = JointScaling::kNone;
  JointSchedule schedule = JointSchedule::kConstant;
  KeptEpoch keep = KeptEpoch::kBest;
  int64_t repeats = 1;

  static auto settings() {
    using S = JointSettings;
    return std::tuple{
        config::setting("epochs", &S::epochs, "passes over the training set", config::between(1, 1e5)),
        config::setting("batch", &S::batch, "samples a step", config::between(1, 1e5)),
        config::setting("readout_learning_rate", &S::readout_learning_rate, "of Adam on the readout",
                        config::between(1e-6, 10)),
        config::setting("invariance_learning_rate", &S::invariance_learning_rate, "of Adam on i",
                        config::between(1e-6, 10)),
        config::setting("scaling", &S::scaling,
                        "of the features that the readout sees: none (as published), batch (centred and divided by one "
                        "scalar, moments of the batch) or start (moments of the training set at the first i)"),
        config::setting("schedule", &S::schedule, "of both rates: constant (as published) or cosine (to 0)"),
        config::setting("keep", &S::keep, "the epoch that is kept: best (by the validation metric) or last"),
        config::setting("repeats", &S::repeats, "of the suite's repeats, how many (it is slow)",
                        config::between(0, 1e4)),
    };
  }
};

/// BatchNorm statistics re-estimated at the chosen i, on clean, unlabelled pretraining pictures.
struct ReestimationSettings {
  int64_t images = 1000;
  int64_t batch = 500;  ///< statistics are averaged over batches of this size

  static auto settings() {
    using S = ReestimationSettings;
    return std::tuple{
        config::setting("images", &S::images, "clean pretraining pictures", config::between(2, 1e7)),
        config::setting("batch", &S::batch, "pictures a batch; statistics are averaged over batches",
                        config::between(2, 1e6)),
    };
  }
};

/// Under which BatchNorm statistics the features of a conditioned encoder are read; others keep their running ones.
enum class BnStatistics {
  kRunning,      ///< those of pretraining, a mixture over its corners
  kReestimated,  ///< taken anew at each i, on clean pretraining samples
  kValidated,    ///< whichever of the two is better on a task's validation set, at each i
};

/// Whose way of judging. Each is a set of defaults of the other settings, see protocol_defaults().
enum class Protocol { kSound, kTransfer, kPaper };

struct DownstreamSettings {
  Protocol protocol = Protocol::kSound;
  ReadoutSettings readout;
  ProjectedSettings projected;
  JointSettings joint;
  BnStatistics bn_statistics = BnStatistics::kReestimated;
  ReestimationSettings batch_norm;
  int64_t grid_per_axis = 3;
  int64_t bootstrap = 1000;

  /// Whether a penalty, an epoch, an i or statistics are chosen on a task's validation set.
  bool chooses_on_validation() const {
    return readout.solver == Solver::kExact || joint.keep == KeptEpoch::kBest ||
           projected.choice == Choice::kValidation || bn_statistics == BnStatistics::kValidated;
  }

  /// Whether learned-joint is judged by the readout that it learned with i, as published, rather than by a fresh one.
  bool judges_own_readout() const { return protocol == Protocol::kPaper; }

  static auto settings() {
    using S = DownstreamSettings;
    return std::tuple{
        config::setting("protocol", &S::protocol,
                        "sound; transfer (45 penalties, refit on train + validation) or paper (as published): defaults "
                        "of the settings beside it, which win"),
        config::setting("readout", &S::readout, "the linear readout"),
        config::setting("projected", &S::projected, "arm learned-projected"),
        config::setting("joint", &S::joint, "arm learned-joint, the published way"),
        config::setting("bn_statistics", &S::bn_statistics,
                        "BatchNorm statistics that features of conditioned encoders are read under: running; "
                        "re-estimated at each i; validated: the better of the two on a task's validation set"),
        config::setting("batch_norm", &S::batch_norm, "how statistics are re-estimated"),
        config::setting("grid_per_axis", &S::grid_per_axis, "values of i on each axis of the grid",
                        config::between(2, 101)),
        config::setting("bootstrap", &S::bootstrap,
                        "resamples of the test set for the 95 % interval of every value; 0: none",
                        config::between(0, 1e6)),
    };
  }
};

/// The part of the section `downstream` of a suite that a protocol gives, to be merged under the suite's own.
config::json::object protocol_defaults(Protocol protocol);

}  // namespace invaria::downstream

template <>
struct invaria::config::EnumNames<invaria::downstream::Solver> {
  using enum invaria::downstream::Solver;
  static constexpr std::array<std::pair<invaria::downstream::Solver, const char*>, 2> kNames{
      {{kExact, "exact"}, {kDescent, "descent"}}};
};
template <>
struct invaria::config::EnumNames<invaria::downstream::Refit> {
  using enum invaria::downstream::Refit;
  static constexpr std::array<std::pair<invaria::downstream::Refit, const char*>, 2> kNames{
      {{kNone, "none"}, {kTrainAndValidation, "train-and-validation"}}};
};
template <>
struct invaria::config::EnumNames<invaria::downstream::InnerReadout> {
  using enum invaria::downstream::InnerReadout;
  static constexpr std::array<std::pair<invaria::downstream::InnerReadout, const char*>, 2> kNames{
      {{kRidge, "ridge"}, {kLogistic, "logistic"}}};
};
template <>
struct invaria::config::EnumNames<invaria::downstream::Descent> {
  using enum invaria::downstream::Descent;
  static constexpr std::array<std::pair<invaria::downstream::Descent, const char*>, 2> kNames{
      {{kAdam, "adam"}, {kQuasiNewton, "quasi-newton"}}};
};
template <>
struct invaria::config::EnumNames<invaria::downstream::Choice> {
  using enum invaria::downstream::Choice;
  static constexpr std::array<std::pair<invaria::downstream::Choice, const char*>, 2> kNames{
      {{kLoss, "loss"}, {kValidation, "validation"}}};
};
template <>
struct invaria::config::EnumNames<invaria::downstream::JointScaling> {
  using enum invaria::downstream::JointScaling;
  static constexpr std::array<std::pair<invaria::downstream::JointScaling, const char*>, 3> kNames{
      {{kNone, "none"}, {kBatch, "batch"}, {kStart, "start"}}};
};
template <>
struct invaria::config::EnumNames<invaria::downstream::JointSchedule> {
  using enum invaria::downstream::JointSchedule;
  static constexpr std::array<std::pair<invaria::downstream::JointSchedule, const char*>, 2> kNames{
      {{kConstant, "constant"}, {kCosine, "cosine"}}};
};
template <>
struct invaria::config::EnumNames<invaria::downstream::KeptEpoch> {
  using enum invaria::downstream::KeptEpoch;
  static constexpr std::array<std::pair<invaria::downstream::KeptEpoch, const char*>, 2> kNames{
      {{kBest, "best"}, {kLast, "last"}}};
};
template <>
struct invaria::config::EnumNames<invaria::downstream::BnStatistics> {
  using enum invaria::downstream::BnStatistics;
  static constexpr std::array<std::pair<invaria::downstream::BnStatistics, const char*>, 3> kNames{
      {{kRunning, "running"}, {kReestimated, "re-estimated"}, {kValidated, "validated"}}};
};
template <>
struct invaria::config::EnumNames<invaria::downstream::Protocol> {
  using enum invaria::downstream::Protocol;
  static constexpr std::array<std::pair<invaria::downstream::Protocol, const char*>, 3> kNames{
      {{kSound, "sound"}, {kTransfer, "transfer"}, {kPaper, "paper"}}};
};

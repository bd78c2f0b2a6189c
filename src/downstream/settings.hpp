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
  kExact,    ///< to the optimum at each penalty: L-BFGS, ridge regression
  kDescent,  ///< as published: by Adam in batches, as learned-joint's own, without a penalty
};

/// The linear readout, the same at every i: features centred and divided by one scalar.
struct ReadoutSettings {
  Solver solver = Solver::kExact;
  std::vector<double> l2 = {1e-4, 1e-3, 1e-2, 1e-1};
  int64_t max_iterations = 500;
  Refit refit = Refit::kNone;

  static auto settings() {
    using S = ReadoutSettings;
    return std::tuple{
        config::setting("solver", &S::solver,
                        "exact (L-BFGS, ridge regression), or descent (by Adam with the epochs, batch, rate and kept "
                        "epoch of downstream.joint, without a penalty)"),
        config::setting("l2", &S::l2, "penalties l2/2 |W|^2 to choose from on validation", config::above(0)),
        config::setting("max_iterations", &S::max_iterations, "of L-BFGS, a penalty", config::between(1, 100000)),
        config::setting("refit", &S::refit,
                        "none: the readout that was chosen; train-and-validation: fitted again to both at its penalty"),
    };
  }
  void validate(const std::string& path, config::Problems& problems) const {
    if (l2.empty()) problems.add(config::join_path(path, "l2"), "[]", "at least one penalty");
  }
};

/// Learning i by projecting the readout out: every step solves ridge regression at the present i and descends on its
/// held-out loss.
struct ProjectedSettings {
  int64_t batch = 1000;  ///< samples a step at most, stratified
  int64_t steps = 14;
  double ridge = 1.0;
  double learning_rate = 0.1;  ///< of Adam on i
  double beta1 = 0.9;
  double beta2 = 0.99;

  static auto settings() {
    using S = ProjectedSettings;
    return std::tuple{
        config::setting("batch", &S::batch, "samples a step at most", config::between(4, 1e6)),
        config::setting("steps", &S::steps, "steps of i", config::between(1, 1e5)),
        config::setting("ridge", &S::ridge, "lambda of the inner ridge regression", config::above(0)),
        config::setting("learning_rate", &S::learning_rate, "of Adam on i", config::between(1e-6, 10)),
        config::setting("beta1", &S::beta1, "of Adam on i", config::between(0, 0.999999)),
        config::setting("beta2", &S::beta2, "of Adam on i", config::between(0, 0.999999)),
    };
  }
};

/// Where learned-joint ends.
enum class KeptEpoch {
  kBest,  ///< by the validation metric
  kLast,
};

/// Learning i jointly with the readout by gradient descent, as published.
struct JointSettings {
  int64_t epochs = 100;
  int64_t batch = 16;
  double readout_learning_rate = 0.01;
  double invariance_learning_rate = 0.01;
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
        config::setting("keep", &S::keep, "the epoch that is kept: best (by the validation metric) or last"),
        config::setting("repeats", &S::repeats, "of the suite's repeats, how many (it is slow)",
                        config::between(0, 1e4)),
    };
  }
};

/// BatchNorm statistics re-estimated at the chosen i, on clean, unlabelled pretraining pictures.
struct ReestimationSettings {
  bool enabled = true;  ///< conditioned encoders only; others keep their running statistics
  int64_t images = 1000;
  int64_t batch = 500;  ///< statistics are averaged over batches of this size

  static auto settings() {
    using S = ReestimationSettings;
    return std::tuple{
        config::setting("enabled", &S::enabled, "re-estimate for conditioned encoders; false: running statistics"),
        config::setting("images", &S::images, "clean pretraining pictures", config::between(2, 1e7)),
        config::setting("batch", &S::batch, "pictures a batch; statistics are averaged over batches",
                        config::between(2, 1e6)),
    };
  }
};

/// Whose way of judging. Each is a set of defaults of the other settings, see protocol_defaults().
enum class Protocol { kSound, kTransfer, kPaper };

struct DownstreamSettings {
  Protocol protocol = Protocol::kSound;
  ReadoutSettings readout;
  ProjectedSettings projected;
  JointSettings joint;
  ReestimationSettings batch_norm;
  int64_t grid_per_axis = 3;
  int64_t bootstrap = 1000;

  static auto settings() {
    using S = DownstreamSettings;
    return std::tuple{
        config::setting("protocol", &S::protocol,
                        "sound; transfer (45 penalties, refit on train + validation) or paper (as published): defaults "
                        "of the settings beside it, which win"),
        config::setting("readout", &S::readout, "the linear readout"),
        config::setting("projected", &S::projected, "arm learned-projected"),
        config::setting("joint", &S::joint, "arm learned-joint, the published way"),
        config::setting("batch_norm", &S::batch_norm, "re-estimated BatchNorm statistics"),
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
struct invaria::config::EnumNames<invaria::downstream::KeptEpoch> {
  using enum invaria::downstream::KeptEpoch;
  static constexpr std::array<std::pair<invaria::downstream::KeptEpoch, const char*>, 2> kNames{
      {{kBest, "best"}, {kLast, "last"}}};
};
template <>
struct invaria::config::EnumNames<invaria::downstream::Protocol> {
  using enum invaria::downstream::Protocol;
  static constexpr std::array<std::pair<invaria::downstream::Protocol, const char*>, 3> kNames{
      {{kSound, "sound"}, {kTransfer, "transfer"}, {kPaper, "paper"}}};
};

#pragma once
/// @file
/// How a frozen encoder is judged: readout, learned invariance, BatchNorm statistics. Defaults: the sound protocol.

#include <cstdint>
#include <tuple>
#include <vector>

#include "config/setting.hpp"

namespace invaria::downstream {

/// The linear readout, the same at every i: features centred and divided by one scalar.
struct ReadoutSettings {
  std::vector<double> l2 = {1e-4, 1e-3, 1e-2, 1e-1};
  int64_t max_iterations = 500;

  static auto settings() {
    using S = ReadoutSettings;
    return std::tuple{
        config::setting("l2", &S::l2, "penalties l2/2 |W|^2 to choose from on validation", config::above(0)),
        config::setting("max_iterations", &S::max_iterations, "of L-BFGS, a penalty", config::between(1, 100000)),
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

/// Learning i jointly with the readout by gradient descent, as published.
struct JointSettings {
  int64_t epochs = 100;
  int64_t batch = 16;
  double readout_learning_rate = 0.01;
  double invariance_learning_rate = 0.01;
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

struct DownstreamSettings {
  ReadoutSettings readout;
  ProjectedSettings projected;
  JointSettings joint;
  ReestimationSettings batch_norm;
  int64_t grid_per_axis = 3;

  static auto settings() {
    using S = DownstreamSettings;
    return std::tuple{
        config::setting("readout", &S::readout, "the linear readout"),
        config::setting("projected", &S::projected, "arm learned-projected"),
        config::setting("joint", &S::joint, "arm learned-joint, the published way"),
        config::setting("batch_norm", &S::batch_norm, "re-estimated BatchNorm statistics"),
        config::setting("grid_per_axis", &S::grid_per_axis, "values of i on each axis of the grid",
                        config::between(2, 101)),
    };
  }
};

}  // namespace invaria::downstream

#include "downstream/learned_invariance.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>

#include "core/errors.hpp"
#include "core/philox.hpp"
#include "downstream/descending_readout.hpp"
#include "downstream/features.hpp"

namespace invaria::downstream {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Adam (arXiv:1412.6980) on the few numbers of i, with the projection onto [0, 1]^K.
class ProjectedAdam {
 public:
  ProjectedAdam(size_t n, double learning_rate, double beta1, double beta2)
      : learning_rate_(learning_rate), beta1_(beta1), beta2_(beta2), moment_1_(n, 0.0), moment_2_(n, 0.0) {}

  void step(config::Invariance& invariance, const std::vector<double>& gradient) {
    ++steps_;
    for (size_t axis = 0; axis < invariance.size(); ++axis) {
      moment_1_[axis] = beta1_ * moment_1_[axis] + (1 - beta1_) * gradient[axis];
      moment_2_[axis] = beta2_ * moment_2_[axis] + (1 - beta2_) * gradient[axis] * gradient[axis];
      const double mean = moment_1_[axis] / (1 - std::pow(beta1_, steps_));
      const double spread = std::sqrt(moment_2_[axis] / (1 - std::pow(beta2_, steps_)));
      invariance[axis] = std::clamp(invariance[axis] - learning_rate_ * mean / (spread + 1e-12), 0.0, 1.0);
    }
  }

 private:
  double learning_rate_, beta1_, beta2_;
  int64_t steps_ = 0;
  std::vector<double> moment_1_, moment_2_;
};

/// Indices of each class's samples (one class for regression), shuffled by address.
std::vector<std::vector<int64_t>> shuffled_by_class(const Samples& train, int64_t n_classes, uint64_t seed,
                                                    int64_t step) {
  std::vector<std::vector<int64_t>> members(static_cast<size_t>(std::max<int64_t>(n_classes, 1)));
  const at::Tensor labels_B = n_classes > 0 ? train.labels_B : at::zeros({train.size()}, at::kLong);
  const int64_t* labels = labels_B.const_data_ptr<int64_t>();
  for (int64_t index = 0; index < train.size(); ++index) members[static_cast<size_t>(labels[index])].push_back(index);
  for (size_t label = 0; label < members.size(); ++label) {
    Draws draws({.seed = seed, .purpose = Purpose::kSupport, .epoch = static_cast<uint64_t>(step), .sample = label});
    draws.shuffle(std::span(members[label]));
  }
  return members;
}

/// Whether some class has one training sample alone: stratified halves would not both know it.
bool has_lone_sample(const Samples& train, int64_t n_classes) {
  if (n_classes == 0) return train.size() < 2;
  return at::bincount(train.labels_B).eq(1).any().item<bool>();
}

/// A stratified batch in two halves, P (0) and Q (1).
struct SplitBatch {
  std::vector<int64_t> index;
  std::vector<int64_t> half;

  at::Tensor index_B() const { return at::tensor(index, at::kLong); }
  at::Tensor half_B() const { return at::tensor(half, at::kLong); }
};

/// Halves of different samples.
SplitBatch draw_samples(const Samples& train, int64_t n_classes, int64_t limit, uint64_t seed, int64_t step) {
  const std::vector<std::vector<int64_t>> members = shuffled_by_class(train, n_classes, seed, step);
  const double share = std::min(1.0, static_cast<double>(limit) / static_cast<double>(train.size()));
  SplitBatch batch;
  for (size_t label = 0; label < members.size(); ++label) {
    const auto size = static_cast<int64_t>(members[label].size());
    if (size == 0) continue;
    const int64_t take = std::clamp<int64_t>(std::llround(share * static_cast<double>(size)), 2, size);
    // Odd classes lend their extra sample to P and Q in turn.
    const int64_t first_half = static_cast<int64_t>(label) % 2;
    for (int64_t position = 0; position < take; ++position) {
      batch.index.push_back(members[label][static_cast<size_t>(position)]);
      batch.half.push_back((position + first_half) % 2);
    }
  }
  return batch;
}

/// Halves of the same samples, each to be drawn as a view of its own: at most `limit` views in all, but all classes.
SplitBatch draw_views(const Samples& train, int64_t n_classes, int64_t limit, uint64_t seed, int64_t step) {
  const double share = std::min(1.0, static_cast<double>(limit) / static_cast<double>(2 * train.size()));
  SplitBatch batch;
  for (int64_t half : {0, 1}) {
    for (const std::vector<int64_t>& members : shuffled_by_class(train, n_classes, seed, step)) {
      const auto size = static_cast<int64_t>(members.size());
      if (size == 0) continue;
      const int64_t take = std::clamp<int64_t>(std::llround(share * static_cast<double>(size)), 1, size);
      batch.index.insert(batch.index.end(), members.begin(), members.begin() + take);
      batch.half.insert(batch.half.end(), static_cast<size_t>(take), half);
    }
  }
  return batch;
}

/// The views of a batch that draw_views() gave: P by view 32, Q by view 33.
at::Tensor images_of_views(const Samples& train, const SplitBatch& batch, uint64_t seed, int64_t step) {
  constexpr uint32_t kFirstView = 32;  // 0, 1 belong to pretraining, 16 to 18 to known tasks
  const auto middle = batch.index.begin() + static_cast<ptrdiff_t>(batch.index.size() / 2);
  const auto epoch = static_cast<uint64_t>(step);
  return at::cat({train.draw_views({batch.index.begin(), middle}, seed, epoch, kFirstView),
                  train.draw_views({middle, batch.index.end()}, seed, epoch, kFirstView + 1)});
}

/// Held-out loss of the ridge regression fitted on one half.
at::Tensor one_way_loss(const at::Tensor& features_P, const at::Tensor& targets_P, const at::Tensor& features_Q,
                        const at::Tensor& targets_Q, double ridge) {
  const at::Tensor gram_PP =
      at::mm(features_P, features_P.t()) + ridge * at::eye(features_P.size(0), features_P.options());
  const at::Tensor dual_PT = at::linalg_solve(gram_PP, targets_P);
  return (at::mm(features_Q, at::mm(features_P.t(), dual_PT)) - targets_Q).square().sum(1).mean();
}

}  // namespace

at::Tensor regression_targets(const Samples& samples, int64_t n_classes) {
  if (n_classes > 0) {
    const at::Tensor one_hot_BC = at::one_hot(samples.labels_B, n_classes).to(at::kDouble);
    return one_hot_BC - one_hot_BC.mean(0);
  }
  const at::Tensor centred_BT = samples.targets_BT - samples.targets_BT.mean(0);
  return centred_BT / centred_BT.square().mean(0).sqrt().clamp_min(1e-12);
}

at::Tensor projected_loss(const at::Tensor& features_BD, const at::Tensor& targets_BT, const at::Tensor& half_B,
                          double ridge) {
  const at::Tensor centred_BD = features_BD - features_BD.mean(0);
  const at::Tensor scale =
      centred_BD.square().mean().sqrt().clamp_min(1e-12) * std::sqrt(static_cast<double>(features_BD.size(1)));
  const at::Tensor scaled_BD = centred_BD / scale;
  const at::Tensor targets = targets_BT.to(scaled_BD.device(), scaled_BD.scalar_type());
  const at::Tensor index_P = half_B.eq(0).nonzero().flatten().to(scaled_BD.device());
  const at::Tensor index_Q = half_B.eq(1).nonzero().flatten().to(scaled_BD.device());
  const at::Tensor features_P = scaled_BD.index_select(0, index_P);
  const at::Tensor features_Q = scaled_BD.index_select(0, index_Q);
  const at::Tensor targets_P = targets.index_select(0, index_P);
  const at::Tensor targets_Q = targets.index_select(0, index_Q);
  return one_way_loss(features_P, targets_P, features_Q, targets_Q, ridge) +
         one_way_loss(features_Q, targets_Q, features_P, targets_P, ridge);
}

LearnedInvariance learn_projected(const model::Encoder& encoder, const Samples& train, int64_t n_classes,
                                  const ProjectedSettings& settings, uint64_t seed, const StopRequested& stop) {
  const at::Tensor targets_BT = regression_targets(train, n_classes);
  const at::Device device = device_of(encoder);
  const std::unique_ptr<model::FrozenGenerator> generator = encoder.frozen_generator();
  const bool uses_views = has_lone_sample(train, n_classes);
  require(!uses_views || train.draw_views, "learn_projected: a class has one sample, and no views can be drawn of it");
  LearnedInvariance result{config::centre(encoder.n_axes()), {}, 0, uses_views ? "views" : "samples"};
  ProjectedAdam adam(result.invariance.size(), settings.learning_rate, settings.beta1, settings.beta2);
  for (int64_t step = 0; step < settings.steps; ++step) {
    if (stop && stop()) throw StoppedError("learned-projected");
    const SplitBatch batch = uses_views ? draw_views(train, n_classes, settings.batch, seed, step)
                                        : draw_samples(train, n_classes, settings.batch, seed, step);
    const at::Tensor index_B = batch.index_B();
    const at::Tensor images =
        uses_views ? images_of_views(train, batch, seed, step) : train.images_BCHW.index_select(0, index_B);
    const model::Generated generated = generator->at(result.invariance);
    const at::Tensor features_BD = encoder.forward(images.to(device), generated, model::BatchNormPass::running());
    const at::Tensor loss = projected_loss(features_BD.to(at::kDouble), targets_BT.index_select(0, index_B),
                                           batch.half_B(), settings.ridge);
    loss.backward();
    result.trajectory.add(result.invariance, loss.item<double>(), kNaN);
    result.encoder_passes += images.size(0);
    adam.step(result.invariance, generator->gradient(generated.gradients()));
  }
  result.trajectory.add(result.invariance, kNaN, kNaN);
  return result;
}

JointResult learn_joint(const model::Encoder& encoder, const TaskData& task, const JointSettings& settings,
                        Metric metric, uint64_t seed, const StopRequested& stop) {
  const Samples& train = task.train;
  const int64_t n = train.size();
  const at::Device device = device_of(encoder);
  const double sign = less_is_better(metric) ? -1.0 : 1.0;
  const std::unique_ptr<model::FrozenGenerator> generator = encoder.frozen_generator();
  DescendingReadout descending(labelled({}, train, task), encoder.feature_dim(), settings.readout_learning_rate);
  JointResult result;
  result.learned.invariance = config::centre(encoder.n_axes());
  result.validation_value = kNaN;
  double best = -std::numeric_limits<double>::infinity();
  config::Invariance invariance = result.learned.invariance;
  result.learned.trajectory.add(invariance, kNaN, kNaN);
  ProjectedAdam adam(invariance.size(), settings.invariance_learning_rate, 0.9, 0.999);

  for (int64_t epoch = 0; epoch < settings.epochs; ++epoch) {
    const at::Tensor order_B = descent_order(n, seed, epoch);
    double epoch_loss = 0.0;
    for (int64_t first = 0; first < n; first += settings.batch) {
      if (stop && stop()) throw StoppedError("learned-joint");
      const at::Tensor index_B = order_B.narrow(0, first, std::min(settings.batch, n - first));
      const model::Generated generated = generator->at(invariance);
      const at::Tensor features_BD = encoder
                                         .forward(train.images_BCHW.index_select(0, index_B).to(device), generated,
                                                  model::BatchNormPass::running())
                                         .to(at::kCPU);
      const at::Tensor loss = descending.loss(features_BD, index_B);
      loss.backward();
      epoch_loss += loss.item<double>() * static_cast<double>(index_B.size(0)) / static_cast<double>(n);
      result.learned.encoder_passes += index_B.size(0);
      adam.step(invariance, generator->gradient(generated.gradients()));
      descending.step();
    }
    const Readout readout = descending.readout();
    const at::Tensor validation_BD = extract_features(encoder, generator->at(invariance),
                                                      model::BatchNormPass::running(), task.validation.images_BCHW);
    result.learned.encoder_passes += task.validation.size();
    const double value = evaluate(readout, labelled(validation_BD, task.validation, task), metric);
    result.learned.trajectory.add(invariance, epoch_loss, value);
    if (settings.keep == KeptEpoch::kLast || sign * value > best) {
      best = sign * value;
      result.validation_value = value;
      result.learned.invariance = invariance;
      result.readout = readout;
    }
  }
  require(result.readout.weight_DC.defined(), "learn_joint: no epoch gave a finite validation metric");
  return result;
}

config::Invariance discretised(const config::Invariance& invariance) {
  config::Invariance corner;
  for (double value : invariance) corner.push_back(value >= 0.5 ? 1.0 : 0.0);
  return corner;
}

}  // namespace invaria::downstream

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "core/errors.hpp"
#include "core/timer.hpp"
#include "downstream/box_descent.hpp"
#include "downstream/descending_readout.hpp"
#include "downstream/features.hpp"
#include "downstream/learned_invariance.hpp"

namespace invaria::downstream {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

JointResult learn_joint(const model::Encoder& encoder, const TaskData& task, const JointSettings& settings,
                        Metric metric, uint64_t seed, const StopRequested& stop) {
  const Samples& train = task.train;
  const int64_t n = train.size();
  const Timer timer;
  const at::Device device = device_of(encoder);
  const double sign = less_is_better(metric) ? -1.0 : 1.0;
  const std::unique_ptr<model::FrozenGenerator> generator = encoder.frozen_generator();
  DescendingReadout descending(labelled({}, train, task), encoder.feature_dim(), settings.readout_learning_rate);
  JointResult result;
  result.learned.invariance = config::centre(encoder.n_axes());
  result.validation_value = kNaN;
  double best = -std::numeric_limits<double>::infinity();
  config::Invariance invariance = result.learned.invariance;
  result.learned.trajectory.add(invariance, kNaN, kNaN, 0, 0.0);
  DescentScaling scaling(settings.scaling);
  if (settings.scaling == JointScaling::kStart) {
    scaling.fix(extract_features(encoder, generator->at(invariance), model::BatchNormPass::running(), train.pictures));
    result.learned.encoder_passes += n;
  }
  const int64_t steps_an_epoch = (n + settings.batch - 1) / settings.batch;
  ProjectedAdam adam(invariance.size(), settings.invariance_learning_rate, 0.9, 0.999);

  for (int64_t epoch = 0; epoch < settings.epochs; ++epoch) {
    const at::Tensor order_B = descent_order(n, seed, epoch);
    double epoch_loss = 0.0;
    for (int64_t first = 0; first < n; first += settings.batch) {
      if (stop && stop()) throw StoppedError("learned-joint");
      const at::Tensor index_B = order_B.narrow(0, first, std::min(settings.batch, n - first));
      const model::Generated generated = generator->at(invariance);
      const at::Tensor features_BD =
          encoder.forward(train.pictures.at(index_B, device), generated, model::BatchNormPass::running()).to(at::kCPU);
      const at::Tensor loss = descending.loss(scaling.scaled(features_BD), index_B);
      loss.backward();
      epoch_loss += loss.item<double>() * static_cast<double>(index_B.size(0)) / static_cast<double>(n);
      result.learned.encoder_passes += index_B.size(0);
      const double share = descent_share(settings.schedule, epoch * steps_an_epoch + first / settings.batch,
                                         settings.epochs * steps_an_epoch);
      adam.step(invariance, generator->gradient(generated.gradients()), share);
      descending.step(share);
    }
    Readout readout = descending.readout();
    scaling.complete(readout);
    double value = kNaN;
    if (task.validation.size() > 0) {
      const at::Tensor validation_BD = extract_features(encoder, generator->at(invariance),
                                                        model::BatchNormPass::running(), task.validation.pictures);
      result.learned.encoder_passes += task.validation.size();
      value = evaluate(readout, labelled(validation_BD, task.validation, task), metric);
    }
    result.learned.trajectory.add(invariance, epoch_loss, value, result.learned.encoder_passes, timer.seconds());
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

}  // namespace invaria::downstream

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include "core/errors.hpp"
#include "core/philox.hpp"
#include "core/timer.hpp"
#include "downstream/box_descent.hpp"
#include "downstream/features.hpp"
#include "downstream/held_out_loss.hpp"
#include "downstream/learned_invariance.hpp"
#include "downstream/split_batch.hpp"

namespace invaria::downstream {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

constexpr uint64_t kMostScreenedCorners = 32;

/// Samples of step `step` of Adam.
int64_t adam_batch(const ProjectedSettings& settings, int64_t step) {
  const auto first = static_cast<double>(std::min(settings.first_batch, settings.batch));
  const double share = settings.steps > 1 ? static_cast<double>(step) / static_cast<double>(settings.steps - 1) : 1.0;
  return std::llround(first * std::pow(static_cast<double>(settings.batch) / first, share));
}

/// Samples of each batch of the quasi-Newton descent.
std::vector<int64_t> growing_batches(const ProjectedSettings& settings, int64_t n_train) {
  constexpr int64_t kGrowth = 4;
  const int64_t last = std::min(settings.batch, n_train);
  std::vector<int64_t> sizes;
  for (int64_t size = settings.first_batch; size < last; size *= kGrowth) sizes.push_back(size);
  sizes.push_back(last);
  return sizes;
}

/// The end of one descent.
struct Valley {
  config::Invariance invariance;
  double loss = std::numeric_limits<double>::infinity();
  io::Trajectory trajectory;
};

/// learn_projected() at work.
class Projected {
 public:
  Projected(const model::Encoder& encoder, const Samples& train, int64_t n_classes, TargetKind kind,
            const ProjectedSettings& settings, uint64_t seed, const StopRequested& stop)
      : encoder_(encoder),
        train_(train),
        n_classes_(n_classes),
        settings_(settings),
        seed_(seed),
        stop_(stop),
        generator_(encoder.frozen_generator()),
        targets_(inner_targets(train, n_classes, kind, settings.readout)),
        uses_views_(has_lone_sample(train, n_classes)),
        images_at_once_(images_kept_at_once(encoder.settings(), encoder.view_shape())) {
    require(!uses_views_ || train.draw_views,
            "learn_projected: a class has one sample, and no views can be drawn of it");
  }

  bool uses_views() const { return uses_views_; }
  int64_t encoder_passes() const { return encoder_passes_; }

  std::vector<config::Invariance> starts() {
    const config::Invariance centre = config::centre(encoder_.n_axes());
    if (settings_.starts == 1) return {centre};
    std::vector<std::pair<double, config::Invariance>> screened;
    const HeldOutBatch batch = draw(std::min(settings_.first_batch, settings_.batch), 0);
    for (const config::Invariance& at : points_to_screen(centre)) screened.emplace_back(loss_at(batch, at), at);
    std::stable_sort(screened.begin(), screened.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    screened.resize(std::min(screened.size(), static_cast<size_t>(settings_.starts)));
    std::vector<config::Invariance> chosen;
    for (const auto& [loss, at] : screened) chosen.push_back(at);
    return chosen;
  }

  Valley descend(const config::Invariance& start) {
    Valley valley{start, std::numeric_limits<double>::infinity(), {}};
    if (settings_.descent == Descent::kAdam) {
      descend_by_adam(valley);
    } else {
      descend_by_quasi_newton(valley);
    }
    return valley;
  }

  /// Where several descents ended, the loss that compares them: on the largest batch.
  double final_loss(const config::Invariance& at) {
    if (!final_batch_) final_batch_ = draw(settings_.batch, 0);
    return loss_at(*final_batch_, at);
  }

  double seconds() const { return timer_.seconds(); }

 private:
  /// The centre and the corners, of these 32 by address where there are more.
  std::vector<config::Invariance> points_to_screen(const config::Invariance& centre) const {
    const size_t n_axes = centre.size();
    std::vector<uint64_t> corners(uint64_t{1} << n_axes);
    for (uint64_t bits = 0; bits < corners.size(); ++bits) corners[bits] = bits;
    Draws({.seed = seed_, .purpose = Purpose::kSupport, .sample = ~uint64_t{0}}).shuffle(std::span(corners));
    corners.resize(std::min<size_t>(corners.size(), kMostScreenedCorners));
    std::sort(corners.begin(), corners.end());
    std::vector<config::Invariance> points{centre};
    for (uint64_t bits : corners) {
      config::Invariance corner(n_axes);
      for (size_t axis = 0; axis < n_axes; ++axis) corner[axis] = static_cast<double>((bits >> axis) & 1);
      points.push_back(corner);
    }
    return points;
  }

  HeldOutBatch draw(int64_t size, int64_t draw) const {
    const SplitBatch split = uses_views_ ? draw_views(train_, n_classes_, size, seed_, draw)
                                         : draw_samples(train_, n_classes_, size, seed_, draw);
    const at::Tensor index_B = split.index_B();
    return {uses_views_ ? images_of_views(train_, split, seed_, draw) : train_.pictures.at(index_B),
            targets_.select(index_B), split.half_B()};
  }

  void throw_if_stopped() const {
    if (stop_ && stop_()) throw StoppedError("learned-projected");
  }

  double loss_at(const HeldOutBatch& batch, const config::Invariance& at) {
    throw_if_stopped();
    const at::Tensor features_BD =
        extract_features(encoder_, generator_->at(at), model::BatchNormPass::running(), batch.images_BCHW);
    encoder_passes_ += batch.images_BCHW.size(0);
    return held_out_loss(features_BD, batch.targets, batch.half_B, settings_).value;
  }

  PointValue value_at(const HeldOutBatch& batch, const config::Invariance& at) {
    throw_if_stopped();
    return held_out_at(encoder_, *generator_, batch, settings_, at, encoder_passes_, images_at_once_);
  }

  void record(Valley& valley, const config::Invariance& at, double loss) {
    valley.trajectory.add(at, loss, kNaN, encoder_passes_, timer_.seconds());
  }

  void descend_by_adam(Valley& valley) {
    ProjectedAdam adam(valley.invariance.size(), settings_.learning_rate, settings_.beta1, settings_.beta2);
    for (int64_t step = 0; step < settings_.steps; ++step) {
      const PointValue found = value_at(draw(adam_batch(settings_, step), step), valley.invariance);
      record(valley, valley.invariance, found.value);
      adam.step(valley.invariance, found.gradient);
    }
  }

  void descend_by_quasi_newton(Valley& valley) {
    for (int64_t size : growing_batches(settings_, train_.size())) {
      const HeldOutBatch batch = draw(size, 0);
      const BoxFunction loss = [&](const config::Invariance& at) {
        const PointValue found = value_at(batch, at);
        record(valley, at, found.value);
        return found;
      };
      valley.invariance = descend_quasi_newton(valley.invariance, loss, settings_.steps);
    }
  }

  const model::Encoder& encoder_;
  const Samples& train_;
  int64_t n_classes_;
  const ProjectedSettings& settings_;
  uint64_t seed_;
  const StopRequested& stop_;
  std::unique_ptr<model::FrozenGenerator> generator_;
  InnerTargets targets_;
  bool uses_views_;
  int64_t images_at_once_;
  std::optional<HeldOutBatch> final_batch_;
  int64_t encoder_passes_ = 0;
  Timer timer_;
};

}  // namespace

ProjectedImages projected_images(const ProjectedSettings& settings, int64_t n_train, int64_t n_axes,
                                 int64_t images_at_once) {
  ProjectedImages images;
  const auto within = [&](int64_t size) { return std::min(size, n_train); };
  const auto add_steps = [&](int64_t n, int64_t size) {
    images.with_gradient += n * size;
    if (size > images_at_once) images.forward_only += n * size;
  };
  if (settings.descent == Descent::kAdam) {
    for (int64_t step = 0; step < settings.steps; ++step) add_steps(1, within(adam_batch(settings, step)));
  } else {
    for (int64_t size : growing_batches(settings, n_train)) add_steps(settings.steps, size);
  }
  images.with_gradient *= settings.starts;
  images.forward_only *= settings.starts;
  if (settings.starts > 1) {
    const auto corners = static_cast<int64_t>(std::min(uint64_t{1} << n_axes, kMostScreenedCorners));
    images.forward_only += (1 + corners) * within(std::min(settings.first_batch, settings.batch)) +
                           settings.starts * within(settings.batch);
  }
  return images;
}

LearnedInvariance learn_projected(const model::Encoder& encoder, const Samples& train, int64_t n_classes,
                                  const ProjectedSettings& settings, uint64_t seed, const StopRequested& stop,
                                  TargetKind kind) {
  Projected projected(encoder, train, n_classes, kind, settings, seed, stop);
  std::vector<Valley> valleys;
  for (const config::Invariance& start : projected.starts()) valleys.push_back(projected.descend(start));
  if (valleys.size() > 1) {
    for (Valley& valley : valleys) valley.loss = projected.final_loss(valley.invariance);
    std::stable_sort(valleys.begin(), valleys.end(), [](const auto& a, const auto& b) { return a.loss < b.loss; });
  }
  LearnedInvariance result{valleys.front().invariance,
                           valleys.front().trajectory,
                           projected.encoder_passes(),
                           projected.uses_views() ? "views" : "samples",
                           {}};
  result.trajectory.add(result.invariance, kNaN, kNaN, result.encoder_passes, projected.seconds());
  for (const Valley& valley : valleys) {
    if (std::find(result.valleys.begin(), result.valleys.end(), valley.invariance) == result.valleys.end())
      result.valleys.push_back(valley.invariance);
  }
  return result;
}

config::Invariance discretised(const config::Invariance& invariance) {
  config::Invariance corner;
  for (double value : invariance) corner.push_back(value >= 0.5 ? 1.0 : 0.0);
  return corner;
}

}  // namespace invaria::downstream

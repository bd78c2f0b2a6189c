#pragma once
/// @file
/// MoCo's steps written out: one process, double precision, no fusion. Two networks, each a bag of named tensors; the
/// second one an average of the first, moved after the update with the momentum of the next step.

#include <numbers>
#include <numeric>

#include "tests/train/materialised.hpp"

namespace invaria::train::testing {

/// What both versions share.
class PlainMoco {
 public:
  PlainMoco(const EncoderPlan& plan, const data::DataSplit& pictures, const TrainState& start)
      : query(with_predictors(start)),
        key(momentum_of(start)),
        plan_(plan),
        views_(plan, pictures),
        update_(plan.settings.optimizer) {}

  /// Take over all that a step reads.
  void load(const TrainState& state) {
    query.load(with_predictors(state));
    key.load(momentum_of(state));
    update_.load(state.optimizer.state());
  }

  /// "encoder/" and "heads/" of the momentum encoder, under the names that they average.
  static model::StateDict momentum_of(const TrainState& state) {
    const model::StateDict all = state.objective->state();
    model::StateDict momentum = take_prefixed(all, "momentum/encoder/");
    momentum.merge(take_prefixed(all, "momentum/heads/"));
    return momentum;
  }
  static model::StateDict with_predictors(const TrainState& state) {
    model::StateDict all = weights_of(state);
    all.merge(take_prefixed(state.objective->state(), "predictors/"));
    return all;
  }

  PlainNetwork query, key;

 protected:
  at::Tensor invariance(int64_t step) const { return at::tensor(views_.invariance(step), at::kDouble); }

  static at::Tensor unit(const at::Tensor& rows) { return rows / rows.norm(2, {1}, true); }

  /// a = m a + (1 - m) w for the encoder and the projector that the step trained.
  void update(const at::Tensor& loss, int64_t step, double rate) {
    query.clear_gradients();
    loss.backward();
    update_.step(query.leaves, rate);
    const at::NoGradGuard no_grad;
    const objective::ObjectiveSettings& settings = plan_.settings.objective;
    double momentum = settings.momentum;
    if (settings.momentum_schedule == objective::MomentumSchedule::kCosine) {
      const double progress = static_cast<double>(step + 1) / static_cast<double>(plan_.settings.steps);
      momentum = 1.0 - (1.0 - momentum) * (std::cos(std::numbers::pi * progress) + 1.0) / 2.0;
    }
    const std::string drawn = fmt::format("projector.{}.", views_.corner(step));
    for (auto& [name, average] : key.leaves) {
      if (name.starts_with("projector.") && !name.starts_with(drawn)) continue;
      average.copy_(momentum * average + (1.0 - momentum) * query.leaves.at(name));
    }
  }

  const EncoderPlan& plan_;
  PlainViews views_;
  PlainUpdate update_;
};

/// MoCo v2 (arXiv:1911.05722, Alg. 1).
class PlainMocoV2 : public PlainMoco {
 public:
  using PlainMoco::PlainMoco;

  void load(const TrainState& state) {
    PlainMoco::load(state);
    for (int64_t corner = 0; corner < state.heads.size(); ++corner) {
      const auto queue = take_prefixed(state.objective->state(), fmt::format("queue.{}/", corner));
      queues[corner] = {queue.at("keys").to(at::kDouble).clone(), queue.at("pictures").clone(),
                        queue.at("next").item<int64_t>()};
    }
  }

  double step(int64_t number, double rate) {
    const objective::ObjectiveSettings& settings = plan_.settings.objective;
    const bool in_groups = settings.batch_norm == objective::BatchNormScope::kGroups;
    query.batch_norm_group = key.batch_norm_group = in_groups ? settings.batch_norm_group : 0;
    const int64_t n = plan_.settings.global_batch;
    const int64_t corner = views_.corner(number);
    const std::vector<int64_t> pictures = views_.pictures(number);
    const at::Tensor both = views_.both(number);
    Queue& queue = queues.at(corner);

    std::vector<int64_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    if (in_groups) {
      Draws({.seed = 5, .purpose = Purpose::kKeyShuffle, .sample = static_cast<uint64_t>(number)})
          .shuffle(std::span(order));
    }
    std::vector<at::Tensor> keys(order.size());
    {
      const at::NoGradGuard no_grad;
      const at::Tensor shuffled = both.narrow(0, n, n).index_select(0, at::tensor(order, at::kLong));
      const at::Tensor made = unit(key.head("projector", corner, key.encode(shuffled, invariance(number))));
      for (size_t place = 0; place < order.size(); ++place) keys[static_cast<size_t>(order[place])] = made[place];
    }
    const at::Tensor q = unit(query.head("projector", corner, query.encode(both.narrow(0, 0, n), invariance(number))));
    at::Tensor loss = at::zeros({}, at::kDouble);
    for (int64_t row = 0; row < n; ++row) {
      const int64_t picture = pictures[static_cast<size_t>(row)];
      std::vector<at::Tensor> scores{(q[row] * keys[static_cast<size_t>(row)]).sum()};
      for (int64_t remembered = 0; remembered < queue.keys.size(0); ++remembered) {
        if (settings.mask_own_keys && queue.pictures[remembered].item<int64_t>() == picture) continue;
        scores.push_back((q[row] * queue.keys[remembered]).sum());
      }
      loss = loss - at::log_softmax(at::stack(scores) / settings.temperature, 0)[0] / static_cast<double>(n);
    }
    update(loss, number, rate);
    for (int64_t row = 0; row < n; ++row) {
      queue.keys[queue.next].copy_(keys[static_cast<size_t>(row)]);
      queue.pictures[queue.next] = pictures[static_cast<size_t>(row)];
      queue.next = (queue.next + 1) % queue.keys.size(0);
    }
    return loss.item<double>();
  }

  struct Queue {
    at::Tensor keys, pictures;
    int64_t next = 0;
  };
  std::map<int64_t, Queue> queues;
};

/// MoCo v3 (arXiv:2104.02057, Alg. 1).
class PlainMocoV3 : public PlainMoco {
 public:
  using PlainMoco::PlainMoco;

  double step(int64_t number, double rate) {
    const int64_t n = plan_.settings.global_batch;
    const int64_t corner = views_.corner(number);
    const at::Tensor both = views_.both(number);
    const auto q = [&](const at::Tensor& x) {
      return unit(
          query.head("predictor", corner, query.head("projector", corner, query.encode(x, invariance(number)))));
    };
    const auto k = [&](const at::Tensor& x) {
      const at::NoGradGuard no_grad;
      return unit(key.head("projector", corner, key.encode(x, invariance(number))));
    };
    const double t = plan_.settings.objective.temperature;
    const auto ctr = [&](const at::Tensor& queries, const at::Tensor& keys) {
      return 2.0 * t * at::cross_entropy_loss(at::mm(queries, keys.t()) / t, at::arange(n, at::kLong));
    };
    const at::Tensor x_1 = both.narrow(0, 0, n), x_2 = both.narrow(0, n, n);
    const at::Tensor q_1 = q(x_1), k_1 = k(x_1), q_2 = q(x_2), k_2 = k(x_2);
    const at::Tensor loss = ctr(q_1, k_2) + ctr(q_2, k_1);
    update(loss, number, rate);
    return loss.item<double>();
  }
};

}  // namespace invaria::train::testing

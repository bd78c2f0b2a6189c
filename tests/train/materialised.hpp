#pragma once
/// @file
/// The slow, obvious twins of a training step's parts: one process, double precision, every tensor (A too) an autograd
/// leaf, k = A relu(B E i + c) + b as written, torch.optim's rules as written.

#include <ATen/ATen.h>
#include <torch/autograd.h>

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "augment/render.hpp"
#include "core/philox.hpp"
#include "data/sampler.hpp"
#include "tests/train/small_pretraining.hpp"

namespace invaria::train::testing {

/// Encoder and heads as a bag of named tensors.
class PlainNetwork {
 public:
  explicit PlainNetwork(const model::StateDict& state) {
    for (const auto& [name, tensor] : state) {
      const at::Tensor wide = tensor.to(at::kDouble).clone();
      if (name.find("running_") != std::string::npos) {
        buffers[name] = wide;
      } else if (!name.ends_with("num_batches_tracked")) {
        leaves[name] = wide.requires_grad_();
      }
    }
  }

  /// Take over weights and BatchNorm buffers.
  void load(const model::StateDict& state) {
    const at::NoGradGuard no_grad;
    for (model::StateDict* part : {&leaves, &buffers}) {
      for (auto& [name, tensor] : *part) tensor.copy_(state.at(name));
    }
  }

  /// Leaves and buffers.
  model::StateDict state() const {
    model::StateDict all = leaves;
    all.insert(buffers.begin(), buffers.end());
    return all;
  }

  void clear_gradients() {
    for (auto& [name, leaf] : leaves) leaf.mutable_grad().reset();
  }

  /// ResNet-18 with the cifar stem of stride 2. @param i  undefined: without conditioning
  at::Tensor encode(const at::Tensor& images, const at::Tensor& i) {
    at::Tensor x = at::relu(normalise(convolve(images, "conv1", {}, 2), "bn1"));
    for (int layer = 1; layer <= 4; ++layer) {
      for (int number = 0; number < 2; ++number) {
        const std::string block = fmt::format("layer{}.{}", layer, number);
        const at::Tensor e = i.defined() ? at::mv(leaves.at(block + ".hyper.E"), i) : at::Tensor();
        const bool narrows = layer > 1 && number == 0;
        at::Tensor y = at::relu(normalise(convolve(x, block + ".conv1", e, narrows ? 2 : 1), block + ".bn1"));
        y = normalise(convolve(y, block + ".conv2", e, 1), block + ".bn2");
        if (narrows) x = normalise(convolve(x, block + ".downsample.0", e, 2), block + ".downsample.1");
        x = at::relu(y + x);
      }
    }
    return x.mean({2, 3});
  }

  /// The layers that there are under "projector.<head>." or "predictor.<head>.".
  at::Tensor head(const std::string& family, int64_t number, const at::Tensor& rows) {
    const std::string prefix = fmt::format("{}.{}.", family, number);
    at::Tensor x = rows;
    for (int layer = 1; leaves.contains(fmt::format("{}linear{}.weight", prefix, layer)); ++layer) {
      if (layer > 1) x = at::relu(x);
      const std::string linear = fmt::format("{}linear{}", prefix, layer), norm = fmt::format("{}bn{}", prefix, layer);
      x = at::mm(x, leaves.at(linear + ".weight").t());
      if (leaves.contains(linear + ".bias")) x = x + leaves.at(linear + ".bias");
      if (buffers.contains(norm + ".running_mean")) x = normalise(x, norm);
    }
    return x;
  }

  model::StateDict leaves;
  model::StateDict buffers;
  int64_t batch_norm_group = 0;  ///< rows that are normalised together; 0: all

 private:
  at::Tensor normalise(const at::Tensor& x, const std::string& layer) {
    const int64_t size = batch_norm_group > 0 ? batch_norm_group : x.size(0);
    at::Tensor weight, bias;
    if (leaves.contains(layer + ".weight")) {
      weight = leaves.at(layer + ".weight");
      bias = leaves.at(layer + ".bias");
    }
    std::vector<at::Tensor> groups, means, variances;
    for (int64_t first = 0; first < x.size(0); first += size) {
      means.push_back(at::zeros({x.size(1)}, at::kDouble));
      variances.push_back(at::zeros({x.size(1)}, at::kDouble));
      groups.push_back(at::batch_norm(x.narrow(0, first, size), weight, bias, means.back(), variances.back(), true, 1.0,
                                      1e-5, false));
    }
    buffers.at(layer + ".running_mean").lerp_(at::stack(means).mean(0), 0.1);
    buffers.at(layer + ".running_var").lerp_(at::stack(variances).mean(0), 0.1);
    return at::cat(groups);
  }

  at::Tensor convolve(const at::Tensor& x, const std::string& name, const at::Tensor& e, int64_t stride) {
    at::Tensor kernel = leaves.at(name + ".weight");
    if (e.defined()) {
      const at::Tensor h = at::relu(at::mv(leaves.at(name + ".hyper.B"), e) + leaves.at(name + ".hyper.c"));
      kernel = kernel + at::mv(leaves.at(name + ".hyper.A"), h).view(kernel.sizes());
    }
    return at::conv2d(x, kernel, {}, stride, kernel.size(2) / 2);
  }
};

/// torch.optim's rules on all leaves that have a gradient, with moments of its own.
class PlainUpdate {
 public:
  explicit PlainUpdate(const OptimizerSettings& settings) : settings_(settings) {}

  /// Take over an optimiser's moments and counters.
  void load(const model::StateDict& state) {
    moments_.clear();
    for (const auto& [name, steps] : state) {
      if (!name.ends_with(".steps")) continue;
      const std::string parameter = name.substr(0, name.size() - std::strlen(".steps"));
      const auto moment = [&](const char* suffix) {
        const auto found = state.find(parameter + suffix);
        return found == state.end() ? at::Tensor() : found->second.to(at::kDouble);
      };
      moments_[parameter] = {moment(".moment_1"), moment(".moment_2"), steps.item<int64_t>()};
    }
  }

  void step(model::StateDict& leaves, double rate) {
    const at::NoGradGuard no_grad;
    const OptimizerSettings& settings = settings_;
    for (auto& [name, w] : leaves) {
      if (!w.grad().defined()) continue;
      Moments& moments = moments_[name];
      if (!moments.m.defined()) moments = {at::zeros_like(w), at::zeros_like(w), 0};
      const auto t = static_cast<double>(++moments.steps);
      const double decay = decays(name) ? settings.weight_decay : 0.0;
      const at::Tensor g = w.grad() + (settings.algorithm == Algorithm::kAdamW ? 0.0 : decay) * w;
      switch (settings.algorithm) {
        case Algorithm::kSgd:
          moments.m = settings.momentum * moments.m + g;
          w -= rate * moments.m;
          break;
        case Algorithm::kLars: {
          const double weight = w.norm().item<double>();
          const double gradient = w.grad().norm().item<double>();
          double local = 1.0;
          if (decays(name) && weight > 0 && gradient > 0)
            local = settings.trust_coefficient * weight / (gradient + settings.weight_decay * weight);
          moments.m = settings.momentum * moments.m + rate * local * g;
          w -= moments.m;
          break;
        }
        default:
          if (settings.algorithm == Algorithm::kAdamW) w -= rate * decay * w;
          moments.m = settings.beta1 * moments.m + (1 - settings.beta1) * g;
          moments.v = settings.beta2 * moments.v + (1 - settings.beta2) * g * g;
          w -= rate / (1 - std::pow(settings.beta1, t)) * moments.m /
               ((moments.v / (1 - std::pow(settings.beta2, t))).sqrt() + settings.epsilon);
      }
    }
  }

 private:
  static bool decays(const std::string& name) {
    const bool is_batch_norm = name.find("bn") != std::string::npos || name.find("downsample.1") != std::string::npos;
    return !is_batch_norm && !name.ends_with(".bias") && !name.ends_with("hyper.c");
  }

  struct Moments {
    at::Tensor m, v;
    int64_t steps = 0;
  };

  OptimizerSettings settings_;
  std::map<std::string, Moments> moments_;
};

/// Both views of a step's batch, in double, and whose they are.
class PlainViews {
 public:
  PlainViews(const EncoderPlan& plan, const data::DataSplit& pictures)
      : plan_(plan), pictures_(pictures), sampler_(pictures.n, plan.settings.global_batch, 5) {}

  int64_t corner(int64_t step) const {
    return Draws({.seed = 5, .purpose = Purpose::kCorner, .sample = static_cast<uint64_t>(step)})
        .below(static_cast<int64_t>(plan_.corners.size()));
  }
  const config::Invariance& invariance(int64_t step) const { return plan_.corners[static_cast<size_t>(corner(step))]; }
  std::vector<int64_t> pictures(int64_t step) { return sampler_.batch(step); }

  at::Tensor both(int64_t step) {
    const config::Invariance& i = invariance(step);
    using augment::Operation;
    std::vector<Operation> active;
    if (i[0] == 1.0) active = {Operation::kCrop, Operation::kFlip};
    if (i[1] == 1.0) {
      for (Operation operation :
           {Operation::kColorJitter, Operation::kGrayscale, Operation::kBlur, Operation::kSolarize}) {
        active.push_back(operation);
      }
    }
    data::HeldSamples held;
    std::vector<uint64_t> ids;
    for (int64_t sample : sampler_.batch(step)) {
      held.holders.push_back(pictures_.sample(sample));
      held.bytes.push_back(held.holders.back().get());
      ids.push_back(static_cast<uint64_t>(sample));
    }
    return augment::make_views({held.bytes, pictures_.shape.height, pictures_.shape.width}, plan_.settings.augment,
                               active, plan_.settings.view_size, 5, static_cast<uint64_t>(sampler_.epoch_of(step)), ids)
        .both.to(at::kDouble);
  }

 private:
  const EncoderPlan& plan_;
  const data::DataSplit& pictures_;
  data::EpochSampler sampler_;
};

/// A SimCLR step.
class Materialised : public PlainNetwork {
 public:
  Materialised(const EncoderPlan& plan, const data::DataSplit& pictures)
      : PlainNetwork(weights_of(TrainState(plan))),
        plan_(plan),
        views_(plan, pictures),
        update_(plan.settings.optimizer) {}

  using PlainNetwork::load;

  /// Take over all that a step reads.
  void load(const TrainState& state) {
    load(weights_of(state));
    update_.load(state.optimizer.state());
  }

  /// One step; gradients stay in the leaves.
  double step(int64_t number, double learning_rate) {
    clear_gradients();
    const at::Tensor i = plan_.is_conditioned() ? at::tensor(views_.invariance(number), at::kDouble) : at::Tensor();
    const at::Tensor embeddings = head("projector", views_.corner(number), encode(views_.both(number), i));
    const at::Tensor loss = nt_xent(embeddings);
    loss.backward();
    update_.step(leaves, learning_rate);
    return loss.item<double>();
  }

 private:
  at::Tensor nt_xent(const at::Tensor& embeddings) const {
    const at::Tensor z = embeddings / embeddings.norm(2, {1}, true);
    const int64_t n = z.size(0) / 2;
    const at::Tensor mask = at::eye(2 * n, at::kBool);
    const at::Tensor logits = (at::mm(z, z.t()) / plan_.settings.objective.temperature).masked_fill(mask, -1e300);
    return at::cross_entropy_loss(logits, (at::arange(2 * n) + n).remainder(2 * n));
  }

  const EncoderPlan& plan_;
  PlainViews views_;
  PlainUpdate update_;
};

}  // namespace invaria::train::testing

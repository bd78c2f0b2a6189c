#pragma once
/// @file
/// The slow, obvious twin of a training step: one process, double precision, every tensor (A too) an autograd leaf,
/// k = A relu(B E i + c) + b as written, torch.optim's rules as written.

#include <ATen/ATen.h>
#include <torch/autograd.h>

#include <map>
#include <string>
#include <vector>

#include "augment/render.hpp"
#include "core/philox.hpp"
#include "data/sampler.hpp"
#include "tests/train/small_pretraining.hpp"

namespace invaria::train::testing {

class Materialised {
 public:
  Materialised(const EncoderPlan& plan, const data::ImageSplit& pictures)
      : plan_(plan), pictures_(pictures), sampler_(pictures.n, plan.settings.global_batch, 5) {
    const TrainState fresh(plan);
    model::StateDict state = fresh.encoder.state();
    state.merge(fresh.heads.state());
    for (const auto& [name, tensor] : state) {
      const at::Tensor wide = tensor.to(at::kDouble).clone();
      if (name.find("running_") != std::string::npos) {
        buffers[name] = wide;
      } else if (!name.ends_with("num_batches_tracked")) {
        leaves[name] = wide.requires_grad_();
      }
    }
  }

  /// One step; gradients stay in the leaves.
  double step(int64_t number, double learning_rate) {
    for (auto& [name, leaf] : leaves) leaf.mutable_grad().reset();
    const auto corner = Draws({.seed = 5, .purpose = Purpose::kCorner, .sample = static_cast<uint64_t>(number)})
                            .below(static_cast<int64_t>(plan_.corners.size()));
    const config::Invariance& i = plan_.corners[static_cast<size_t>(corner)];
    const at::Tensor embeddings = project(corner, encode(views(number, i), at::tensor(i, at::kDouble)));
    const at::Tensor loss = nt_xent(embeddings);
    loss.backward();
    update(learning_rate);
    return loss.item<double>();
  }

  /// Take over weights and BatchNorm buffers; moments and counters stay.
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

  model::StateDict leaves;
  model::StateDict buffers;

 private:
  at::Tensor views(int64_t step, const config::Invariance& i) {
    using augment::Operation;
    std::vector<Operation> active;
    if (i[0] == 1.0) active = {Operation::kCrop, Operation::kFlip};
    if (i[1] == 1.0) {
      for (Operation operation :
           {Operation::kColorJitter, Operation::kGrayscale, Operation::kBlur, Operation::kSolarize}) {
        active.push_back(operation);
      }
    }
    std::vector<const uint8_t*> pixels;
    std::vector<uint64_t> ids;
    for (int64_t sample : sampler_.batch(step)) {
      pixels.push_back(pictures_.image(sample));
      ids.push_back(static_cast<uint64_t>(sample));
    }
    return augment::make_views({pixels, pictures_.height, pictures_.width}, plan_.settings.augment, active,
                               plan_.settings.view_size, 5, static_cast<uint64_t>(sampler_.epoch_of(step)), ids)
        .both.to(at::kDouble);
  }

  at::Tensor normalise(const at::Tensor& x, const std::string& layer) {
    return at::batch_norm(x, leaves.at(layer + ".weight"), leaves.at(layer + ".bias"),
                          buffers.at(layer + ".running_mean"), buffers.at(layer + ".running_var"), true, 0.1, 1e-5,
                          false);
  }

  at::Tensor convolve(const at::Tensor& x, const std::string& name, const at::Tensor& e, int64_t stride) {
    at::Tensor kernel = leaves.at(name + ".weight");
    if (e.defined()) {
      const at::Tensor h = at::relu(at::mv(leaves.at(name + ".hyper.B"), e) + leaves.at(name + ".hyper.c"));
      kernel = kernel + at::mv(leaves.at(name + ".hyper.A"), h).view(kernel.sizes());
    }
    return at::conv2d(x, kernel, {}, stride, kernel.size(2) / 2);
  }

  /// ResNet-18 with the cifar stem of stride 2.
  at::Tensor encode(const at::Tensor& images, const at::Tensor& i) {
    at::Tensor x = at::relu(normalise(convolve(images, "conv1", {}, 2), "bn1"));
    for (int layer = 1; layer <= 4; ++layer) {
      for (int number = 0; number < 2; ++number) {
        const std::string block = fmt::format("layer{}.{}", layer, number);
        const at::Tensor e = plan_.is_conditioned() ? at::mv(leaves.at(block + ".hyper.E"), i) : at::Tensor();
        const bool narrows = layer > 1 && number == 0;
        at::Tensor y = at::relu(normalise(convolve(x, block + ".conv1", e, narrows ? 2 : 1), block + ".bn1"));
        y = normalise(convolve(y, block + ".conv2", e, 1), block + ".bn2");
        if (narrows) x = normalise(convolve(x, block + ".downsample.0", e, 2), block + ".downsample.1");
        x = at::relu(y + x);
      }
    }
    return x.mean({2, 3});
  }

  at::Tensor project(int64_t corner, const at::Tensor& features) {
    const std::string head = fmt::format("projector.{}.", corner);
    const at::Tensor hidden =
        at::relu(normalise(at::mm(features, leaves.at(head + "linear1.weight").t()), head + "bn1"));
    return at::mm(hidden, leaves.at(head + "linear2.weight").t()) + leaves.at(head + "linear2.bias");
  }

  at::Tensor nt_xent(const at::Tensor& embeddings) const {
    const at::Tensor z = embeddings / embeddings.norm(2, {1}, true);
    const int64_t n = z.size(0) / 2;
    const at::Tensor mask = at::eye(2 * n, at::kBool);
    const at::Tensor logits = (at::mm(z, z.t()) / plan_.settings.objective.temperature).masked_fill(mask, -1e300);
    return at::cross_entropy_loss(logits, (at::arange(2 * n) + n).remainder(2 * n));
  }

  static bool decays(const std::string& name) {
    const bool is_batch_norm = name.find("bn") != std::string::npos || name.find("downsample.1") != std::string::npos;
    return !is_batch_norm && !name.ends_with(".bias") && !name.ends_with("hyper.c");
  }

  void update(double rate) {
    const at::NoGradGuard no_grad;
    const OptimizerSettings& settings = plan_.settings.optimizer;
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

  struct Moments {
    at::Tensor m, v;
    int64_t steps = 0;
  };

  const EncoderPlan& plan_;
  const data::ImageSplit& pictures_;
  data::EpochSampler sampler_;
  std::map<std::string, Moments> moments_;
};

}  // namespace invaria::train::testing

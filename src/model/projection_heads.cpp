#include "model/projection_heads.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <optional>

#include "core/errors.hpp"
#include "model/initialise.hpp"
#include "model/state.hpp"

namespace invaria::model {
namespace {

/// The shape that all heads of a family have.
struct HeadLayout {
  const char* family;  ///< "projector"
  TensorFamily draws;
  int64_t in, hidden, out, layers;
  HeadNorm norm;

  bool is_last(int64_t layer) const { return layer == layers; }
  bool has_norm(int64_t layer) const {
    return norm == HeadNorm::kAll || (norm == HeadNorm::kHidden && !is_last(layer));
  }
  int64_t fan_in(int64_t layer) const { return layer == 1 ? in : hidden; }
  int64_t fan_out(int64_t layer) const { return is_last(layer) ? out : hidden; }
};

/// One layer's tensors, as indices into Head::parameters.
struct Layer {
  size_t weight = 0;
  std::optional<size_t> bias;
  std::optional<size_t> scale;  ///< and the shift behind it
  std::optional<BatchNormLayer> norm;
};

struct Head {
  std::string prefix;  ///< "projector.0."
  std::vector<Parameter> parameters;
  std::vector<Layer> layers;

  size_t add(const std::string& name, const at::Tensor& value, bool decays) {
    parameters.push_back({prefix + name, value, decays});
    return parameters.size() - 1;
  }
  /// Point the norms at the parameters.
  void link() {
    for (Layer& layer : layers) {
      if (!layer.scale) continue;
      layer.norm->weight_C = parameters[*layer.scale].value;
      layer.norm->bias_C = parameters[*layer.scale + 1].value;
    }
  }
};

/// torch.nn.Linear's default: kaiming_uniform_(a = sqrt 5) comes to U(-1, 1) / sqrt(fan_in), weight and bias alike.
at::Tensor linear_tensor(at::IntArrayRef shape, int64_t fan_in, const InitAddress& address) {
  const at::Tensor values = at::empty(shape, at::kFloat);
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  fill_uniform(values, -bound, bound, address);
  return values;
}

/// @param address  of the layer's weight; its bias is drawn at the next index
Layer make_layer(const HeadLayout& layout, int64_t number, InitAddress address, Head& head) {
  const int64_t in = layout.fan_in(number), out = layout.fan_out(number);
  const std::string linear = fmt::format("linear{}.", number), norm = fmt::format("bn{}.", number);
  Layer layer;
  layer.weight = head.add(linear + "weight", linear_tensor({out, in}, in, address), true);
  if (!layout.has_norm(number)) {
    ++address.index;
    layer.bias = head.add(linear + "bias", linear_tensor({out}, in, address), false);
    return layer;
  }
  layer.norm =
      BatchNormLayer{at::ones({out}), at::zeros({out}), at::zeros({out}), at::ones({out}), at::zeros({}, at::kLong)};
  if (!layout.is_last(number)) {
    layer.scale = head.add(norm + "weight", layer.norm->weight_C, false);
    head.add(norm + "bias", layer.norm->bias_C, false);
  }
  return layer;
}

Head make_head(const HeadLayout& layout, size_t number, uint64_t seed) {
  constexpr uint64_t kDrawsPerHead = 8, kDrawsPerLayer = 3;
  Head head{fmt::format("{}.{}.", layout.family, number), {}, {}};
  for (int64_t layer = 1; layer <= layout.layers; ++layer) {
    const uint64_t index = kDrawsPerHead * number + kDrawsPerLayer * static_cast<uint64_t>(layer - 1);
    head.layers.push_back(make_layer(layout, layer, {seed, layout.draws, index}, head));
  }
  for (Parameter& parameter : head.parameters) parameter.value.requires_grad_();
  head.link();
  return head;
}

}  // namespace

struct ProjectionHeads::Impl {
  std::vector<Head> heads;

  Impl(const HeadLayout& layout, int64_t n_heads, uint64_t seed) {
    require(n_heads >= 1, "ProjectionHeads: {} heads, expected at least 1", n_heads);
    require(layout.layers >= 1 && layout.layers <= kMostHeadLayers, "ProjectionHeads: {} layers, expected 1 to {}",
            layout.layers, kMostHeadLayers);
    for (size_t head = 0; head < static_cast<size_t>(n_heads); ++head) heads.push_back(make_head(layout, head, seed));
  }

  const Head& at(int64_t head) const {
    require(head >= 0 && head < static_cast<int64_t>(heads.size()), "ProjectionHeads: head {} of {}", head,
            heads.size());
    return heads[static_cast<size_t>(head)];
  }
};

ProjectionHeads::ProjectionHeads(const ProjectionSettings& settings, int64_t feature_dim, int64_t n_heads,
                                 uint64_t seed)
    : impl_(std::make_shared<Impl>(HeadLayout{"projector", TensorFamily::kProjector, feature_dim, settings.hidden,
                                              settings.out, settings.layers, settings.batch_norm},
                                   n_heads, seed)) {}

ProjectionHeads::ProjectionHeads(const PredictorSettings& settings, int64_t channels, int64_t n_heads, uint64_t seed)
    : impl_(std::make_shared<Impl>(HeadLayout{"predictor", TensorFamily::kPredictor, channels, settings.hidden,
                                              channels, settings.layers, settings.batch_norm},
                                   n_heads, seed)) {}

at::Tensor ProjectionHeads::forward(int64_t head_index, const at::Tensor& rows_BD, const BatchNormPass& pass) const {
  require(pass.is_training() || pass.mode == BatchNormPass::Mode::kRunning,
          "ProjectionHeads: given and collected statistics are the encoder's");
  const Head& head = impl_->at(head_index);
  const auto value = [&](size_t index) {
    const at::Tensor& tensor = head.parameters[index].value;
    return pass.is_training() ? tensor : tensor.detach();
  };
  at::Tensor x = rows_BD;
  for (const Layer& layer : head.layers) {
    const bool is_last = &layer == &head.layers.back();
    x = layer.bias ? at::linear(x, value(layer.weight), value(*layer.bias)) : at::linear(x, value(layer.weight));
    if (layer.norm) {
      x = batch_norm(x, *layer.norm, 0, pass, is_last ? Activation::kNone : Activation::kRelu);
    } else if (!is_last) {
      x = at::relu(x);
    }
  }
  return x;
}

const std::vector<Parameter>& ProjectionHeads::parameters(int64_t head) const {
  return impl_->at(head).parameters;
}
int64_t ProjectionHeads::size() const {
  return static_cast<int64_t>(impl_->heads.size());
}

StateDict ProjectionHeads::state() const {
  StateDict state;
  for (const Head& head : impl_->heads) {
    for (const Parameter& parameter : head.parameters) state[parameter.name] = parameter.value.detach();
    for (size_t index = 0; index < head.layers.size(); ++index) {
      const std::optional<BatchNormLayer>& norm = head.layers[index].norm;
      if (!norm) continue;
      const std::string prefix = fmt::format("{}bn{}.", head.prefix, index + 1);
      state[prefix + "running_mean"] = norm->running_mean_C;
      state[prefix + "running_var"] = norm->running_var_C;
      state[prefix + "num_batches_tracked"] = norm->num_batches_tracked;
    }
  }
  return state;
}

void ProjectionHeads::load_state(const StateDict& state) {
  copy_state(state, this->state(), "the heads' state does not fit");
}

void ProjectionHeads::to(at::Device device) {
  const at::NoGradGuard no_grad;
  for (Head& head : impl_->heads) {
    for (Parameter& parameter : head.parameters) parameter.value = parameter.value.detach().to(device).requires_grad_();
    for (Layer& layer : head.layers) {
      if (!layer.norm) continue;
      for (at::Tensor* tensor : {&layer.norm->weight_C, &layer.norm->bias_C, &layer.norm->running_mean_C,
                                 &layer.norm->running_var_C, &layer.norm->num_batches_tracked}) {
        *tensor = tensor->to(device);
      }
    }
    head.link();
  }
}

}  // namespace invaria::model

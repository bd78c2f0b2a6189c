#include "model/encoder.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "core/errors.hpp"
#include "model/film.hpp"
#include "model/hypernetwork.hpp"
#include "model/parameter_list.hpp"
#include "model/prompt.hpp"
#include "model/resnet.hpp"
#include "model/state.hpp"
#include "model/vit.hpp"

namespace invaria::model {

struct Encoder::Impl {
  EncoderSettings settings;
  int64_t n_axes = 0;
  config::ViewShape view;
  ParameterList parameters;
  std::unique_ptr<Backbone> backbone;
  size_t n_backbone_parameters = 0;  ///< the first of the dense ones
  std::unique_ptr<Generator> generator;

  Impl(const EncoderSettings& encoder_settings, int64_t axes, uint64_t seed, const config::ViewShape& view_shape);
  std::unique_ptr<Generator> make_generator();
  Conditions conditions(const Generated& generated) const;
  /// Tensors of the state that are not trained.
  StateDict buffers() const {
    StateDict all = backbone->buffers();
    all.insert(parameters.frozen().begin(), parameters.frozen().end());
    return all;
  }
  StateDict state() const;
};

Encoder::Impl::Impl(const EncoderSettings& encoder_settings, int64_t axes, uint64_t seed,
                    const config::ViewShape& view_shape)
    : settings(encoder_settings), n_axes(axes), view(view_shape), parameters(seed) {
  if (settings.is_vit()) {
    require(view.channels == 3 && view.height == view.width, "Encoder: a ViT's images have shape [{}, {}, {}]",
            view.channels, view.height, view.width);
    backbone = std::make_unique<Vit>(settings, view.width, parameters);
  } else {
    backbone = std::make_unique<ResNet>(settings, view.channels, parameters);
  }
  n_backbone_parameters = parameters.dense().size();
  generator = make_generator();
}

std::unique_ptr<Generator> Encoder::Impl::make_generator() {
  const auto* resnet = dynamic_cast<const ResNet*>(backbone.get());
  const std::string conditioning = config::name_of(settings.conditioning);
  switch (settings.conditioning) {
    case Conditioning::kNone:
      return nullptr;
    case Conditioning::kHypernetwork:
      require(resnet != nullptr, "Encoder: conditioning {} needs a ResNet", conditioning);
      return std::make_unique<Hypernetwork>(*resnet, n_axes, parameters);
    case Conditioning::kPrompt:
      require(resnet == nullptr, "Encoder: conditioning {} needs a ViT", conditioning);
      return std::make_unique<Prompt>(backbone->feature_dim(), n_axes, parameters);
    case Conditioning::kFilm:
      return std::make_unique<Film>(settings.film, backbone->norms(), n_axes, parameters);
  }
  throw PreconditionError("Encoder: conditioning " + conditioning);
}

Conditions Encoder::Impl::conditions(const Generated& generated) const {
  require((generator != nullptr) != generated.tensors.empty(), "Encoder: {} generated tensors with conditioning {}",
          generated.tensors.size(), config::name_of(settings.conditioning));
  switch (settings.conditioning) {
    case Conditioning::kHypernetwork:
      return {.kernels = generated.tensors};
    case Conditioning::kPrompt:
      return {.token_D = generated.tensors.front()};
    case Conditioning::kFilm:
      return {.modulations = generated.tensors, .group_B = generated.group_B};
    default:
      return {};
  }
}

StateDict Encoder::Impl::state() const {
  StateDict state = buffers();
  for (const Parameter& parameter : parameters.dense()) state[parameter.name] = parameter.value.detach();
  for (const FactoredParameter& parameter : parameters.factored()) state[parameter.name] = parameter.value_PH;
  return state;
}

Encoder::Encoder(const EncoderSettings& settings, int64_t n_axes, uint64_t seed, const config::ViewShape& view)
    : impl_(std::make_shared<Impl>(settings, n_axes, seed, view)) {}

const EncoderSettings& Encoder::settings() const {
  return impl_->settings;
}
int64_t Encoder::n_axes() const {
  return impl_->n_axes;
}
const config::ViewShape& Encoder::view_shape() const {
  return impl_->view;
}
int64_t Encoder::feature_dim() const {
  return impl_->backbone->feature_dim();
}
const std::vector<Parameter>& Encoder::parameters() const {
  return impl_->parameters.dense();
}
const std::vector<FactoredParameter>& Encoder::factored_parameters() const {
  return impl_->parameters.factored();
}
const Generator* Encoder::generator() const {
  return impl_->generator.get();
}

Generated Encoder::generate(const config::Invariance& invariance) const {
  if (!impl_->generator) return {.invariance = invariance};
  return impl_->generator->generate(invariance);
}

Generated Encoder::generate_mixed(const std::vector<config::Invariance>& invariances, const at::Tensor& group_B) const {
  require(impl_->generator != nullptr, "Encoder: different invariances without conditioning");
  return impl_->generator->generate_mixed(invariances, group_B);
}

at::Tensor Encoder::forward(const at::Tensor& images_BCHW, const Generated& generated, const ForwardPass& pass) const {
  const BatchNormPass& batch_norm = pass.batch_norm;
  require(images_BCHW.dim() == 4 && images_BCHW.size(1) == impl_->view.channels,
          "Encoder: images have shape [{}], expected [B, {}, H, W]", fmt::join(images_BCHW.sizes(), ", "),
          impl_->view.channels);
  if (batch_norm.mode == BatchNormPass::Mode::kCollect) {
    require(batch_norm.collected != nullptr, "Encoder: kCollect without a place to collect in");
    const size_t n_layers = impl_->backbone->n_batch_norms();
    batch_norm.collected->push_back({std::vector<at::Tensor>(n_layers), std::vector<at::Tensor>(n_layers)});
  }
  return impl_->backbone->forward(images_BCHW, impl_->conditions(generated), pass);
}

std::vector<FactoredGradient> Encoder::generator_backward(const Generated& generated,
                                                          const std::vector<at::Tensor>& g) const {
  if (!impl_->generator) return {};
  return impl_->generator->backward(generated, g);
}

std::unique_ptr<FrozenGenerator> Encoder::frozen_generator() const {
  require(impl_->generator != nullptr, "Encoder: no generated tensors without conditioning");
  return impl_->generator->freeze();
}

StateDict Encoder::buffers() const {
  return impl_->buffers();
}
StateDict Encoder::state() const {
  return impl_->state();
}
void Encoder::load_state(const StateDict& state) {
  copy_state(state, impl_->state(), "the encoder's state does not fit");
}
StateDict Encoder::backbone_state() const {
  StateDict state = impl_->buffers();
  for (size_t index = 0; index < impl_->n_backbone_parameters; ++index) {
    const Parameter& parameter = parameters()[index];
    state[parameter.name] = parameter.value.detach();
  }
  return state;
}
StateDict Encoder::plain_state(const Generated& generated, const BatchNormStatistics* statistics) const {
  StateDict plain;
  for (const auto& [name, tensor] : backbone_state()) plain[name] = tensor.clone();
  impl_->backbone->fold(impl_->conditions(generated), statistics, plain);
  return plain;
}
std::string Encoder::hash() const {
  return hash_state(impl_->state());
}

void Encoder::to(at::Device device) {
  const at::NoGradGuard no_grad;
  // Data move under the tensor objects, which backbone and generator hold too.
  const auto move = [device](const at::Tensor& tensor) { tensor.set_data(tensor.detach().to(device)); };
  for (const Parameter& parameter : parameters()) {
    parameter.value.mutable_grad().reset();
    move(parameter.value);
  }
  for (const FactoredParameter& parameter : factored_parameters()) move(parameter.value_PH);
  for (const auto& [name, buffer] : impl_->buffers()) move(buffer);
}

int64_t Encoder::n_parameters() const {
  int64_t n = 0;
  for (const Parameter& parameter : parameters()) n += parameter.value.numel();
  for (const FactoredParameter& parameter : factored_parameters()) n += parameter.value_PH.numel();
  return n;
}

}  // namespace invaria::model

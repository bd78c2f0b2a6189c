#include "model/encoder.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "core/errors.hpp"
#include "model/cost.hpp"
#include "model/initialise.hpp"
#include "model/resnet.hpp"
#include "model/state.hpp"

namespace invaria::model {
namespace {

/// The standard deviation of kaiming_normal_(mode="fan_out", nonlinearity="relu") (arXiv:1502.01852, Eq. 14).
double he_deviation(const ConvolutionLayout& convolution) {
  return std::sqrt(2.0 / static_cast<double>(convolution.out * convolution.kernel * convolution.kernel));
}

}  // namespace

void EncoderSettings::validate(const std::string& path, config::Problems& problems) const {
  if (stem == Stem::kImagenet && stem_stride != 2) {
    problems.add(config::join_path(path, "stem_stride"), fmt::format("{}", stem_stride), "2 with the imagenet stem",
                 "leave it out, or use the cifar stem");
  }
}

struct Encoder::Impl {
  EncoderSettings settings;
  int64_t n_axes = 0;
  ResNetLayout layout;
  std::vector<Parameter> parameters;
  std::vector<FactoredParameter> factored;
  std::vector<int64_t> kernel_parameters;
  std::vector<BatchNormLayer> batch_norms;  ///< one a convolution; weight and bias are also among the parameters
  std::vector<BlockGenerator> generators;

  Impl(const EncoderSettings& encoder_settings, int64_t axes, uint64_t seed);
  void add_convolutions(uint64_t seed);
  void add_hypernetwork(uint64_t seed);
  /// Point batch_norms and generators at the parameters.
  void link();

  at::Tensor& add(std::string name, at::IntArrayRef shape, bool decays) {
    parameters.push_back({std::move(name), at::empty(shape, at::kFloat), decays});
    return parameters.back().value;
  }
  InitAddress next_dense(uint64_t seed) const { return {seed, TensorFamily::kDense, parameters.size() - 1}; }

  at::Tensor convolve(const at::Tensor& x, size_t index, const at::Tensor& kernel) const {
    const ConvolutionLayout& convolution = layout.convolutions[index];
    return at::conv2d(x, kernel, {}, convolution.stride, convolution.padding());
  }
  at::Tensor normalise(const at::Tensor& x, size_t index, const BatchNormPass& pass, Activation activation,
                       const at::Tensor& residual = {}) const {
    return batch_norm(x, batch_norms[index], index, pass, activation, residual);
  }
  at::Tensor block_forward(const BlockLayout& block, const at::Tensor& x, const std::vector<at::Tensor>& kernels,
                           const BatchNormPass& pass) const;
  StateDict state() const;
};

Encoder::Impl::Impl(const EncoderSettings& encoder_settings, int64_t axes, uint64_t seed)
    : settings(encoder_settings), n_axes(axes), layout(resnet_layout(encoder_settings)) {
  const at::NoGradGuard no_grad;
  add_convolutions(seed);
  if (settings.conditioning == Conditioning::kHypernetwork) add_hypernetwork(seed);
  for (Parameter& parameter : parameters) parameter.value.requires_grad_();
  link();
}

void Encoder::Impl::add_convolutions(uint64_t seed) {
  for (const ConvolutionLayout& convolution : layout.convolutions) {
    if (&convolution != &layout.convolutions.front())
      kernel_parameters.push_back(static_cast<int64_t>(parameters.size()));
    const at::Tensor& kernel = add(convolution.convolution + ".weight",
                                   {convolution.out, convolution.in, convolution.kernel, convolution.kernel}, true);
    fill_normal(kernel, he_deviation(convolution), next_dense(seed));
    add(convolution.batch_norm + ".weight", {convolution.out}, false).fill_(1.0);
    add(convolution.batch_norm + ".bias", {convolution.out}, false).zero_();
    batch_norms.push_back(
        {{}, {}, at::zeros({convolution.out}), at::ones({convolution.out}), at::zeros({}, at::kLong)});
  }
}

void Encoder::Impl::add_hypernetwork(uint64_t seed) {
  require(n_axes >= 1, "Encoder: a hypernetwork needs at least one axis, found {}", n_axes);
  for (const BlockLayout& block : layout.blocks) {
    fill_normal(add(block.name + ".hyper.E", {kEmbedding, n_axes}, true), 1.0, next_dense(seed));
    for (size_t index = block.first; index < block.first + block.n_convolutions(); ++index) {
      const ConvolutionLayout& convolution = layout.convolutions[index];
      const std::string prefix = convolution.convolution + ".hyper.";
      fill_normal(add(prefix + "B", {kHidden, kEmbedding}, true), 0.25, next_dense(seed));
      fill_uniform(add(prefix + "c", {kHidden}, false), -0.5, 0.5, next_dense(seed));
      factored.push_back({prefix + "A", at::empty({convolution.n_elements(), kHidden}, at::kFloat)});
      fill_normal(factored.back().value_PH, 0.5 * he_deviation(convolution) / 4.0,
                  {seed, TensorFamily::kFactored, factored.size() - 1});
    }
  }
}

void Encoder::Impl::link() {
  for (size_t index = 0; index < batch_norms.size(); ++index) {
    batch_norms[index].weight_C = parameters[3 * index + 1].value;
    batch_norms[index].bias_C = parameters[3 * index + 2].value;
  }
  generators.clear();
  if (factored.empty()) return;
  size_t next = 3 * batch_norms.size();
  for (const BlockLayout& block : layout.blocks) {
    BlockGenerator generator{parameters[next++].value, {}};
    for (size_t index = block.first; index < block.first + block.n_convolutions(); ++index) {
      generator.convolutions.push_back({factored[index - 1].value_PH, parameters[3 * index].value,
                                        parameters[next].value, parameters[next + 1].value});
      next += 2;
    }
    generators.push_back(std::move(generator));
  }
}

at::Tensor Encoder::Impl::block_forward(const BlockLayout& block, const at::Tensor& x,
                                        const std::vector<at::Tensor>& kernels, const BatchNormPass& pass) const {
  const size_t last = block.first + block.n_main - 1;
  at::Tensor y = x;
  for (size_t index = block.first; index < last; ++index) {
    y = normalise(convolve(y, index, kernels[index - 1]), index, pass, Activation::kRelu);
  }
  y = convolve(y, last, kernels[last - 1]);
  at::Tensor shortcut = x;
  if (block.downsample) shortcut = normalise(convolve(x, last + 1, kernels[last]), last + 1, pass, Activation::kNone);
  return normalise(y, last, pass, Activation::kRelu, shortcut);
}

StateDict Encoder::Impl::state() const {
  StateDict state;
  for (const Parameter& parameter : parameters) state[parameter.name] = parameter.value.detach();
  for (const FactoredParameter& parameter : factored) state[parameter.name] = parameter.value_PH;
  for (size_t index = 0; index < batch_norms.size(); ++index) {
    const std::string& name = layout.convolutions[index].batch_norm;
    state[name + ".running_mean"] = batch_norms[index].running_mean_C;
    state[name + ".running_var"] = batch_norms[index].running_var_C;
    state[name + ".num_batches_tracked"] = batch_norms[index].num_batches_tracked;
  }
  return state;
}

Encoder::Encoder(const EncoderSettings& settings, int64_t n_axes, uint64_t seed)
    : impl_(std::make_shared<Impl>(settings, n_axes, seed)) {}

const EncoderSettings& Encoder::settings() const {
  return impl_->settings;
}
int64_t Encoder::n_axes() const {
  return impl_->n_axes;
}
int64_t Encoder::feature_dim() const {
  return impl_->layout.feature_dim;
}
const std::vector<Parameter>& Encoder::parameters() const {
  return impl_->parameters;
}
const std::vector<FactoredParameter>& Encoder::factored_parameters() const {
  return impl_->factored;
}
const std::vector<int64_t>& Encoder::kernel_parameters() const {
  return impl_->kernel_parameters;
}
const std::vector<BlockGenerator>& Encoder::generators() const {
  return impl_->generators;
}

Kernels Encoder::kernels(const config::Invariance& invariance) const {
  if (!is_conditioned()) {
    Kernels kernels{invariance, {}, {}, {}};
    for (const int64_t index : impl_->kernel_parameters) {
      kernels.kernels.push_back(impl_->parameters[static_cast<size_t>(index)].value);
    }
    return kernels;
  }
  require_invariance(invariance, impl_->n_axes);
  return generate_kernels(impl_->generators, invariance);
}

at::Tensor Encoder::forward(const at::Tensor& images_BCHW, const Kernels& kernels,
                            const BatchNormPass& batch_norm) const {
  require(images_BCHW.dim() == 4 && images_BCHW.size(1) == 3, "Encoder: images have shape [{}], expected [B, 3, H, W]",
          fmt::join(images_BCHW.sizes(), ", "));
  require(kernels.kernels.size() == impl_->kernel_parameters.size(), "Encoder: {} kernels, expected {}",
          kernels.kernels.size(), impl_->kernel_parameters.size());
  if (batch_norm.mode == BatchNormPass::Mode::kCollect) {
    require(batch_norm.collected != nullptr, "Encoder: kCollect without a place to collect in");
    const size_t n_layers = impl_->batch_norms.size();
    batch_norm.collected->push_back({std::vector<at::Tensor>(n_layers), std::vector<at::Tensor>(n_layers)});
  }

  const at::Tensor& stem = impl_->parameters.front().value;
  at::Tensor x =
      images_BCHW.contiguous(at::MemoryFormat::ChannelsLast);  // oneDNN and cuDNN are faster so, BatchNorm too
  x = impl_->convolve(x, 0, batch_norm.is_training() ? stem : stem.detach());
  x = impl_->normalise(x, 0, batch_norm, Activation::kRelu);
  if (impl_->layout.max_pool) x = at::max_pool2d(x, 3, 2, 1);
  for (const BlockLayout& block : impl_->layout.blocks) x = impl_->block_forward(block, x, kernels.kernels, batch_norm);
  return x.mean({2, 3});
}

std::vector<FactoredGradient> Encoder::hypernetwork_backward(const Kernels& kernels,
                                                             const std::vector<at::Tensor>& g) const {
  return model::hypernetwork_backward(impl_->generators, kernels, g);
}

StateDict Encoder::state() const {
  return impl_->state();
}
void Encoder::load_state(const StateDict& state) {
  copy_state(state, impl_->state(), "the encoder's state does not fit");
}
std::string Encoder::hash() const {
  return hash_state(impl_->state());
}

void Encoder::to(at::Device device) {
  const at::NoGradGuard no_grad;
  for (Parameter& parameter : impl_->parameters) parameter.value = parameter.value.detach().to(device).requires_grad_();
  for (FactoredParameter& parameter : impl_->factored) parameter.value_PH = parameter.value_PH.to(device);
  for (BatchNormLayer& layer : impl_->batch_norms) {
    for (at::Tensor* buffer : {&layer.running_mean_C, &layer.running_var_C, &layer.num_batches_tracked})
      *buffer = buffer->to(device);
  }
  impl_->link();
}

int64_t Encoder::n_parameters() const {
  int64_t n = 0;
  for (const Parameter& parameter : impl_->parameters) n += parameter.value.numel();
  for (const FactoredParameter& parameter : impl_->factored) n += parameter.value_PH.numel();
  return n;
}

double Encoder::flops_per_image(int64_t image_size) const {
  return model::flops_per_image(impl_->settings, image_size);
}

}  // namespace invaria::model

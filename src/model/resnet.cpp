#include "model/resnet.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "core/errors.hpp"

namespace invaria::model {

double he_deviation(const ConvolutionLayout& convolution) {
  return std::sqrt(2.0 / static_cast<double>(convolution.out * convolution.kernel * convolution.kernel));
}

ResNet::ResNet(const EncoderSettings& settings, int64_t n_channels, ParameterList& parameters)
    : layout_(resnet_layout(settings, n_channels)) {
  for (const ConvolutionLayout& convolution : layout_.convolutions) {
    kernels_.push_back(parameters.add_normal(convolution.convolution + ".weight",
                                             {convolution.out, convolution.in, convolution.kernel, convolution.kernel},
                                             he_deviation(convolution), Training::kDecayed));
    const at::Tensor weight_C =
        parameters.add_constant(convolution.batch_norm + ".weight", {convolution.out}, 1.0, Training::kUndecayed);
    const at::Tensor bias_C =
        parameters.add_constant(convolution.batch_norm + ".bias", {convolution.out}, 0.0, Training::kUndecayed);
    batch_norms_.push_back(
        {weight_C, bias_C, at::zeros({convolution.out}), at::ones({convolution.out}), at::zeros({}, at::kLong)});
  }
}

/// One forward pass: the network with its conditions and its BatchNorm statistics.
struct ResNet::Pass {
  const ResNet& net;
  const Conditions& conditions;
  const BatchNormPass& batch_norm;
  Precision precision;

  /// Generated if there is one; the network's own, frozen unless it is being trained.
  at::Tensor kernel(size_t index) const {
    if (index > 0 && !conditions.kernels.empty()) return as_factor(conditions.kernels[index - 1], precision);
    return as_factor(batch_norm.is_training() ? net.kernels_[index] : net.kernels_[index].detach(), precision);
  }
  at::Tensor convolve(const at::Tensor& x, size_t index) const {
    const ConvolutionLayout& convolution = net.layout_.convolutions[index];
    // The weight gradient of a strided 1x1 convolution of 4 channels overruns its memory in oneDNN 3.10 on AVX2 without
    // AVX-512: of widths that fill no vector the pixels that count are picked first, which is the same.
    constexpr int64_t kVector = 8;
    if (convolution.kernel == 1 && convolution.stride > 1 && convolution.in % kVector != 0) {
      const at::Tensor picked = x.slice(2, 0, x.size(2), convolution.stride).slice(3, 0, x.size(3), convolution.stride);
      return at::conv2d(picked.contiguous(at::MemoryFormat::ChannelsLast), kernel(index));
    }
    return at::conv2d(x, kernel(index), {}, convolution.stride, convolution.padding());
  }
  at::Tensor normalise(const at::Tensor& x, size_t index, Activation activation,
                       const at::Tensor& residual = {}) const {
    const BatchNormLayer& layer = net.batch_norms_[index];
    if (conditions.modulations.empty()) return model::batch_norm(x, layer, index, batch_norm, activation, residual);
    return modulated_batch_norm(x, layer, index, batch_norm, activation, residual, conditions.modulation(index));
  }
  at::Tensor block(const BlockLayout& layout, const at::Tensor& x) const {
    const size_t last = layout.first + layout.n_main - 1;
    at::Tensor y = x;
    for (size_t index = layout.first; index < last; ++index) {
      y = normalise(convolve(y, index), index, Activation::kRelu);
    }
    y = convolve(y, last);
    at::Tensor shortcut = x;
    if (layout.downsample) shortcut = normalise(convolve(x, last + 1), last + 1, Activation::kNone);
    return normalise(y, last, Activation::kRelu, shortcut);
  }
};

at::Tensor ResNet::forward(const at::Tensor& images_BCHW, const Conditions& conditions,
                           const ForwardPass& forward_pass) const {
  require(conditions.kernels.empty() || conditions.kernels.size() + 1 == kernels_.size(),
          "ResNet: {} generated kernels, expected {}", conditions.kernels.size(), kernels_.size() - 1);
  const Pass pass{*this, conditions, forward_pass.batch_norm, forward_pass.precision};
  // Channels last: oneDNN and cuDNN are faster so, BatchNorm too.
  at::Tensor x = as_factor(images_BCHW.contiguous(at::MemoryFormat::ChannelsLast), pass.precision);
  x = pass.normalise(pass.convolve(x, 0), 0, Activation::kRelu);
  if (layout_.max_pool) x = at::max_pool2d(x, 3, 2, 1);
  for (const BlockLayout& block : layout_.blocks) x = pass.block(block, x);
  return at::mean(x, {2, 3}, false, images_BCHW.scalar_type());
}

std::vector<NormSite> ResNet::norms() const {
  std::vector<NormSite> norms;
  for (const ConvolutionLayout& convolution : layout_.convolutions)
    norms.push_back({convolution.batch_norm, convolution.out});
  return norms;
}

StateDict ResNet::buffers() const {
  StateDict buffers;
  for (size_t index = 0; index < batch_norms_.size(); ++index) {
    const std::string& name = layout_.convolutions[index].batch_norm;
    buffers[name + ".running_mean"] = batch_norms_[index].running_mean_C;
    buffers[name + ".running_var"] = batch_norms_[index].running_var_C;
    buffers[name + ".num_batches_tracked"] = batch_norms_[index].num_batches_tracked;
  }
  return buffers;
}

void ResNet::fold(const Conditions& conditions, const BatchNormStatistics* statistics, StateDict& plain) const {
  fold_modulations(conditions, plain);
  for (size_t index = 0; index < layout_.convolutions.size(); ++index) {
    const ConvolutionLayout& convolution = layout_.convolutions[index];
    if (index > 0 && !conditions.kernels.empty())
      plain.at(convolution.convolution + ".weight") = conditions.kernels[index - 1].detach().clone();
    if (statistics == nullptr) continue;
    plain.at(convolution.batch_norm + ".running_mean") = statistics->mean_C[index].clone();
    plain.at(convolution.batch_norm + ".running_var") = statistics->var_C[index].clone();
  }
}

}  // namespace invaria::model

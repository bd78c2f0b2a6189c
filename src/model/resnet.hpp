#pragma once
/// @file
/// A ResNet without its classifier (arXiv:1512.03385): torchvision's names, order and numerics. Features are the mean
/// over pixels of the last stage.

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/backbone.hpp"
#include "model/encoder_settings.hpp"
#include "model/parameter_list.hpp"
#include "model/resnet_layout.hpp"

namespace invaria::model {

/// The standard deviation of kaiming_normal_(mode="fan_out", nonlinearity="relu") (arXiv:1502.01852, Eq. 14).
double he_deviation(const ConvolutionLayout& convolution);

class ResNet final : public Backbone {
 public:
  /// Kernels He-normal (fan_out) as torchvision's, BatchNorm at the identity.
  ResNet(const EncoderSettings& settings, int64_t n_channels, ParameterList& parameters);

  at::Tensor forward(const at::Tensor& images_BCHW, const Conditions& conditions,
                     const ForwardPass& pass) const override;
  int64_t feature_dim() const override { return layout_.feature_dim; }
  size_t n_batch_norms() const override { return batch_norms_.size(); }
  std::vector<NormSite> norms() const override;
  StateDict buffers() const override;
  void fold(const Conditions& conditions, const BatchNormStatistics* statistics, StateDict& plain) const override;

  const ResNetLayout& layout() const { return layout_; }
  /// Of every convolution, the stem's first.
  const std::vector<at::Tensor>& kernels() const { return kernels_; }

 private:
  struct Pass;

  ResNetLayout layout_;
  std::vector<at::Tensor> kernels_;
  std::vector<BatchNormLayer> batch_norms_;  ///< one a convolution
};

}  // namespace invaria::model

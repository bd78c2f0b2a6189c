#pragma once
/// @file
/// What computes features: one class a family of architectures. Its parameters are the encoder's (ParameterList).
///
/// Shape legend: B images, H W pixels, D features.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/batch_norm.hpp"
#include "model/parameters.hpp"

namespace invaria::model {

/// What i contributes to a forward pass, by the place where it enters. Empty: the backbone's own parameters serve.
struct Conditions {
  std::vector<at::Tensor> kernels;  ///< of a ResNet's residual convolutions, [out, in, kh, kw]
};

class Backbone {
 public:
  virtual ~Backbone() = default;
  /// Images [B, 3, H, W] -> features [B, D]. Gradients reach the backbone's parameters in kTrain only.
  virtual at::Tensor forward(const at::Tensor& images_BCHW, const Conditions& conditions,
                             const BatchNormPass& batch_norm) const = 0;
  virtual int64_t feature_dim() const = 0;
  /// The layers that BatchNormStatistics has places for.
  virtual size_t n_batch_norms() const = 0;
  /// Tensors that belong to its state but are no parameters, by name.
  virtual StateDict buffers() const = 0;
  /// Put what i contributes, and BatchNorm statistics (null: the running ones stay), in their places among the weights
  /// of a plain network that computes the same: `plain` holds the backbone's state, in tensors of its own.
  virtual void fold(const Conditions& conditions, const BatchNormStatistics* statistics, StateDict& plain) const = 0;
};

}  // namespace invaria::model

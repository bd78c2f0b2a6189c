#pragma once
/// @file
/// Normalisation whose scale and shift are modulated: y = weight (1 + s) x^ + bias + t, x^ the normalised x (FiLM,
/// arXiv:1709.07871, Eq. 2, in the form that leaves the layer as it is at s = t = 0).
///
/// Shape legend: B images, C channels, H W pixels, T tokens, D width, G invariances.

#include <ATen/core/Tensor.h>

#include <utility>

#include "model/batch_norm.hpp"

namespace invaria::model {

/// s and t of one layer.
struct Modulation {
  at::Tensor scale_shift_G2C;  ///< [G, 2, C]: s, then t, for each invariance
  at::Tensor group_B;          ///< int64 [B], which of the G an image has; undefined where G is 1
};

/// The layer's scale and shift at one invariance: weight (1 + s) and bias + t, [C] each. G is 1.
std::pair<at::Tensor, at::Tensor> folded(const at::Tensor& weight_C, const at::Tensor& bias_C,
                                         const Modulation& modulation);

/// As batch_norm(), and differentiable in s and t in every mode.
/// @throws PreconditionError too if `modulation` does not fit
at::Tensor modulated_batch_norm(const at::Tensor& x, const BatchNormLayer& layer, size_t layer_index,
                                const BatchNormPass& pass, Activation activation, const at::Tensor& residual,
                                const Modulation& modulation);

/// LayerNorm over the last dimension of x [B, T, D] or [B, D].
at::Tensor modulated_layer_norm(const at::Tensor& x, const at::Tensor& weight_D, const at::Tensor& bias_D,
                                double epsilon, const Modulation& modulation);

}  // namespace invaria::model

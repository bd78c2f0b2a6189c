#pragma once
/// @file
/// What computes features: one class a family of architectures. Its parameters are the encoder's (ParameterList).
///
/// Shape legend: B images, C channels, H W pixels, D features.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "model/forward_pass.hpp"
#include "model/modulation.hpp"
#include "model/parameters.hpp"

namespace invaria::model {

/// What i contributes to a forward pass, by the place where it enters. Empty: the backbone's own parameters serve.
struct Conditions {
  std::vector<at::Tensor> kernels{};      ///< of a ResNet's residual convolutions, [out, in, kh, kw]
  at::Tensor token_D{};                   ///< a ViT's additional token
  std::vector<at::Tensor> modulations{};  ///< of every normalisation, [G, 2, C] (Modulation)
  at::Tensor group_B{};                   ///< of the modulations

  /// Of one normalisation; only if there are modulations.
  Modulation modulation(size_t index) const { return {modulations[index], group_B}; }
};

/// A normalisation: its name and channels.
struct NormSite {
  std::string name;
  int64_t n_channels = 0;
};

class Backbone {
 public:
  virtual ~Backbone() = default;
  /// Images [B, C, H, W] -> features [B, D]. Gradients reach the backbone's parameters in kTrain only.
  virtual at::Tensor forward(const at::Tensor& images_BCHW, const Conditions& conditions,
                             const ForwardPass& pass) const = 0;
  virtual int64_t feature_dim() const = 0;
  /// Every normalisation in the order of Conditions::modulations.
  virtual std::vector<NormSite> norms() const = 0;
  /// The layers that BatchNormStatistics has places for.
  virtual size_t n_batch_norms() const = 0;
  /// Tensors that belong to its state but are no parameters, by name.
  virtual StateDict buffers() const = 0;
  /// Modulations in their places among a plain network's weights.
  void fold_modulations(const Conditions& conditions, StateDict& plain) const;
  /// Put what i contributes, and BatchNorm statistics (null: the running ones stay), in their places among the weights
  /// of a plain network that computes the same: `plain` holds the backbone's state, in tensors of its own.
  virtual void fold(const Conditions& conditions, const BatchNormStatistics* statistics, StateDict& plain) const = 0;
};

}  // namespace invaria::model

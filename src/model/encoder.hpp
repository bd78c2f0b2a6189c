#pragma once
/// @file
/// The conditioned encoder h(x; w, i) (arXiv:2302.12712, Sec. 3.2): a backbone, and a generator of what the invariance
/// i contributes to it.
///
/// Shape legend: B images, C channels, H W pixels, D features, K axes, P elements of a kernel.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/invariance.hpp"
#include "config/stored_shape.hpp"
#include "model/encoder_settings.hpp"
#include "model/forward_pass.hpp"
#include "model/generator.hpp"
#include "model/parameters.hpp"

namespace invaria::model {

/// Copying shares tensors.
class Encoder {
 public:
  /// Fresh weights on the CPU, drawn by address from `seed` (never from LibTorch's generator); their distributions
  /// stand with each backbone and generator.
  /// @param view  of the images; a ViT's are square RGB ones
  /// @throws PreconditionError if a conditioned encoder has no axis, or the images do not fit
  Encoder(const EncoderSettings& settings, int64_t n_axes, uint64_t seed, const config::ViewShape& view);

  const EncoderSettings& settings() const;
  int64_t n_axes() const;
  const config::ViewShape& view_shape() const;
  /// D.
  int64_t feature_dim() const;
  bool is_conditioned() const { return settings().is_conditioned(); }

  /// Every dense trainable tensor: the backbone's in torchvision's or timm's order and under their
  /// names, then the generator's.
  const std::vector<Parameter>& parameters() const;
  /// The hypernetwork's A [P, 32] of each convolution, or the prompt's second layer [D, 256 D].
  const std::vector<FactoredParameter>& factored_parameters() const;
  /// Null without conditioning.
  const Generator* generator() const;

  /// What the conditioning makes of i. Without conditioning: nothing, and `invariance` is ignored (may be empty).
  /// @throws PreconditionError if it has not n_axes elements in [0, 1]
  Generated generate(const config::Invariance& invariance) const;
  /// For images of different invariances: image b has `invariances[group_B[b]]`. Film only.
  /// @param group_B  int64 [B]
  /// @throws PreconditionError with another conditioning
  Generated generate_mixed(const std::vector<config::Invariance>& invariances, const at::Tensor& group_B) const;

  /// Images [B, C, H, W] float -> features [B, D].
  ///
  /// Collective over the ranks behind `pass.batch_norm.sum_over_ranks`, forward and backward, in kTrain. Gradients
  /// reach the encoder's own parameters in kTrain only; in the other modes generated tensors and images.
  at::Tensor forward(const at::Tensor& images_BCHW, const Generated& generated, const ForwardPass& pass) const;

  /// After backward and after g, the gradients of `generated.tensors`, was reduced over ranks: write the gradients of
  /// the generator's parameters into their grad, and return the factors of the factored ones'. Not collective: all from
  /// g alone, before any update. Does nothing without conditioning.
  std::vector<FactoredGradient> generator_backward(const Generated& generated, const std::vector<at::Tensor>& g) const;

  /// The generated tensors of these weights, frozen, as a differentiable function of i.
  /// @throws PreconditionError without conditioning
  std::unique_ptr<FrozenGenerator> frozen_generator() const;

  /// What of the state is not trained: running statistics, and what the settings freeze. The tensors themselves.
  StateDict buffers() const;
  /// Parameters, factored parameters and buffers by name, sharing the encoder's memory.
  StateDict state() const;
  /// Copy values in; nothing changes if anything is wrong. @throws ConfigError naming missing, unknown or misshapen
  /// entries
  void load_state(const StateDict& state);
  /// The backbone's part of state(), under torchvision's or timm's names, sharing its memory.
  StateDict backbone_state() const;
  /// The encoder at one i as a plain network under the same names, in copies: generated tensors stand in their places,
  /// nothing of the generator is left. @param statistics  replace the running ones; may be null
  StateDict plain_state(const Generated& generated, const BatchNormStatistics* statistics) const;
  /// SHA-256 over names, shapes and values of every parameter and buffer.
  std::string hash() const;
  /// Move every tensor, of all copies of this encoder. Gradients, and tensors generated before, are left behind.
  void to(at::Device device);

  /// Trainable numbers, factored ones included.
  int64_t n_parameters() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace invaria::model

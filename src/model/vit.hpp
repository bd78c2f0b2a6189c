#pragma once
/// @file
/// A vision transformer (arXiv:2010.11929) without its classifier: timm's names, order and numerics (pre-norm, MLP of
/// four times the width, exact GELU, LayerNorm with epsilon 1e-6, bias on q, k and v).
///
/// Features are the normalised class token, or as in timm with global_pool="avg" the mean of the patch tokens,
/// normalised behind the mean by `fc_norm` instead of `norm`. A generated token stands behind the class token, without
/// a position, and is not read.
///
/// Shape legend: B images, N patches, T tokens, D width, H heads, W numbers a head.

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "model/backbone.hpp"
#include "model/encoder_settings.hpp"
#include "model/parameter_list.hpp"
#include "model/vit_layout.hpp"

namespace invaria::model {

/// Fixed positions in two dimensions as MoCo v3's build_2d_sincos_position_embedding (arXiv:2104.02057): [1, 1 +
/// grid^2, width], the class token's zero. Width is a multiple of 4.
at::Tensor sincos_positions(int64_t grid, int64_t width);

class Vit final : public Backbone {
 public:
  /// MoCo v3's initialisation: Xavier uniform, q, k and v each as a matrix of its own, the patch projection as a matrix
  /// of 3 patch^2 rows, biases zero, class token N(0, 1e-12); learned positions N(0, 0.02^2).
  /// @param image_size  side of the images in pixels, a multiple of the patch
  Vit(const EncoderSettings& settings, int64_t image_size, ParameterList& parameters);

  /// @throws PreconditionError if images have another size, or `pass` trains with drop path but has no draws
  at::Tensor forward(const at::Tensor& images_BCHW, const Conditions& conditions,
                     const ForwardPass& pass) const override;
  int64_t feature_dim() const override { return layout_.width; }
  size_t n_batch_norms() const override { return 0; }
  /// A generated token becomes timm's `reg_token` (reg_tokens=1), with a row of zeros in `pos_embed`.
  void fold(const Conditions& conditions, const BatchNormStatistics* statistics, StateDict& plain) const override;
  std::vector<NormSite> norms() const override;
  StateDict buffers() const override { return {}; }

 private:
  struct Affine {
    at::Tensor weight;
    at::Tensor bias;
  };
  struct Block {
    Affine norm1, qkv, proj, norm2, fc1, fc2;
    double drop_path = 0.0;  ///< chance to skip each of its two branches
  };
  struct Pass;

  VitLayout layout_;
  Readout readout_;
  at::Tensor class_token_11D_;
  at::Tensor positions_1TD_;
  Affine patch_projection_;  ///< weight [D, 3, patch, patch]
  std::vector<Block> blocks_;
  Affine norm_;
};

}  // namespace invaria::model

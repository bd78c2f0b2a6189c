#include "model/modulation.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "core/errors.hpp"

namespace invaria::model {
namespace {

/// A layer's scale and shift, [G, C] each.
struct ScaleShift {
  at::Tensor scale_GC;
  at::Tensor shift_GC;
};

ScaleShift scale_shift(const at::Tensor& weight_C, const at::Tensor& bias_C, const Modulation& modulation,
                       int64_t n_images) {
  const at::Tensor& m_G2C = modulation.scale_shift_G2C;
  require(m_G2C.dim() == 3 && m_G2C.size(1) == 2 && m_G2C.size(2) == weight_C.size(0),
          "modulation: shape [{}], expected [G, 2, {}]", fmt::join(m_G2C.sizes(), ", "), weight_C.size(0));
  require(m_G2C.size(0) == 1 || (modulation.group_B.defined() && modulation.group_B.size(0) == n_images),
          "modulation: {} invariances, and no choice of one for each of {} images", m_G2C.size(0), n_images);
  return {weight_C * (1.0 + m_G2C.select(1, 0)), bias_C + m_G2C.select(1, 1)};
}

/// Each image's row of [G, C], in a shape that broadcasts against x: [B, C, 1, 1] before pixels, [B, 1, C] behind
/// tokens.
at::Tensor of_images(const at::Tensor& values_GC, const Modulation& modulation, at::IntArrayRef shape) {
  const at::Tensor rows = values_GC.size(0) == 1 ? values_GC : values_GC.index_select(0, modulation.group_B);
  return rows.view(shape);
}

}  // namespace

std::pair<at::Tensor, at::Tensor> folded(const at::Tensor& weight_C, const at::Tensor& bias_C,
                                         const Modulation& modulation) {
  require(modulation.scale_shift_G2C.size(0) == 1, "modulation: one plain network cannot serve {} invariances",
          modulation.scale_shift_G2C.size(0));
  const at::NoGradGuard no_grad;
  const ScaleShift affine = scale_shift(weight_C, bias_C, modulation, 1);
  return {affine.scale_GC[0], affine.shift_GC[0]};
}

at::Tensor modulated_batch_norm(const at::Tensor& x, const BatchNormLayer& layer, size_t layer_index,
                                const BatchNormPass& pass, Activation activation, const at::Tensor& residual,
                                const Modulation& modulation) {
  const bool is_trained = pass.is_training();
  const ScaleShift affine = scale_shift(is_trained ? layer.weight_C : layer.weight_C.detach(),
                                        is_trained ? layer.bias_C : layer.bias_C.detach(), modulation, x.size(0));
  // One i: an ordinary layer with another scale and shift, wherever batch_norm() differentiates these.
  BatchNormLayer plain = layer;
  if (affine.scale_GC.size(0) == 1 && (is_trained || !at::GradMode::is_enabled())) {
    plain.weight_C = affine.scale_GC[0];
    plain.bias_C = affine.shift_GC[0];
    return batch_norm(x, plain, layer_index, pass, activation, residual);
  }
  plain.weight_C = at::ones_like(layer.weight_C).detach();
  plain.bias_C = at::zeros_like(layer.bias_C).detach();
  const at::Tensor normalised = batch_norm(x, plain, layer_index, pass, Activation::kNone);
  const int64_t rows = affine.scale_GC.size(0) == 1 ? 1 : x.size(0);
  const std::vector<int64_t> shape =
      x.dim() == 4 ? std::vector<int64_t>{rows, x.size(1), 1, 1} : std::vector<int64_t>{rows, x.size(1)};
  at::Tensor y =
      normalised * of_images(affine.scale_GC, modulation, shape) + of_images(affine.shift_GC, modulation, shape);
  if (residual.defined()) y = y + residual;
  y = y.to(x.scalar_type());  // before the activation, which keeps it for the backward pass
  return activation == Activation::kRelu ? y.relu() : y;
}

at::Tensor modulated_layer_norm(const at::Tensor& x, const at::Tensor& weight_D, const at::Tensor& bias_D,
                                double epsilon, const Modulation& modulation) {
  const int64_t D = weight_D.size(0);
  const ScaleShift affine = scale_shift(weight_D, bias_D, modulation, x.size(0));
  if (affine.scale_GC.size(0) == 1) return at::layer_norm(x, {D}, affine.scale_GC[0], affine.shift_GC[0], epsilon);
  const std::vector<int64_t> shape =
      x.dim() == 3 ? std::vector<int64_t>{x.size(0), 1, D} : std::vector<int64_t>{x.size(0), D};
  return at::layer_norm(x, {D}, {}, {}, epsilon) * of_images(affine.scale_GC, modulation, shape) +
         of_images(affine.shift_GC, modulation, shape);
}

}  // namespace invaria::model

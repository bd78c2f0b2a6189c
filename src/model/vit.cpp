#include "model/vit.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/errors.hpp"
#include "core/philox.hpp"

namespace invaria::model {
namespace {

constexpr double kLayerNormEpsilon = 1e-6;

/// Half the width of Glorot and Bengio's uniform distribution (2010, Eq. 16).
double xavier_bound(int64_t fan_in, int64_t fan_out) {
  return std::sqrt(6.0 / static_cast<double>(fan_in + fan_out));
}

std::string norm_name(Readout readout) {
  return readout == Readout::kMean ? "fc_norm" : "norm";
}

/// Weights and biases appended in timm's order under its names.
class VitParameters {
 public:
  explicit VitParameters(ParameterList& list) : list_(list) {}

  at::Tensor weight(const std::string& name, at::IntArrayRef shape, double bound, Training training) {
    return list_.add_uniform(name + ".weight", shape, -bound, bound, training);
  }
  at::Tensor bias(const std::string& name, int64_t size, Training training) {
    return list_.add_constant(name + ".bias", {size}, 0.0, training);
  }
  at::Tensor scale(const std::string& name, int64_t size) {
    return list_.add_constant(name + ".weight", {size}, 1.0, Training::kUndecayed);
  }

 private:
  ParameterList& list_;
};

}  // namespace

at::Tensor sincos_positions(int64_t grid, int64_t width) {
  const int64_t quarter = width / 4;
  const at::Tensor omega = at::pow(10000.0, -at::arange(quarter, at::kDouble) / static_cast<double>(quarter));
  const at::Tensor place_N = at::arange(grid * grid, at::kLong);
  // The authors' "w" counts rows of the image, since torch.meshgrid's first index is the row.
  const at::Tensor w_NQ = at::outer(place_N.div(grid, "floor").to(at::kDouble), omega);
  const at::Tensor h_NQ = at::outer(place_N.remainder(grid).to(at::kDouble), omega);
  const at::Tensor patches_ND = at::cat({w_NQ.sin(), w_NQ.cos(), h_NQ.sin(), h_NQ.cos()}, 1);
  return at::cat({at::zeros({1, width}, at::kDouble), patches_ND}).unsqueeze(0).to(at::kFloat);
}

Vit::Vit(const EncoderSettings& settings, int64_t image_size, ParameterList& parameters)
    : layout_(vit_layout(settings, image_size)), readout_(settings.vit.readout) {
  require(image_size >= 1 && image_size % layout_.patch == 0 && layout_.width % layout_.heads == 0,
          "Vit: images of {} pixels in patches of {}, width {} in {} heads", image_size, layout_.patch, layout_.width,
          layout_.heads);
  const VitSettings& vit = settings.vit;
  const int64_t D = layout_.width;
  VitParameters make(parameters);
  const auto linear = [&](const std::string& name, int64_t in, int64_t out, double bound) {
    const at::Tensor weight = make.weight(name, {out, in}, bound, Training::kDecayed);
    return Affine{weight, make.bias(name, out, Training::kUndecayed)};
  };
  const auto norm = [&](const std::string& name) {
    const at::Tensor weight = make.scale(name, D);
    return Affine{weight, make.bias(name, D, Training::kUndecayed)};
  };

  class_token_11D_ = parameters.add_normal("cls_token", {1, 1, D}, 1e-6, Training::kUndecayed);
  positions_1TD_ = vit.positions == Positions::kLearned
                       ? parameters.add_normal("pos_embed", {1, 1 + layout_.n_patches(), D}, 0.02, Training::kUndecayed)
                       : parameters.add_values("pos_embed", sincos_positions(layout_.grid, D), Training::kFrozen);
  const int64_t patch = layout_.patch;
  const bool is_frozen = vit.freeze_patch_projection;
  patch_projection_.weight = make.weight("patch_embed.proj", {D, 3, patch, patch}, xavier_bound(3 * patch * patch, D),
                                         is_frozen ? Training::kFrozen : Training::kDecayed);
  patch_projection_.bias = make.bias("patch_embed.proj", D, is_frozen ? Training::kFrozen : Training::kUndecayed);
  for (int64_t index = 0; index < layout_.depth; ++index) {
    const std::string name = fmt::format("blocks.{}.", index);
    Block block;
    block.norm1 = norm(name + "norm1");
    block.qkv = linear(name + "attn.qkv", D, 3 * D, xavier_bound(D, D));
    block.proj = linear(name + "attn.proj", D, D, xavier_bound(D, D));
    block.norm2 = norm(name + "norm2");
    block.fc1 = linear(name + "mlp.fc1", D, layout_.hidden(), xavier_bound(D, layout_.hidden()));
    block.fc2 = linear(name + "mlp.fc2", layout_.hidden(), D, xavier_bound(layout_.hidden(), D));
    block.drop_path =
        vit.drop_path * static_cast<double>(index) / static_cast<double>(std::max<int64_t>(1, layout_.depth - 1));
    blocks_.push_back(std::move(block));
  }
  norm_ = norm(norm_name(readout_));
}

/// One forward pass: the network with its conditions.
struct Vit::Pass {
  const Vit& net;
  const Conditions& conditions;
  const ForwardPass& pass;

  /// The network's own tensor, frozen unless it is being trained.
  at::Tensor own(const at::Tensor& parameter) const { return pass.is_training() ? parameter : parameter.detach(); }
  at::Tensor factor(const at::Tensor& x) const { return as_factor(x, pass.precision); }
  at::Tensor linear(const at::Tensor& x, const Affine& layer) const {
    return at::linear(factor(x), factor(own(layer.weight)), factor(own(layer.bias)));
  }
  /// @param index  among norms()
  at::Tensor normalise(const at::Tensor& x, const Affine& layer, size_t index) const {
    const at::Tensor weight_D = own(layer.weight), bias_D = own(layer.bias);
    if (conditions.modulations.empty())
      return at::layer_norm(x, {net.layout_.width}, weight_D, bias_D, kLayerNormEpsilon);
    return modulated_layer_norm(x, weight_D, bias_D, kLayerNormEpsilon, conditions.modulation(index));
  }

  /// [B, T, D]: class token, generated token if there is one, patches row by row.
  at::Tensor embed(const at::Tensor& images_BCHW) const {
    const Affine& projection = net.patch_projection_;
    const at::Tensor patches_BND =
        at::conv2d(factor(images_BCHW), factor(own(projection.weight)), factor(own(projection.bias)), net.layout_.patch)
            .flatten(2)
            .transpose(1, 2);
    const int64_t B = images_BCHW.size(0), D = net.layout_.width;
    const at::Tensor class_token_B1D = own(net.class_token_11D_).expand({B, 1, D});
    const at::Tensor placed_BTD =
        at::cat({class_token_B1D, patches_BND.to(class_token_B1D.scalar_type())}, 1) + own(net.positions_1TD_);
    if (!conditions.token_D.defined()) return placed_BTD;
    return at::cat({placed_BTD.narrow(1, 0, 1), conditions.token_D.expand({B, 1, D}),
                    placed_BTD.narrow(1, 1, net.layout_.n_patches())},
                   1);
  }

  at::Tensor attend(const at::Tensor& x_BTD, const Block& block) const {
    const int64_t B = x_BTD.size(0), T = x_BTD.size(1), H = net.layout_.heads, W = net.layout_.width / H;
    const at::Tensor qkv_3BHTW = linear(x_BTD, block.qkv).view({B, T, 3, H, W}).permute({2, 0, 3, 1, 4});
    const at::Tensor mixed_BHTW = at::scaled_dot_product_attention(qkv_3BHTW[0], qkv_3BHTW[1], qkv_3BHTW[2]);
    return linear(mixed_BHTW.transpose(1, 2).reshape({B, T, H * W}), block.proj);
  }

  /// x + branch, the branch dropped for whole images with the block's chance and else scaled up (arXiv:1603.09382, as
  /// timm's DropPath).
  at::Tensor add_branch(const at::Tensor& x_BTD, const at::Tensor& branch_BTD, size_t index, uint32_t number) const {
    const double chance = net.blocks_[index].drop_path;
    if (!pass.is_training() || chance == 0.0) return x_BTD + branch_BTD;
    const int64_t B = x_BTD.size(0);
    require(pass.draws.has_value() && static_cast<int64_t>(pass.draws->samples.size()) == B,
            "Vit: training with drop path needs a draw address for each of {} images", B);
    at::Tensor scale_B11 = at::empty({B, 1, 1}, at::kFloat);
    for (int64_t row = 0; row < B; ++row) {
      Draws draws({.seed = pass.draws->seed,
                   .purpose = Purpose::kDropPath,
                   .epoch = pass.draws->step,
                   .sample = pass.draws->samples[static_cast<size_t>(row)],
                   .view = 2 * static_cast<uint32_t>(index) + number});
      scale_B11.mutable_data_ptr<float>()[row] =
          draws.bernoulli(chance) ? 0.0f : static_cast<float>(1.0 / (1.0 - chance));
    }
    return x_BTD + branch_BTD * scale_B11.to(x_BTD.options());
  }

  at::Tensor run(const at::Tensor& images_BCHW) const {
    at::Tensor x = embed(images_BCHW);
    for (size_t index = 0; index < net.blocks_.size(); ++index) {
      const Block& block = net.blocks_[index];
      x = add_branch(x, attend(normalise(x, block.norm1, 2 * index), block), index, 0);
      const at::Tensor hidden = at::gelu(linear(normalise(x, block.norm2, 2 * index + 1), block.fc1));
      x = add_branch(x, linear(hidden, block.fc2), index, 1);
    }
    const int64_t N = net.layout_.n_patches();
    const at::Tensor read_BD = net.readout_ == Readout::kMean ? x.narrow(1, x.size(1) - N, N).mean(1) : x.select(1, 0);
    return normalise(read_BD, net.norm_, 2 * net.blocks_.size());
  }
};

std::vector<NormSite> Vit::norms() const {
  std::vector<NormSite> norms;
  for (int64_t index = 0; index < layout_.depth; ++index) {
    norms.push_back({fmt::format("blocks.{}.norm1", index), layout_.width});
    norms.push_back({fmt::format("blocks.{}.norm2", index), layout_.width});
  }
  norms.push_back({norm_name(readout_), layout_.width});
  return norms;
}

void Vit::fold(const Conditions& conditions, const BatchNormStatistics*, StateDict& plain) const {
  fold_modulations(conditions, plain);
  if (!conditions.token_D.defined()) return;
  plain["reg_token"] = conditions.token_D.detach().clone().view({1, 1, layout_.width});
  at::Tensor& positions_1TD = plain.at("pos_embed");
  positions_1TD = at::cat({positions_1TD.narrow(1, 0, 1), at::zeros_like(positions_1TD.narrow(1, 0, 1)),
                           positions_1TD.narrow(1, 1, layout_.n_patches())},
                          1);
}

at::Tensor Vit::forward(const at::Tensor& images_BCHW, const Conditions& conditions, const ForwardPass& pass) const {
  const int64_t side = layout_.grid * layout_.patch;
  require(images_BCHW.size(2) == side && images_BCHW.size(3) == side, "Vit: images of {} x {} pixels, expected {}",
          images_BCHW.size(2), images_BCHW.size(3), side);
  return Pass{*this, conditions, pass}.run(images_BCHW);
}

}  // namespace invaria::model

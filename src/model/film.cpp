#include "model/film.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "core/errors.hpp"
#include "model/frozen_copy.hpp"

namespace invaria::model {

Film::Film(const FilmSettings& settings, const std::vector<NormSite>& sites, int64_t n_axes, ParameterList& parameters)
    : n_axes_(n_axes) {
  require(n_axes >= 1, "Film: needs at least one axis, found {}", n_axes);
  const int64_t H = settings.hidden;
  parameters.set_rate(settings.rate);
  W_HK_ = parameters.add_normal("film.weight", {H, n_axes}, 1.0, Training::kDecayed);
  c_H_ = parameters.add_uniform("film.bias", {H}, -0.5, 0.5, Training::kUndecayed);
  // With one axis on, W i + c has variance 1 + 1/12, and half of it survives the ReLU in the mean of squares.
  const double deviation = settings.start / std::sqrt(static_cast<double>(H) * (13.0 / 24.0));
  for (const NormSite& site : sites) {
    const int64_t O = 2 * site.n_channels;
    const at::Tensor A_OH = parameters.add_normal(site.name + ".film.weight", {O, H}, deviation, Training::kDecayed);
    layers_.push_back({A_OH, parameters.add_constant(site.name + ".film.bias", {O}, 0.0, Training::kUndecayed)});
  }
  parameters.set_rate(1.0);
}

Generated Film::generate_rows(const std::vector<config::Invariance>& invariances) const {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> rows;
  for (const config::Invariance& invariance : invariances) {
    require_invariance(invariance, n_axes_);
    rows.push_back(invariance_tensor(invariance, W_HK_));
  }
  const at::Tensor i_GK = at::stack(rows);
  const at::Tensor h_GH = at::addmm(c_H_, i_GK, W_HK_.t()).relu_();
  Generated result;
  for (const Layer& layer : layers_) {
    const at::Tensor m_GO = at::addmm(layer.a_O, h_GH, layer.A_OH.t());
    result.tensors.push_back(m_GO.view({m_GO.size(0), 2, -1}).requires_grad_());
  }
  result.kept = {i_GK, h_GH};
  return result;
}

Generated Film::generate(const config::Invariance& invariance) const {
  Generated result = generate_rows({invariance});
  result.invariance = invariance;
  return result;
}

Generated Film::generate_mixed(const std::vector<config::Invariance>& invariances, const at::Tensor& group_B) const {
  require(!invariances.empty() && group_B.dim() == 1 && group_B.scalar_type() == at::kLong,
          "Film: needs invariances and for each image the index of one");
  Generated result = generate_rows(invariances);
  result.group_B = group_B.to(W_HK_.device());
  return result;
}

at::Tensor Film::hidden_gradient(const Generated& generated, const std::vector<at::Tensor>& g) const {
  require(g.size() == layers_.size() && generated.kept.size() == 2, "Film: {} gradients for {} layers", g.size(),
          layers_.size());
  const at::Tensor& h_GH = generated.kept[1];
  at::Tensor dh_GH = at::zeros_like(h_GH);
  for (size_t index = 0; index < layers_.size(); ++index) {
    require(g[index].defined() && g[index].sizes() == generated.tensors[index].sizes(),
            "Film: gradient {} does not fit its layer", index);
    dh_GH.addmm_(g[index].reshape({h_GH.size(0), -1}), layers_[index].A_OH);
  }
  return dh_GH.mul_(h_GH > 0);
}

std::vector<FactoredGradient> Film::backward(const Generated& generated, const std::vector<at::Tensor>& g) const {
  const at::NoGradGuard no_grad;
  const at::Tensor dhidden_GH = hidden_gradient(generated, g);
  const at::Tensor& i_GK = generated.kept[0];
  const at::Tensor& h_GH = generated.kept[1];
  for (size_t index = 0; index < layers_.size(); ++index) {
    const at::Tensor g_GO = g[index].detach().reshape({h_GH.size(0), -1});
    layers_[index].A_OH.mutable_grad() = at::mm(g_GO.t(), h_GH);
    layers_[index].a_O.mutable_grad() = g_GO.sum(0);
  }
  W_HK_.mutable_grad() = at::mm(dhidden_GH.t(), i_GK);
  c_H_.mutable_grad() = dhidden_GH.sum(0);
  return {};
}

std::vector<double> Film::invariance_gradient(const Generated& generated, const std::vector<at::Tensor>& g) const {
  require(!generated.group_B.defined(), "Film: the gradient of one invariance was asked of several");
  const at::NoGradGuard no_grad;
  return to_doubles(at::mm(hidden_gradient(generated, g), W_HK_)[0]);
}

std::unique_ptr<FrozenGenerator> Film::freeze() const {
  return std::make_unique<FrozenCopy<Film>>(*this);
}

}  // namespace invaria::model

#include "model/prompt.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "core/errors.hpp"
#include "model/frozen_copy.hpp"

namespace invaria::model {

Prompt::Prompt(int64_t width, int64_t n_axes, ParameterList& parameters) : n_axes_(n_axes) {
  require(n_axes >= 1, "Prompt: needs at least one axis, found {}", n_axes);
  const double bound_1 = 1.0 / std::sqrt(static_cast<double>(n_axes));
  const double bound_2 = 1.0 / std::sqrt(static_cast<double>(width));
  const int64_t M = kPromptMlps;
  W1_MDK_ = parameters.add_uniform("prompt.linear1.weight", {M, width, n_axes}, -bound_1, bound_1, Training::kDecayed);
  b1_MD_ = parameters.add_uniform("prompt.linear1.bias", {M, width}, -bound_1, bound_1, Training::kUndecayed);
  W2_DH_ = parameters.add_factored_uniform("prompt.linear2.weight", width, M * width, -bound_2, bound_2);
  b2_MD_ = parameters.add_uniform("prompt.linear2.bias", {M, width}, -bound_2, bound_2, Training::kUndecayed);
}

Generated Prompt::generate(const config::Invariance& invariance) const {
  require_invariance(invariance, n_axes_);
  const at::NoGradGuard no_grad;
  const at::Tensor i_K = invariance_tensor(invariance, W1_MDK_);
  const at::Tensor h_H = at::addmv(b1_MD_.view(-1), W1_MDK_.view({-1, n_axes_}), i_K).relu_();
  const at::Tensor token_D = at::addmv(b2_MD_.sum(0), W2_DH_, h_H).div_(static_cast<double>(kPromptMlps));
  return {.invariance = invariance, .tensors = {token_D.requires_grad_()}, .kept = {h_H}};
}

at::Tensor Prompt::hidden_gradient(const Generated& generated, const std::vector<at::Tensor>& g) const {
  require(g.size() == 1 && g[0].defined() && g[0].numel() == W2_DH_.size(0) && generated.kept.size() == 1,
          "Prompt: {} gradients for one token", g.size());
  return at::mv(W2_DH_.t(), g[0] / static_cast<double>(kPromptMlps)).mul_(generated.kept[0] > 0);
}

std::vector<FactoredGradient> Prompt::backward(const Generated& generated, const std::vector<at::Tensor>& g) const {
  const at::NoGradGuard no_grad;
  const at::Tensor dhidden_H = hidden_gradient(generated, g);
  const at::Tensor share_D = g[0].detach() / static_cast<double>(kPromptMlps);
  W1_MDK_.mutable_grad() = at::outer(dhidden_H, invariance_tensor(generated.invariance, W1_MDK_)).view(W1_MDK_.sizes());
  b1_MD_.mutable_grad() = dhidden_H.view(b1_MD_.sizes());
  b2_MD_.mutable_grad() = share_D.expand(b2_MD_.sizes()).contiguous();
  return {{share_D, generated.kept[0]}};
}

std::vector<double> Prompt::invariance_gradient(const Generated& generated, const std::vector<at::Tensor>& g) const {
  const at::NoGradGuard no_grad;
  const at::Tensor di_K = at::mv(W1_MDK_.view({-1, n_axes_}).t(), hidden_gradient(generated, g));
  return to_doubles(di_K);
}

std::unique_ptr<FrozenGenerator> Prompt::freeze() const {
  return std::make_unique<FrozenCopy<Prompt>>(*this);
}

}  // namespace invaria::model

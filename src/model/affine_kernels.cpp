#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "core/errors.hpp"
#include "model/hypernetwork.hpp"

namespace invaria::model {

AffineKernels::AffineKernels(const Hypernetwork& hypernetwork)
    : blocks_(hypernetwork.blocks()), n_axes_(hypernetwork.n_axes()) {
  size_t n_kernels = 0;
  for (const BlockGenerator& block : blocks_) n_kernels += block.convolutions.size();
  cache_.resize(n_kernels);
}

/// k0 = A (m (c)) + b and V_k = A (m (B E)_k), m the pattern as a mask: one pass over A for all K + 1 columns.
AffineKernels::Kernel AffineKernels::linearise(const KernelGenerator& generator, const at::Tensor& E_RK,
                                               const at::Tensor& pattern_H) {
  const at::Tensor inner_HK = at::mm(generator.B_HR, E_RK);
  const at::Tensor columns_HJ = at::cat({generator.c_H.unsqueeze(1), inner_HK}, 1).mul_(pattern_H.unsqueeze(1));
  const at::Tensor mapped_JP = at::mm(columns_HJ.t().contiguous(), generator.A_PH.t());
  return {pattern_H, mapped_JP[0] + generator.b.view(-1), mapped_JP.narrow(0, 1, E_RK.size(1))};
}

Generated AffineKernels::at(const config::Invariance& invariance) {
  require_invariance(invariance, n_axes_);
  const at::NoGradGuard no_grad;
  Generated result;
  result.invariance = invariance;
  const at::Tensor i_K = invariance_tensor(invariance, blocks_.front().E_RK);
  for (const BlockGenerator& block : blocks_) {
    const at::Tensor e_R = at::mv(block.E_RK, i_K);
    for (const KernelGenerator& generator : block.convolutions) {
      Kernel& kernel = cache_[result.tensors.size()];
      const at::Tensor pattern_H = preactivation(generator, e_R) > 0;
      if (!kernel.pattern_H.defined() || !at::equal(kernel.pattern_H, pattern_H)) {
        kernel = linearise(generator, block.E_RK, pattern_H);
        ++n_recomputed_;
      }
      const at::Tensor k_P = at::addmv(kernel.base_P, kernel.slopes_KP.t(), i_K);
      result.tensors.push_back(k_P.view(generator.b.sizes()).requires_grad_());
    }
  }
  return result;
}

std::vector<double> AffineKernels::gradient(const std::vector<at::Tensor>& g) const {
  require(g.size() == cache_.size(), "AffineKernels: {} gradients for {} kernels", g.size(), cache_.size());
  const at::NoGradGuard no_grad;
  at::Tensor sum_K = at::zeros({n_axes_}, blocks_.front().E_RK.options().dtype(at::kDouble));
  for (size_t index = 0; index < g.size(); ++index) {
    const Kernel& kernel = cache_[index];
    require(kernel.pattern_H.defined(), "AffineKernels: gradient() before at()");
    require(g[index].defined(), "AffineKernels: kernel {} has no gradient", index);
    sum_K += at::mv(kernel.slopes_KP, g[index].detach().contiguous().view(-1)).to(at::kDouble);
  }
  return to_doubles(sum_K);
}

}  // namespace invaria::model

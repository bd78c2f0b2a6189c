#include "model/hypernetwork.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "core/errors.hpp"

namespace invaria::model {

void require_invariance(const config::Invariance& invariance, int64_t n_axes) {
  require(static_cast<int64_t>(invariance.size()) == n_axes, "the invariance has {} elements, expected {}",
          invariance.size(), n_axes);
  for (const double element : invariance)
    require(element >= 0.0 && element <= 1.0, "the invariance has element {}, outside [0, 1]", element);
}

at::Tensor invariance_tensor(const config::Invariance& invariance, const at::Tensor& like) {
  return at::tensor(invariance, at::kDouble).to(like.options());
}

at::Tensor preactivation(const KernelGenerator& generator, const at::Tensor& e_R) {
  return at::addmv(generator.c_H, generator.B_HR, e_R);
}

Kernels generate_kernels(const std::vector<BlockGenerator>& blocks, const config::Invariance& invariance) {
  const at::NoGradGuard no_grad;
  Kernels result{invariance, {}, {}, {}};
  if (blocks.empty()) return result;
  const at::Tensor i_K = invariance_tensor(invariance, blocks.front().E_RK);
  for (const BlockGenerator& block : blocks) {
    const at::Tensor e_R = at::mv(block.E_RK, i_K);
    for (const KernelGenerator& generator : block.convolutions) {
      const at::Tensor h_H = preactivation(generator, e_R).relu_();
      const at::Tensor k_P = at::addmv(generator.b.view(-1), generator.A_PH, h_H);
      result.kernels.push_back(k_P.view(generator.b.sizes()).requires_grad_());
      result.h_H.push_back(h_H);
    }
    result.e_R.push_back(e_R);
  }
  return result;
}

std::vector<FactoredGradient> hypernetwork_backward(const std::vector<BlockGenerator>& blocks, const Kernels& kernels,
                                                    const std::vector<at::Tensor>& g) {
  const at::NoGradGuard no_grad;
  require(blocks.empty() || (g.size() == kernels.kernels.size() && kernels.h_H.size() == g.size()),
          "hypernetwork_backward: {} gradients for {} generated kernels", g.size(), kernels.h_H.size());
  std::vector<FactoredGradient> factored;
  if (blocks.empty()) return factored;
  const at::Tensor i_K = invariance_tensor(kernels.invariance, blocks.front().E_RK);
  for (size_t block_index = 0; block_index < blocks.size(); ++block_index) {
    const BlockGenerator& block = blocks[block_index];
    const at::Tensor& e_R = kernels.e_R[block_index];
    at::Tensor de_R = at::zeros_like(e_R);
    for (const KernelGenerator& generator : block.convolutions) {
      const size_t index = factored.size();
      require(g[index].defined() && g[index].numel() == generator.b.numel(),
              "hypernetwork_backward: gradient {} does not fit its kernel", index);
      const at::Tensor& h_H = kernels.h_H[index];
      const at::Tensor g_P = g[index].detach().contiguous().view(-1);
      const at::Tensor dc_H = at::mv(generator.A_PH.t(), g_P).mul_(h_H > 0);
      de_R.addmv_(generator.B_HR.t(), dc_H);
      generator.b.mutable_grad() = g_P.view(generator.b.sizes());
      generator.B_HR.mutable_grad() = at::outer(dc_H, e_R);
      generator.c_H.mutable_grad() = dc_H;
      factored.push_back({g_P, h_H});
    }
    block.E_RK.mutable_grad() = at::outer(de_R, i_K);
  }
  return factored;
}

}  // namespace invaria::model

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "core/errors.hpp"
#include "model/encoder.hpp"
#include "model/hypernetwork.hpp"

namespace invaria::model {
namespace {

/// One convolution's kernel with the ReLU pattern fixed.
struct AffineKernel {
  at::Tensor pattern_H;  ///< bool; undefined until first computed
  at::Tensor base_P;     ///< k0
  at::Tensor slopes_KP;  ///< V
};

/// k0 = A (m (c)) + b and V_k = A (m (B E)_k), m the pattern as a mask: one pass over A for all K + 1 columns.
AffineKernel linearise(const KernelGenerator& generator, const at::Tensor& E_RK, const at::Tensor& pattern_H) {
  const at::Tensor inner_HK = at::mm(generator.B_HR, E_RK);
  const at::Tensor columns_HJ = at::cat({generator.c_H.unsqueeze(1), inner_HK}, 1).mul_(pattern_H.unsqueeze(1));
  const at::Tensor mapped_JP = at::mm(columns_HJ.t().contiguous(), generator.A_PH.t());
  return {pattern_H, mapped_JP[0] + generator.b.view(-1), mapped_JP.narrow(0, 1, E_RK.size(1))};
}

}  // namespace

struct AffineKernels::Impl {
  std::vector<BlockGenerator> blocks;
  std::vector<AffineKernel> cache;
  int64_t n_axes = 0;
  int64_t n_recomputed = 0;
};

AffineKernels::AffineKernels(const Encoder& encoder) : impl_(std::make_shared<Impl>()) {
  require(encoder.is_conditioned(), "AffineKernels: the encoder has no hypernetwork");
  impl_->blocks = encoder.generators();
  impl_->cache.resize(encoder.kernel_parameters().size());
  impl_->n_axes = encoder.n_axes();
}

Kernels AffineKernels::at(const config::Invariance& invariance) {
  require_invariance(invariance, impl_->n_axes);
  const at::NoGradGuard no_grad;
  Kernels result{invariance, {}, {}, {}};
  const at::Tensor i_K = invariance_tensor(invariance, impl_->blocks.front().E_RK);
  for (const BlockGenerator& block : impl_->blocks) {
    const at::Tensor e_R = at::mv(block.E_RK, i_K);
    for (const KernelGenerator& generator : block.convolutions) {
      AffineKernel& kernel = impl_->cache[result.kernels.size()];
      const at::Tensor before_H = preactivation(generator, e_R);
      const at::Tensor pattern_H = before_H > 0;
      if (!kernel.pattern_H.defined() || !at::equal(kernel.pattern_H, pattern_H)) {
        kernel = linearise(generator, block.E_RK, pattern_H);
        ++impl_->n_recomputed;
      }
      const at::Tensor k_P = at::addmv(kernel.base_P, kernel.slopes_KP.t(), i_K);
      result.kernels.push_back(k_P.view(generator.b.sizes()).requires_grad_());
      result.h_H.push_back(before_H.relu());
    }
    result.e_R.push_back(e_R);
  }
  return result;
}

std::vector<double> AffineKernels::gradient(const std::vector<at::Tensor>& g) const {
  require(g.size() == impl_->cache.size(), "AffineKernels: {} gradients for {} kernels", g.size(), impl_->cache.size());
  const at::NoGradGuard no_grad;
  at::Tensor sum_K = at::zeros({impl_->n_axes}, impl_->blocks.front().E_RK.options().dtype(at::kDouble));
  for (size_t index = 0; index < g.size(); ++index) {
    const AffineKernel& kernel = impl_->cache[index];
    require(kernel.pattern_H.defined(), "AffineKernels: gradient() before at()");
    require(g[index].defined(), "AffineKernels: kernel {} has no gradient", index);
    sum_K += at::mv(kernel.slopes_KP, g[index].detach().contiguous().view(-1)).to(at::kDouble);
  }
  const at::Tensor host_K = sum_K.to(at::kCPU);
  const double* values = host_K.const_data_ptr<double>();
  return {values, values + impl_->n_axes};
}

int64_t AffineKernels::n_recomputed() const {
  return impl_->n_recomputed;
}

}  // namespace invaria::model

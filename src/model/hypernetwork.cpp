#include "model/hypernetwork.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "core/errors.hpp"

namespace invaria::model {

at::Tensor preactivation(const KernelGenerator& generator, const at::Tensor& e_R) {
  return at::addmv(generator.c_H, generator.B_HR, e_R);
}

Hypernetwork::Hypernetwork(const ResNet& resnet, int64_t n_axes, ParameterList& parameters) : n_axes_(n_axes) {
  require(n_axes >= 1, "Hypernetwork: needs at least one axis, found {}", n_axes);
  parameters.reuse_last_address();
  for (const BlockLayout& block : resnet.layout().blocks) {
    blocks_.push_back(
        {parameters.add_normal(block.name + ".hyper.E", {kEmbedding, n_axes}, 1.0, Training::kDecayed), {}});
    for (size_t index = block.first; index < block.first + block.n_convolutions(); ++index) {
      const ConvolutionLayout& convolution = resnet.layout().convolutions[index];
      const std::string prefix = convolution.convolution + ".hyper.";
      const at::Tensor B_HR = parameters.add_normal(prefix + "B", {kHidden, kEmbedding}, 0.25, Training::kDecayed);
      const at::Tensor c_H = parameters.add_uniform(prefix + "c", {kHidden}, -0.5, 0.5, Training::kUndecayed);
      const at::Tensor A_PH = parameters.add_factored_normal(prefix + "A", convolution.n_elements(), kHidden,
                                                             0.5 * he_deviation(convolution) / 4.0);
      blocks_.back().convolutions.push_back({A_PH, resnet.kernels()[index], B_HR, c_H});
    }
  }
}

Generated Hypernetwork::generate(const config::Invariance& invariance) const {
  require_invariance(invariance, n_axes_);
  const at::NoGradGuard no_grad;
  Generated result;
  result.invariance = invariance;
  std::vector<at::Tensor> embeddings;
  const at::Tensor i_K = invariance_tensor(invariance, blocks_.front().E_RK);
  for (const BlockGenerator& block : blocks_) {
    const at::Tensor e_R = at::mv(block.E_RK, i_K);
    for (const KernelGenerator& generator : block.convolutions) {
      const at::Tensor h_H = preactivation(generator, e_R).relu_();
      const at::Tensor k_P = at::addmv(generator.b.view(-1), generator.A_PH, h_H);
      result.tensors.push_back(k_P.view(generator.b.sizes()).requires_grad_());
      result.kept.push_back(h_H);
    }
    embeddings.push_back(e_R);
  }
  result.kept.insert(result.kept.end(), embeddings.begin(), embeddings.end());
  return result;
}

std::vector<FactoredGradient> Hypernetwork::backward(const Generated& generated,
                                                     const std::vector<at::Tensor>& g) const {
  const at::NoGradGuard no_grad;
  const size_t n_kernels = generated.tensors.size();
  require(g.size() == n_kernels && generated.kept.size() == n_kernels + blocks_.size(),
          "Hypernetwork: {} gradients for {} generated kernels", g.size(), n_kernels);
  std::vector<FactoredGradient> factored;
  const at::Tensor i_K = invariance_tensor(generated.invariance, blocks_.front().E_RK);
  for (size_t block_index = 0; block_index < blocks_.size(); ++block_index) {
    const BlockGenerator& block = blocks_[block_index];
    const at::Tensor& e_R = generated.kept[n_kernels + block_index];
    at::Tensor de_R = at::zeros_like(e_R);
    for (const KernelGenerator& generator : block.convolutions) {
      const size_t index = factored.size();
      require(g[index].defined() && g[index].numel() == generator.b.numel(),
              "Hypernetwork: gradient {} does not fit its kernel", index);
      const at::Tensor& h_H = generated.kept[index];
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

std::unique_ptr<FrozenGenerator> Hypernetwork::freeze() const {
  return std::make_unique<AffineKernels>(*this);
}

}  // namespace invaria::model

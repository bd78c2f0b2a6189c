#pragma once
/// @file
/// The hypernetwork (arXiv:2302.12712, Sec. 3.2): per residual block e = E i, per convolution h = relu(B e + c) and the
/// kernel k = A h + b.
///
/// Within a step h is the same for the whole batch and, since all ranks share i, on all ranks. So dL/dA = g h^T with g
/// = dL/dk: every other gradient follows from the reduced g, and A's is never formed.
///
/// Shape legend: K axes, P elements of a kernel, H hidden units (32), R embedding (16).

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "config/invariance.hpp"
#include "model/parameters.hpp"

namespace invaria::model {

inline constexpr int64_t kEmbedding = 16;
inline constexpr int64_t kHidden = 32;

/// The tensors that generate one convolution's kernel; they share storage and gradient with the encoder's parameters.
struct KernelGenerator {
  at::Tensor A_PH;
  at::Tensor b;  ///< [out, in, kh, kw], the base kernel
  at::Tensor B_HR;
  at::Tensor c_H;
};

/// The generators of a residual block, which share one embedding of i.
struct BlockGenerator {
  at::Tensor E_RK;
  std::vector<KernelGenerator> convolutions;
};

/// The kernels of the residual convolutions at one i, in torchvision's order of modules.
///
/// For `none` they are the parameters themselves. For `hypernetwork` they are fresh leaves that require grad, so that
/// after backward `kernel.grad()` is g = dL/dk; `h_H` keeps relu(B E i + c) of each, `e_R` each block's E i.
struct Kernels {
  config::Invariance invariance;
  std::vector<at::Tensor> kernels;  ///< [out, in, kh, kw]
  std::vector<at::Tensor> h_H;
  std::vector<at::Tensor> e_R;
};

/// @throws PreconditionError if i has not n_axes elements in [0, 1]
void require_invariance(const config::Invariance& invariance, int64_t n_axes);

/// i as a vector [K] of `like`'s type, on its device.
at::Tensor invariance_tensor(const config::Invariance& invariance, const at::Tensor& like);

/// B E i + c, before the ReLU.
at::Tensor preactivation(const KernelGenerator& generator, const at::Tensor& e_R);

/// Kernels at i. Reads every A once. Records no gradient.
Kernels generate_kernels(const std::vector<BlockGenerator>& blocks, const config::Invariance& invariance);

/// Gradients of b, B, c and E into their tensors' grad (overwritten), and the factors of every A's. Reads every A once.
/// @param g  dL/dk per convolution, in the order of `kernels`; b's grad becomes an alias of it
std::vector<FactoredGradient> hypernetwork_backward(const std::vector<BlockGenerator>& blocks, const Kernels& kernels,
                                                    const std::vector<at::Tensor>& g);

}  // namespace invaria::model

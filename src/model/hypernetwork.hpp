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
#include <memory>
#include <vector>

#include "model/generator.hpp"
#include "model/parameter_list.hpp"
#include "model/resnet.hpp"

namespace invaria::model {

inline constexpr int64_t kEmbedding = 16;
inline constexpr int64_t kHidden = 32;

/// The tensors that generate one convolution's kernel; the encoder's parameters.
struct KernelGenerator {
  at::Tensor A_PH;
  at::Tensor b;  ///< [out, in, kh, kw], the base kernel: the backbone's own
  at::Tensor B_HR;
  at::Tensor c_H;
};

/// The generators of a residual block, which share one embedding of i.
struct BlockGenerator {
  at::Tensor E_RK;
  std::vector<KernelGenerator> convolutions;
};

/// Generated::tensors are the kernels k of the residual convolutions, `kept` their h_H, then each block's e_R.
class Hypernetwork final : public Generator {
 public:
  /// E ~ N(0, 1), B ~ N(0, 1/16), c ~ U[-1/2, 1/2), A ~ N(0, (He / 8)^2), so that training starts as an ordinary ResNet
  /// with a generated part of about half the He standard deviation.
  /// @throws PreconditionError if there is no axis
  Hypernetwork(const ResNet& resnet, int64_t n_axes, ParameterList& parameters);

  /// Reads every A once.
  Generated generate(const config::Invariance& invariance) const override;
  /// All from g alone: dL/db = g (an alias of it), dL/dh = A^T g, dL/dc = dL/dh [h > 0], dL/dB = dL/dc e^T, dL/dE =
  /// (sum over the block's convolutions of B^T dL/dc) i^T. Reads every A once.
  std::vector<FactoredGradient> backward(const Generated& generated, const std::vector<at::Tensor>& g) const override;
  std::unique_ptr<FrozenGenerator> freeze() const override;

  const std::vector<BlockGenerator>& blocks() const { return blocks_; }
  int64_t n_axes() const { return n_axes_; }

 private:
  int64_t n_axes_;
  std::vector<BlockGenerator> blocks_;
};

/// With the ReLU pattern fixed, k(i) = k0 + sum_k i_k V_k exactly. Caches k0 and V per convolution, recomputed only
/// where a pattern flips, so that a downstream step reads K + 1 kernels instead of A's 32 columns.
class AffineKernels final : public FrozenGenerator {
 public:
  explicit AffineKernels(const Hypernetwork& hypernetwork);

  Generated at(const config::Invariance& invariance) override;
  /// Per axis the sum over convolutions of <g, V_k>.
  std::vector<double> gradient(const std::vector<at::Tensor>& g) const override;
  /// Convolutions whose k0 and V were computed so far (for tests and the log).
  int64_t n_recomputed() const { return n_recomputed_; }

 private:
  /// One convolution's kernel with the ReLU pattern fixed.
  struct Kernel {
    at::Tensor pattern_H;  ///< bool; undefined until first computed
    at::Tensor base_P;     ///< k0
    at::Tensor slopes_KP;  ///< V
  };
  static Kernel linearise(const KernelGenerator& generator, const at::Tensor& E_RK, const at::Tensor& pattern_H);

  std::vector<BlockGenerator> blocks_;
  std::vector<Kernel> cache_;
  int64_t n_axes_ = 0;
  int64_t n_recomputed_ = 0;
};

/// B E i + c, before the ReLU.
at::Tensor preactivation(const KernelGenerator& generator, const at::Tensor& e_R);

}  // namespace invaria::model

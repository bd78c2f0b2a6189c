#pragma once
/// @file
/// The conditioned encoder h(x; w, i): a ResNet (arXiv:1512.03385, torchvision's names, order and numerics) whose residual
/// convolutions are plain parameters (`none`) or generated from the invariance i by a hypernetwork (arXiv:2302.12712, Sec. 3.2).
///
/// Shape legend: B images, C channels, H W pixels, D features, K axes, P elements of a kernel, H hidden units (32), R embedding (16).

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/invariance.hpp"
#include "config/setting.hpp"
#include "model/batch_norm.hpp"
#include "model/parameters.hpp"

namespace invaria::model {

enum class Backbone { kResNet18, kResNet34, kResNet50 };
enum class Stem { kImagenet, kCifar };
enum class Conditioning { kNone, kHypernetwork };

/// The architecture of an encoder. Defaults: setting A of the quickstart.
struct EncoderSettings {
  Backbone backbone = Backbone::kResNet18;
  Stem stem = Stem::kCifar;
  int64_t stem_stride = 2;  ///< of the cifar stem's 3x3 convolution; the imagenet stem is 7x7 stride 2 with max-pool
  int64_t width = 16;       ///< channels of the first stage; torchvision's is 64
  Conditioning conditioning = Conditioning::kHypernetwork;

  static auto settings();
};

/// The kernels of the residual convolutions at one i, in torchvision's order of modules.
///
/// For `none` they are the parameters themselves. For `hypernetwork` they are fresh leaves that require grad, so that after backward
/// `kernel.grad()` is g = dL/dk; `h_H` keeps relu(B E i + c) of each, `e_R` each block's E i.
struct Kernels {
  config::Invariance invariance;
  std::vector<at::Tensor> kernels;  ///< [out, in, kh, kw]
  std::vector<at::Tensor> h_H;
  std::vector<at::Tensor> e_R;
};

/// A ResNet without its classifier, and its hypernetwork. Copying shares tensors.
class Encoder {
 public:
  /// Fresh weights, drawn by address from `seed` (never from LibTorch's generator).
  Encoder(const EncoderSettings& settings, int64_t n_axes, uint64_t seed);

  const EncoderSettings& settings() const;
  int64_t n_axes() const;
  /// D: 8 width for basic blocks, 32 width for bottlenecks.
  int64_t feature_dim() const;
  bool is_conditioned() const { return settings().conditioning == Conditioning::kHypernetwork; }

  /// Every dense trainable tensor: stem, base kernels b, BatchNorm scale and shift, then per block E and per convolution B, c.
  const std::vector<Parameter>& parameters() const;
  /// Every A; empty without hypernetwork. `value_PH` is [P, 32].
  const std::vector<FactoredParameter>& factored_parameters() const;
  /// Indices into parameters() of the base kernels b (for `none`: the kernels), in the order of Kernels::kernels.
  const std::vector<int64_t>& kernel_parameters() const;

  /// Kernels at i: k = A relu(B E i + c) + b. `invariance` is ignored (may be empty) without hypernetwork.
  /// @throws PreconditionError if it has not n_axes elements in [0, 1]
  Kernels kernels(const config::Invariance& invariance) const;

  /// Images [B, 3, H, W] float -> features [B, D]: mean-pooled output of the last stage.
  at::Tensor forward(const at::Tensor& images_BCHW, const Kernels& kernels, const BatchNormPass& batch_norm) const;

  /// After backward and after g was reduced over ranks: write the gradients of b, B, c and E into their parameters' grad, and return
  /// the factors of every A's gradient. All from g alone: dL/db = g, dL/dh = A^T g, dL/dc = dL/dh [h > 0], dL/dB = dL/dc e^T,
  /// dL/dE = (sum over the block's convolutions of B^T dL/dc) i^T. A is read before any update of it.
  std::vector<FactoredGradient> hypernetwork_backward(const Kernels& kernels, const std::vector<at::Tensor>& g) const;

  /// Parameters, factored parameters and buffers by name.
  StateDict state() const;
  /// Copy values in. @throws ConfigError naming missing, unknown or misshapen entries
  void load_state(const StateDict& state);
  /// SHA-256 over names, shapes and values of every parameter and buffer.
  std::string hash() const;

  /// Trainable numbers, A included.
  int64_t n_parameters() const;
  /// Multiply-adds of one forward pass times two, kernels given, for square images of this side.
  double flops_per_image(int64_t image_size) const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
  friend class AffineKernels;
};

/// Kernels of a frozen encoder as a function of i: with the ReLU pattern fixed, k(i) = k0 + sum_k i_k V_k exactly. Caches k0 and V per
/// convolution, recomputed only where a pattern flips, so that a downstream step reads K + 1 kernels instead of A's 32 columns.
class AffineKernels {
 public:
  explicit AffineKernels(const Encoder& encoder);

  /// The same kernels as Encoder::kernels, to rounding.
  Kernels at(const config::Invariance& invariance);
  /// dL/di [K] from the kernels' gradients at the last `at`: per axis the sum over convolutions of <g, V_k>.
  std::vector<double> gradient(const std::vector<at::Tensor>& g) const;
  /// Convolutions whose k0 and V were computed so far (for tests and the log).
  int64_t n_recomputed() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace invaria::model

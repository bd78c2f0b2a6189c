#pragma once
/// @file
/// The conditioned encoder h(x; w, i): a ResNet (arXiv:1512.03385, torchvision's names, order and numerics) whose
/// residual convolutions are plain parameters (`none`) or generated from the invariance i by a hypernetwork
/// (arXiv:2302.12712, Sec. 3.2).
///
/// Shape legend: B images, C channels, H W pixels, D features, K axes, P elements of a kernel, H hidden units (32), R
/// embedding (16).

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "config/invariance.hpp"
#include "config/setting.hpp"
#include "model/batch_norm.hpp"
#include "model/hypernetwork.hpp"
#include "model/parameters.hpp"

namespace invaria::model {

enum class Backbone { kResNet18, kResNet34, kResNet50 };
enum class Stem { kImagenet, kCifar };
enum class Conditioning { kNone, kHypernetwork };

}  // namespace invaria::model

template <>
struct invaria::config::EnumNames<invaria::model::Backbone> {
  using E = model::Backbone;
  static constexpr std::array<std::pair<E, const char*>, 3> kNames{
      {{E::kResNet18, "resnet18"}, {E::kResNet34, "resnet34"}, {E::kResNet50, "resnet50"}}};
};

template <>
struct invaria::config::EnumNames<invaria::model::Stem> {
  using E = model::Stem;
  static constexpr std::array<std::pair<E, const char*>, 2> kNames{{{E::kImagenet, "imagenet"}, {E::kCifar, "cifar"}}};
};

template <>
struct invaria::config::EnumNames<invaria::model::Conditioning> {
  using E = model::Conditioning;
  static constexpr std::array<std::pair<E, const char*>, 2> kNames{
      {{E::kNone, "none"}, {E::kHypernetwork, "hypernetwork"}}};
};

namespace invaria::model {

/// The architecture of an encoder. Defaults: setting A of the quickstart.
struct EncoderSettings {
  Backbone backbone = Backbone::kResNet18;
  Stem stem = Stem::kCifar;
  int64_t stem_stride = 2;  ///< of the cifar stem's 3x3 convolution; the imagenet stem is 7x7 stride 2 with max-pool
  int64_t width = 16;       ///< channels of the first stage; torchvision's is 64
  Conditioning conditioning = Conditioning::kHypernetwork;

  static auto settings() {
    using S = EncoderSettings;
    return std::tuple{config::setting("backbone", &S::backbone, "a ResNet of torchvision's"),
                      config::setting("stem", &S::stem, "imagenet: 7x7 stride 2 and max-pool; cifar: 3x3, no max-pool"),
                      config::setting("stem_stride", &S::stem_stride,
                                      "stride of the cifar stem; 2 for the imagenet stem", config::between(1, 2)),
                      config::setting("width", &S::width, "channels of the first stage; torchvision's is 64",
                                      config::between(1, 512)),
                      config::setting("conditioning", &S::conditioning,
                                      "how the invariance enters: not at all, or by generated residual kernels")};
  }
  void validate(const std::string& path, config::Problems& problems) const;
};

/// A ResNet without its classifier, and its hypernetwork. Copying shares tensors.
class Encoder {
 public:
  /// Fresh weights on the CPU, drawn by address from `seed` (never from LibTorch's generator). Convolutions, and the
  /// base kernels b: He-normal (fan_out), as torchvision; E ~ N(0, 1), B ~ N(0, 1/16), c ~ U[-1/2, 1/2), A ~ N(0, (He /
  /// 8)^2), so that training starts as an ordinary ResNet with a generated part of about half the He standard
  /// deviation.
  /// @throws PreconditionError if a hypernetwork has no axis
  Encoder(const EncoderSettings& settings, int64_t n_axes, uint64_t seed);

  const EncoderSettings& settings() const;
  int64_t n_axes() const;
  /// D: 8 width for basic blocks, 32 width for bottlenecks.
  int64_t feature_dim() const;
  bool is_conditioned() const { return settings().conditioning == Conditioning::kHypernetwork; }

  /// Every dense trainable tensor: stem, base kernels b, BatchNorm scale and shift in torchvision's order and under its
  /// names, then per block E and per convolution B, c.
  const std::vector<Parameter>& parameters() const;
  /// Every A; empty without hypernetwork. `value_PH` is [P, 32].
  const std::vector<FactoredParameter>& factored_parameters() const;
  /// Indices into parameters() of the base kernels b (for `none`: the kernels), in the order of Kernels::kernels.
  const std::vector<int64_t>& kernel_parameters() const;
  /// The hypernetwork's tensors block by block, in the order of Kernels::kernels; empty without hypernetwork.
  const std::vector<BlockGenerator>& generators() const;

  /// Kernels at i: k = A relu(B E i + c) + b. `invariance` is ignored (may be empty) without hypernetwork.
  /// @throws PreconditionError if it has not n_axes elements in [0, 1]
  Kernels kernels(const config::Invariance& invariance) const;

  /// Images [B, 3, H, W] float -> features [B, D]: mean-pooled output of the last stage.
  ///
  /// Collective over the ranks behind `batch_norm.sum_over_ranks`, forward and backward, in kTrain. Gradients reach the
  /// encoder's own parameters in kTrain only; in the other modes kernels and images.
  at::Tensor forward(const at::Tensor& images_BCHW, const Kernels& kernels, const BatchNormPass& batch_norm) const;

  /// After backward and after g was reduced over ranks: write the gradients of b, B, c and E into their parameters'
  /// grad, and return the factors of every A's gradient. All from g alone: dL/db = g, dL/dh = A^T g, dL/dc = dL/dh [h >
  /// 0], dL/dB = dL/dc e^T, dL/dE = (sum over the block's convolutions of B^T dL/dc) i^T. A is read before any update
  /// of it. Without hypernetwork it does nothing: the kernels' own grad is the parameters'.
  std::vector<FactoredGradient> hypernetwork_backward(const Kernels& kernels, const std::vector<at::Tensor>& g) const;

  /// Parameters, factored parameters and buffers by name, sharing the encoder's memory.
  StateDict state() const;
  /// Copy values in; nothing changes if anything is wrong. @throws ConfigError naming missing, unknown or misshapen
  /// entries
  void load_state(const StateDict& state);
  /// SHA-256 over names, shapes and values of every parameter and buffer.
  std::string hash() const;
  /// Move every tensor, of all copies of this encoder. Gradients, and kernels made before, are left behind.
  void to(at::Device device);

  /// Trainable numbers, A included.
  int64_t n_parameters() const;
  /// Multiply-adds of the convolutions of one forward pass times two, kernels given, for square images of this side.
  double flops_per_image(int64_t image_size) const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// Kernels of a frozen encoder as a function of i: with the ReLU pattern fixed, k(i) = k0 + sum_k i_k V_k exactly.
/// Caches k0 and V per convolution, recomputed only where a pattern flips, so that a downstream step reads K + 1
/// kernels instead of A's 32 columns.
class AffineKernels {
 public:
  /// @throws PreconditionError if the encoder has no hypernetwork
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

#pragma once
/// @file
/// The architecture of an encoder: which backbone, and how the invariance i enters it.

#include <array>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

#include "config/setting.hpp"

namespace invaria::model {

enum class Architecture { kResNet18, kResNet34, kResNet50 };
enum class Stem { kImagenet, kCifar };
enum class Conditioning { kNone, kHypernetwork };

}  // namespace invaria::model

template <>
struct invaria::config::EnumNames<invaria::model::Architecture> {
  using E = model::Architecture;
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

/// Defaults: setting A of the quickstart.
struct EncoderSettings {
  Architecture backbone = Architecture::kResNet18;
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

  /// Whether there are statistics to re-estimate at an i.
  bool has_batch_norm() const { return true; }
  bool is_conditioned() const { return conditioning != Conditioning::kNone; }
};

}  // namespace invaria::model

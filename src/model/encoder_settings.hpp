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

enum class Architecture { kResNet18, kResNet34, kResNet50, kVitTiny, kVitSmall, kVitBase };
enum class Stem { kImagenet, kCifar };
enum class Conditioning { kNone, kHypernetwork, kPrompt, kFilm };
enum class Positions { kSinCos, kLearned };
enum class Readout { kClassToken, kMean };

}  // namespace invaria::model

template <>
struct invaria::config::EnumNames<invaria::model::Architecture> {
  using E = model::Architecture;
  static constexpr std::array<std::pair<E, const char*>, 6> kNames{{{E::kResNet18, "resnet18"},
                                                                    {E::kResNet34, "resnet34"},
                                                                    {E::kResNet50, "resnet50"},
                                                                    {E::kVitTiny, "vit_tiny"},
                                                                    {E::kVitSmall, "vit_small"},
                                                                    {E::kVitBase, "vit_base"}}};
};

template <>
struct invaria::config::EnumNames<invaria::model::Stem> {
  using E = model::Stem;
  static constexpr std::array<std::pair<E, const char*>, 2> kNames{{{E::kImagenet, "imagenet"}, {E::kCifar, "cifar"}}};
};

template <>
struct invaria::config::EnumNames<invaria::model::Conditioning> {
  using E = model::Conditioning;
  static constexpr std::array<std::pair<E, const char*>, 4> kNames{
      {{E::kNone, "none"}, {E::kHypernetwork, "hypernetwork"}, {E::kPrompt, "prompt"}, {E::kFilm, "film"}}};
};

template <>
struct invaria::config::EnumNames<invaria::model::Positions> {
  using E = model::Positions;
  static constexpr std::array<std::pair<E, const char*>, 2> kNames{{{E::kSinCos, "sincos"}, {E::kLearned, "learned"}}};
};

template <>
struct invaria::config::EnumNames<invaria::model::Readout> {
  using E = model::Readout;
  static constexpr std::array<std::pair<E, const char*>, 2> kNames{
      {{E::kClassToken, "class-token"}, {E::kMean, "mean"}}};
};

namespace invaria::model {

/// What only a vision transformer has. Where 0 is the default, the backbone's own number serves.
struct VitSettings {
  int64_t patch = 16;
  int64_t width = 0;  ///< own: 192, 384, 768
  int64_t depth = 0;  ///< own: 12
  int64_t heads = 0;  ///< own: 3, 6, 12
  Positions positions = Positions::kSinCos;
  Readout readout = Readout::kClassToken;
  double drop_path = 0.0;
  bool freeze_patch_projection = false;

  static auto settings() {
    using S = VitSettings;
    using config::between, config::setting;
    return std::tuple{
        setting("patch", &S::patch, "side of a patch in pixels; divides view_size", between(1, 64)),
        setting("width", &S::width, "numbers a token; 0: 192, 384 or 768, the backbone's own", between(0, 4096)),
        setting("depth", &S::depth, "blocks; 0: 12, the backbone's own", between(0, 64)),
        setting("heads", &S::heads, "of attention, dividing width; 0: 3, 6 or 12, the backbone's own", between(0, 64)),
        setting("positions", &S::positions, "sincos: fixed, in two dimensions, as MoCo v3's; learned: as timm's"),
        setting("readout", &S::readout,
                "class-token: features are its output; mean: that of the patches, normalised after the mean"),
        setting("drop_path", &S::drop_path,
                "chance to skip the last block in training, rising linearly from 0 (stochastic depth)",
                between(0, 0.9)),
        setting("freeze_patch_projection", &S::freeze_patch_projection,
                "leave the patch projection as it was drawn, as MoCo v3 does"),
    };
  }
};

/// How i modulates normalisations (conditioning film).
struct FilmSettings {
  int64_t hidden = 32;
  double start = 0.5;
  double rate = 1.0;

  static auto settings() {
    using S = FilmSettings;
    using config::above, config::at_least, config::between, config::setting;
    return std::tuple{
        setting("hidden", &S::hidden, "hidden units between i and all layers' scales and shifts", between(1, 4096)),
        setting("start", &S::start,
                "standard deviation of a fresh layer's modulation with one axis on; 0 starts at the plain backbone",
                at_least(0)),
        setting("rate", &S::rate, "times the learning rate for the parameters that make the modulation", above(0)),
    };
  }
};

/// Defaults: setting A of the quickstart.
struct EncoderSettings {
  Architecture backbone = Architecture::kResNet18;
  Stem stem = Stem::kCifar;
  int64_t stem_stride = 2;  ///< of the cifar stem's 3x3 convolution; the imagenet stem is 7x7 stride 2 with max-pool
  int64_t width = 16;       ///< channels of the first stage; torchvision's is 64
  Conditioning conditioning = Conditioning::kHypernetwork;
  VitSettings vit{};
  FilmSettings film{};

  static auto settings() {
    using S = EncoderSettings;
    using config::between, config::setting;
    return std::tuple{
        setting("backbone", &S::backbone, "a ResNet of torchvision's or a ViT of timm's"),
        setting("stem", &S::stem, "of a ResNet; imagenet: 7x7 stride 2 and max-pool; cifar: 3x3, no max-pool"),
        setting("stem_stride", &S::stem_stride, "stride of the cifar stem; 2 for the imagenet stem", between(1, 2)),
        setting("width", &S::width, "channels of a ResNet's first stage; torchvision's is 64", between(1, 512)),
        setting("conditioning", &S::conditioning,
                "how the invariance enters: not at all; by generated residual kernels (ResNet); by one more token "
                "(ViT); by modulated normalisations (both)"),
        setting("vit", &S::vit, "what only a ViT has"),
        setting("film", &S::film, "how i modulates normalisations"),
    };
  }
  void validate(const std::string& path, config::Problems& problems) const;
  /// Adds a problem where images of this side do not fit. @param path  of the side
  void validate_image_size(int64_t image_size, const std::string& path, config::Problems& problems) const;

  bool is_conditioned() const { return conditioning != Conditioning::kNone; }
  /// Whether there are statistics to re-estimate at an i.
  bool has_batch_norm() const { return !is_vit(); }
  bool is_vit() const { return backbone >= Architecture::kVitTiny; }
};

}  // namespace invaria::model

#include "model/resnet_layout.hpp"

#include <fmt/format.h>

#include <array>

#include "core/errors.hpp"
#include "model/encoder_settings.hpp"

namespace invaria::model {
namespace {

struct Depth {
  std::array<int64_t, 4> blocks;
  bool bottleneck;
};

Depth depth_of(Architecture backbone) {
  switch (backbone) {
    case Architecture::kResNet18:
      return {{2, 2, 2, 2}, false};
    case Architecture::kResNet34:
      return {{3, 4, 6, 3}, false};
    default:
      require(backbone == Architecture::kResNet50, "no ResNet is called {}", config::name_of(backbone));
      return {{3, 4, 6, 3}, true};
  }
}

/// Append one block reading `in` channels; returns how many it gives.
int64_t add_block(ResNetLayout& layout, const std::string& name, int64_t in, int64_t width, int64_t stride,
                  bool bottleneck) {
  const int64_t out = bottleneck ? 4 * width : width;
  BlockLayout block{name, layout.convolutions.size(), bottleneck ? 3u : 2u, stride != 1 || in != out};
  const auto add = [&](int number, int64_t from, int64_t to, int64_t kernel, int64_t step) {
    layout.convolutions.push_back(
        {fmt::format("{}.conv{}", name, number), fmt::format("{}.bn{}", name, number), from, to, kernel, step});
  };
  if (bottleneck) {
    add(1, in, width, 1, 1);
    add(2, width, width, 3, stride);
    add(3, width, out, 1, 1);
  } else {
    add(1, in, width, 3, stride);
    add(2, width, width, 3, 1);
  }
  if (block.downsample)
    layout.convolutions.push_back({name + ".downsample.0", name + ".downsample.1", in, out, 1, stride});
  layout.blocks.push_back(std::move(block));
  return out;
}

}  // namespace

ResNetLayout resnet_layout(const EncoderSettings& settings, int64_t n_channels) {
  ResNetLayout layout;
  const bool imagenet = settings.stem == Stem::kImagenet;
  layout.convolutions.push_back(
      {"conv1", "bn1", n_channels, settings.width, imagenet ? 7 : 3, imagenet ? 2 : settings.stem_stride});
  layout.max_pool = imagenet;
  const Depth depth = depth_of(settings.backbone);
  int64_t channels = settings.width;
  for (size_t stage = 0; stage < depth.blocks.size(); ++stage) {
    for (int64_t block = 0; block < depth.blocks[stage]; ++block) {
      const int64_t stride = stage > 0 && block == 0 ? 2 : 1;
      channels = add_block(layout, fmt::format("layer{}.{}", stage + 1, block), channels, settings.width << stage,
                           stride, depth.bottleneck);
    }
  }
  layout.feature_dim = channels;
  return layout;
}

}  // namespace invaria::model

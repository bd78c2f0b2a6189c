#pragma once
/// @file
/// The shape of a ResNet (arXiv:1512.03385) under torchvision's names and in its order: which convolutions there are,
/// and how blocks wire them. Bottlenecks stride in their 3x3 convolution (v1.5), as torchvision's.

#include <cstdint>
#include <string>
#include <vector>

namespace invaria::model {

struct EncoderSettings;

/// A convolution without bias and the BatchNorm behind it.
struct ConvolutionLayout {
  std::string convolution;  ///< "layer1.0.conv1"
  std::string batch_norm;   ///< "layer1.0.bn1"
  int64_t in = 0;
  int64_t out = 0;
  int64_t kernel = 1;
  int64_t stride = 1;

  int64_t padding() const { return kernel / 2; }
  int64_t n_elements() const { return out * in * kernel * kernel; }
  int64_t output_size(int64_t input_size) const { return (input_size + 2 * padding() - kernel) / stride + 1; }
};

/// A residual block: relu(main(x) + shortcut(x)).
struct BlockLayout {
  std::string name;         ///< "layer1.0"
  size_t first = 0;         ///< index of conv1 in ResNetLayout::convolutions; the main path is consecutive
  size_t n_main = 2;        ///< 2 basic, 3 bottleneck
  bool downsample = false;  ///< then the convolution at first + n_main is on the shortcut, which else is the identity

  size_t n_convolutions() const { return n_main + (downsample ? 1 : 0); }
};

/// convolutions[0] is the stem; the others are the blocks', in torchvision's order of modules.
struct ResNetLayout {
  std::vector<ConvolutionLayout> convolutions;
  std::vector<BlockLayout> blocks;
  bool max_pool = false;  ///< 3x3 stride 2 behind the stem
  int64_t feature_dim = 0;
};

/// @param n_channels  of the images
ResNetLayout resnet_layout(const EncoderSettings& settings, int64_t n_channels = 3);

}  // namespace invaria::model

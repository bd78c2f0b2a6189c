#include "model/cost.hpp"

#include "model/resnet.hpp"

namespace invaria::model {

double flops_per_image(const EncoderSettings& settings, int64_t image_size) {
  const ResNetLayout layout = resnet_layout(settings);
  double multiply_adds = 0.0;
  const auto walk = [&](const ConvolutionLayout& convolution, int64_t input_size) {
    const int64_t output_size = convolution.output_size(input_size);
    multiply_adds += static_cast<double>(convolution.n_elements()) * static_cast<double>(output_size * output_size);
    return output_size;
  };
  int64_t size = walk(layout.convolutions.front(), image_size);
  if (layout.max_pool) size = (size + 2 - 3) / 2 + 1;
  for (const BlockLayout& block : layout.blocks) {
    if (block.downsample) walk(layout.convolutions[block.first + block.n_main], size);
    for (size_t index = block.first; index < block.first + block.n_main; ++index) {
      size = walk(layout.convolutions[index], size);
    }
  }
  return 2.0 * multiply_adds;
}

int64_t n_parameters(const EncoderSettings& settings, int64_t n_axes) {
  const ResNetLayout layout = resnet_layout(settings);
  const bool is_conditioned = settings.conditioning == Conditioning::kHypernetwork;
  int64_t n = 0;
  for (const ConvolutionLayout& convolution : layout.convolutions) {
    n += convolution.n_elements() + 2 * convolution.out;  // BatchNorm's scale and shift
    const bool is_generated = is_conditioned && &convolution != &layout.convolutions.front();
    if (is_generated) n += convolution.n_elements() * kHidden + kHidden * kEmbedding + kHidden;
  }
  if (is_conditioned) n += static_cast<int64_t>(layout.blocks.size()) * kEmbedding * n_axes;
  return n;
}

}  // namespace invaria::model

#include "model/cost.hpp"

#include "model/hypernetwork.hpp"
#include "model/resnet_layout.hpp"

namespace invaria::model {

namespace {

/// Call visit(convolution, side of its output) for every convolution, in the order in which data pass.
template <class Visit>
void walk(const ResNetLayout& layout, int64_t image_size, const Visit& visit) {
  const auto at = [&](size_t index, int64_t input_size) {
    const int64_t output_size = layout.convolutions[index].output_size(input_size);
    visit(layout.convolutions[index], output_size);
    return output_size;
  };
  int64_t size = at(0, image_size);
  if (layout.max_pool) size = (size + 2 - 3) / 2 + 1;
  for (const BlockLayout& block : layout.blocks) {
    if (block.downsample) at(block.first + block.n_main, size);
    for (size_t index = block.first; index < block.first + block.n_main; ++index) size = at(index, size);
  }
}

}  // namespace

double flops_per_image(const EncoderSettings& settings, int64_t image_size) {
  double multiply_adds = 0.0;
  walk(resnet_layout(settings), image_size, [&](const ConvolutionLayout& convolution, int64_t size) {
    multiply_adds += static_cast<double>(convolution.n_elements()) * static_cast<double>(size * size);
  });
  return 2.0 * multiply_adds;
}

double activations_per_image(const EncoderSettings& settings, int64_t image_size) {
  double numbers = 0.0;
  walk(resnet_layout(settings), image_size, [&](const ConvolutionLayout& convolution, int64_t size) {
    numbers += 2.0 * static_cast<double>(convolution.out) * static_cast<double>(size * size);
  });
  return numbers;
}

int64_t feature_dim(const EncoderSettings& settings) {
  return resnet_layout(settings).feature_dim;
}

ParameterCounts count_parameters(const EncoderSettings& settings, int64_t n_axes, int64_t /*image_size*/) {
  const ResNetLayout layout = resnet_layout(settings);
  const bool is_generated = settings.conditioning == Conditioning::kHypernetwork;
  ParameterCounts n;
  for (const ConvolutionLayout& convolution : layout.convolutions) {
    n.dense += convolution.n_elements() + 2 * convolution.out;  // BatchNorm's scale and shift
    if (!is_generated || &convolution == &layout.convolutions.front()) continue;
    n.dense += kHidden * kEmbedding + kHidden;
    n.factored += convolution.n_elements() * kHidden;
  }
  if (is_generated) n.dense += static_cast<int64_t>(layout.blocks.size()) * kEmbedding * n_axes;
  return n;
}

}  // namespace invaria::model

#include "model/cost.hpp"

#include <utility>

#include "model/hypernetwork.hpp"
#include "model/prompt.hpp"
#include "model/resnet_layout.hpp"
#include "model/vit_layout.hpp"

namespace invaria::model {

namespace {

/// Call visit(convolution, pixels of its output) for every convolution, in the order in which data pass.
template <class Visit>
void walk(const ResNetLayout& layout, const config::ViewShape& image, const Visit& visit) {
  using Size = std::pair<int64_t, int64_t>;
  const auto at = [&](size_t index, Size input) {
    const ConvolutionLayout& convolution = layout.convolutions[index];
    const Size output{convolution.output_size(input.first), convolution.output_size(input.second)};
    visit(convolution, static_cast<double>(output.first * output.second));
    return output;
  };
  Size size = at(0, {image.height, image.width});
  if (layout.max_pool) size = {(size.first + 2 - 3) / 2 + 1, (size.second + 2 - 3) / 2 + 1};
  for (const BlockLayout& block : layout.blocks) {
    if (block.downsample) at(block.first + block.n_main, size);
    for (size_t index = block.first; index < block.first + block.n_main; ++index) size = at(index, size);
  }
}

/// Tokens of an image: class token, patches, and the prompt.
int64_t n_tokens(const EncoderSettings& settings, const VitLayout& layout) {
  return 1 + layout.n_patches() + (settings.conditioning == Conditioning::kPrompt ? 1 : 0);
}

/// W, c, and A and a for `n_channels` scales and as many shifts.
int64_t film_parameters(const FilmSettings& film, int64_t n_channels, int64_t n_axes) {
  return film.hidden * (n_axes + 1) + 2 * n_channels * (film.hidden + 1);
}

/// Weights and biases of a block's four linear layers, and its two LayerNorms.
int64_t block_parameters(int64_t width) {
  return 12 * width * width + 13 * width;
}

ParameterCounts count_resnet(const EncoderSettings& settings, int64_t n_axes, int64_t n_channels) {
  const ResNetLayout layout = resnet_layout(settings, n_channels);
  const bool is_generated = settings.conditioning == Conditioning::kHypernetwork;
  ParameterCounts n;
  for (const ConvolutionLayout& convolution : layout.convolutions) {
    n.dense += convolution.n_elements() + 2 * convolution.out;  // BatchNorm's scale and shift
    if (!is_generated || &convolution == &layout.convolutions.front()) continue;
    n.dense += kHidden * kEmbedding + kHidden;
    n.factored += convolution.n_elements() * kHidden;
  }
  if (is_generated) n.dense += static_cast<int64_t>(layout.blocks.size()) * kEmbedding * n_axes;
  if (settings.conditioning == Conditioning::kFilm) {
    int64_t n_modulated = 0;
    for (const ConvolutionLayout& convolution : layout.convolutions) n_modulated += convolution.out;
    n.dense += film_parameters(settings.film, n_modulated, n_axes);
  }
  return n;
}

ParameterCounts count_vit(const EncoderSettings& settings, int64_t n_axes, int64_t image_size) {
  const VitLayout layout = vit_layout(settings, image_size);
  ParameterCounts n;
  n.dense = layout.width + layout.depth * block_parameters(layout.width) + 2 * layout.width;
  if (settings.vit.positions == Positions::kLearned) n.dense += (1 + layout.n_patches()) * layout.width;
  if (!settings.vit.freeze_patch_projection) n.dense += (3 * layout.patch * layout.patch + 1) * layout.width;
  if (settings.conditioning == Conditioning::kFilm)
    n.dense += film_parameters(settings.film, (2 * layout.depth + 1) * layout.width, n_axes);
  if (settings.conditioning == Conditioning::kPrompt) {
    n.dense += kPromptMlps * layout.width * (n_axes + 2);
    n.factored += kPromptMlps * layout.width * layout.width;
  }
  return n;
}

}  // namespace

double flops_per_image(const EncoderSettings& settings, const config::ViewShape& image) {
  double multiply_adds = 0.0;
  if (settings.is_vit()) {
    const VitLayout layout = vit_layout(settings, image.width);
    const auto D = static_cast<double>(layout.width), T = static_cast<double>(n_tokens(settings, layout));
    const double projection = static_cast<double>(layout.n_patches() * 3 * layout.patch * layout.patch) * D;
    multiply_adds = projection + static_cast<double>(layout.depth) * (12.0 * T * D * D + 2.0 * T * T * D);
  } else {
    walk(resnet_layout(settings, image.channels), image, [&](const ConvolutionLayout& convolution, double pixels) {
      multiply_adds += static_cast<double>(convolution.n_elements()) * pixels;
    });
  }
  return 2.0 * multiply_adds;
}

double activation_bytes_per_image(const EncoderSettings& settings, const config::ViewShape& image,
                                  Precision precision) {
  const double factor = precision == Precision::kBfloat16 ? 2.0 : sizeof(float);
  if (settings.is_vit()) {
    // A block keeps, a token: both LayerNorms' inputs (2 D floats), and as factors of products their outputs (2 D), q,
    // k, v and the attention's output (4 D), and the MLP's hidden numbers before and behind GELU (8 D). Attention
    // weights are computed again in backward.
    const VitLayout layout = vit_layout(settings, image.width);
    return (2.0 * sizeof(float) + 14.0 * factor) *
           static_cast<double>(layout.depth * n_tokens(settings, layout) * layout.width);
  }
  double numbers = 0.0;
  walk(resnet_layout(settings, image.channels), image, [&](const ConvolutionLayout& convolution, double pixels) {
    numbers += 2.0 * static_cast<double>(convolution.out) * pixels;
  });
  return numbers * factor;
}

int64_t feature_dim(const EncoderSettings& settings) {
  if (settings.is_vit()) return vit_layout(settings, settings.vit.patch).width;
  return resnet_layout(settings).feature_dim;
}

ParameterCounts count_parameters(const EncoderSettings& settings, int64_t n_axes, const config::ViewShape& image) {
  return settings.is_vit() ? count_vit(settings, n_axes, image.width) : count_resnet(settings, n_axes, image.channels);
}

}  // namespace invaria::model

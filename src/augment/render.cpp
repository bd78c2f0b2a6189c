#include "augment/render.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "augment/kernels.hpp"
#include "augment/view_map.hpp"
#include "augment/view_program.hpp"
#include "core/errors.hpp"
#include "core/resample.hpp"

namespace invaria::augment {
namespace {

constexpr int64_t kChannels = 3;
constexpr int64_t kGrain = 4;             // views that are worth a thread
constexpr size_t kMostCachedAxes = 1024;  // of some KiB each; beyond, start again
using kernels::kBlockRows;
constexpr float kFromByte = 1.0f / 255.0f;

/// What one thread reuses from view to view.
struct Scratch {
  std::map<std::pair<int64_t, int64_t>, ResampleAxis> axes;  // by input and output size
  std::vector<float> rows;     // [kBlockRows, 3 W]: a block after the vertical pass, interleaved as the image
  std::vector<float> columns;  // [3 W, kBlockRows]: the same, transposed
  std::vector<float> planes;   // [3, S, S]
  std::vector<float> padded;   // a plane with the blur's borders

  const ResampleAxis& axis(int64_t in_size, int64_t out_size) {
    const auto found = axes.find({in_size, out_size});
    if (found != axes.end()) return found->second;
    // A view needs two: neither may be thrown away for the other.
    if (axes.size() + 2 > kMostCachedAxes) axes.clear();
    return axes.emplace(std::pair{in_size, out_size}, resample_axis(in_size, out_size)).first->second;
  }
};

float* at_least(std::vector<float>& buffer, int64_t size) {
  if (static_cast<int64_t>(buffer.size()) < size) buffer.resize(static_cast<size_t>(size));
  return buffer.data();
}

/// Cut, resize, scale to [0, 1] and mirror into `planes`.
void resample(const uint8_t* pixels, int64_t image_width, const ViewParameters& parameters, int64_t view_size,
              Scratch& scratch, float* planes) {
  const Box& box = parameters.box;
  const int64_t shorter = std::min(box.height, box.width);
  const Window vertical = view_window(parameters.framing, box.height, shorter, view_size);
  const Window horizontal = view_window(parameters.framing, box.width, shorter, view_size);
  scratch.axis(box.height, vertical.length);
  const ResampleAxis& across = scratch.axis(box.width, horizontal.length);
  const ResampleAxis& down = scratch.axis(box.height, vertical.length);

  // Only the columns that the view shows.
  const int64_t last = horizontal.offset + view_size - 1;
  const int64_t first_column = across.first[horizontal.offset];
  const int64_t n_columns = across.first[last] + across.count[last] - first_column;
  const int64_t n_values = n_columns * kChannels;
  float* rows = at_least(scratch.rows, kBlockRows * n_values);
  float* columns = at_least(scratch.columns, kBlockRows * n_values);
  const int64_t stride = image_width * kChannels;
  const uint8_t* origin = pixels + box.top * stride + (box.left + first_column) * kChannels;

  for (int64_t top = 0; top < view_size; top += kBlockRows) {
    const int64_t n_rows = std::min(kBlockRows, view_size - top);
    for (int64_t row = 0; row < n_rows; ++row) {
      const int64_t y = vertical.offset + top + row;
      kernels::blend_rows(origin + down.first[y] * stride, stride, down.weights.data() + y * down.taps, down.count[y],
                          n_values, rows + row * n_values);
    }
    kernels::transpose(rows, n_rows, n_values, n_values, kFromByte, 0.0f, columns, kBlockRows);
    const kernels::ColumnWindows windows{
        across.first.data() + horizontal.offset, across.count.data() + horizontal.offset,
        across.weights.data() + horizontal.offset * across.taps, across.taps, first_column};
    const int64_t first_place = parameters.flip ? view_size - 1 : 0;
    kernels::blend_columns(columns, windows, view_size, n_rows, planes + first_place * view_size + top,
                           parameters.flip ? -view_size : view_size, view_size * view_size);
  }
}

void jitter(const ViewParameters& parameters, const kernels::Planes& planes) {
  for (const JitterStep step : parameters.jitter_order) {
    switch (step) {
      case JitterStep::kBrightness:
        if (parameters.brightness != 1.0) kernels::scale(planes, static_cast<float>(parameters.brightness));
        break;
      case JitterStep::kContrast:
        if (parameters.contrast != 1.0) kernels::contrast(planes, static_cast<float>(parameters.contrast));
        break;
      case JitterStep::kSaturation:
        if (parameters.saturation != 1.0) kernels::saturate(planes, static_cast<float>(parameters.saturation));
        break;
      case JitterStep::kHue:
        if (parameters.hue != 0.0) kernels::turn_hue(planes, static_cast<float>(parameters.hue));
        break;
    }
  }
}

/// Separable: along the stored lines, then across them. Each pass reads from a copy with mirrored borders.
void blur(const std::vector<float>& weights, int64_t size, Scratch& scratch, float* plane) {
  const int64_t taps = static_cast<int64_t>(weights.size());
  const int64_t border = taps / 2;
  const int64_t padded_size = size + 2 * border;
  float* padded = at_least(scratch.padded, padded_size * size);

  for (int64_t line = 0; line < size; ++line) {
    float* values = plane + line * size;
    std::copy_n(values, size, padded + border);
    for (int64_t n = 0; n < border; ++n) {
      padded[n] = values[mirrored(n - border, size)];
      padded[border + size + n] = values[mirrored(size + n, size)];
    }
    kernels::blend_rows(padded, 1, weights.data(), taps, size, values);
  }

  for (int64_t n = 0; n < padded_size; ++n)
    std::copy_n(plane + mirrored(n - border, size) * size, size, padded + n * size);
  kernels::blend_rows(padded, size, weights.data(), taps, size * size, plane);
}

void render_view(const uint8_t* pixels, int64_t image_width, const ViewParameters& parameters, int64_t view_size,
                 const AugmentSettings& settings, Scratch& scratch, float* out) {
  const int64_t n = view_size * view_size;
  float* values = at_least(scratch.planes, kChannels * n);
  const kernels::Planes planes{values, values + n, values + 2 * n, n};
  resample(pixels, image_width, parameters, view_size, scratch, values);
  jitter(parameters, planes);
  if (parameters.grayscale) kernels::gray(planes);
  if (parameters.blur_sigma != 0.0) {
    const std::vector<float> weights = blur_weights(settings.blur, view_size, parameters.blur_sigma);
    for (int64_t channel = 0; channel < kChannels; ++channel) blur(weights, view_size, scratch, values + channel * n);
  }
  if (parameters.solarize) kernels::solarize(planes, static_cast<float>(settings.solarize.threshold));
  for (int64_t channel = 0; channel < kChannels; ++channel) {
    const double inverse_std = 1.0 / settings.std[channel];
    kernels::transpose(values + channel * n, view_size, view_size, view_size, static_cast<float>(inverse_std),
                       static_cast<float>(-settings.mean[channel] * inverse_std), out + channel * n, view_size);
  }
}

}  // namespace

std::vector<float> blur_weights(const BlurSettings& settings, int64_t view_size, double sigma) {
  const double farthest = sigma * std::sqrt(2.0 * std::log(1e9));
  const int64_t half = std::min(blur_kernel(settings, view_size) / 2, static_cast<int64_t>(std::ceil(farthest)));
  std::vector<double> weights;
  for (int64_t tap = -half; tap <= half; ++tap) {
    const double distance = static_cast<double>(tap) / sigma;
    weights.push_back(std::exp(-0.5 * distance * distance));
  }
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<float> normalised;
  for (const double weight : weights) normalised.push_back(static_cast<float>(weight / total));
  return normalised;
}

void require_renderable(const ImageBatch& images, std::span<const ViewParameters> parameters, int64_t view_size) {
  const size_t n_images = images.pixels.size();
  require(view_size >= 1, "render_views: a view of {} pixels", view_size);
  require(parameters.size() == n_images, "render_views: {} images and {} parameters", n_images, parameters.size());
  for (size_t n = 0; n < n_images; ++n) {
    const Box& box = parameters[n].box;
    require(box.top >= 0 && box.left >= 0 && box.height >= 1 && box.width >= 1 &&
                box.top + box.height <= images.height && box.left + box.width <= images.width,
            "render_views: view {} shows rows {} + {}, columns {} + {}, which is not inside an image of {} x {}", n,
            box.top, box.height, box.left, box.width, images.height, images.width);
  }
}

void render_views_into(std::span<float> out, const ImageBatch& images, std::span<const ViewParameters> parameters,
                       int64_t view_size, const AugmentSettings& settings) {
  const size_t n_images = images.pixels.size();
  require_renderable(images, parameters, view_size);
  const int64_t view_values = kChannels * view_size * view_size;
  require(out.size() == n_images * static_cast<size_t>(view_values), "render_views: room for {} floats, expected {}",
          out.size(), n_images * static_cast<size_t>(view_values));

  at::parallel_for(0, static_cast<int64_t>(n_images), kGrain, [&](int64_t begin, int64_t end) {
    thread_local Scratch scratch;
    for (int64_t n = begin; n < end; ++n) {
      render_view(images.pixels[n], images.width, parameters[n], view_size, settings, scratch,
                  out.data() + n * view_values);
    }
  });
}

at::Tensor render_views(const ImageBatch& images, std::span<const ViewParameters> parameters, int64_t view_size,
                        const AugmentSettings& settings) {
  const int64_t n_images = static_cast<int64_t>(images.pixels.size());
  at::Tensor views_BCSS = at::empty({n_images, kChannels, view_size, view_size}, at::kFloat);
  render_views_into({views_BCSS.data_ptr<float>(), static_cast<size_t>(views_BCSS.numel())}, images, parameters,
                    view_size, settings);
  return views_BCSS;
}

ViewPair make_views(const ImageBatch& images, const AugmentSettings& settings, std::span<const Operation> active,
                    int64_t view_size, uint64_t seed, uint64_t epoch, std::span<const uint64_t> sample_ids) {
  const size_t n_images = images.pixels.size();
  require(sample_ids.size() == n_images, "make_views: {} images and {} sample ids", n_images, sample_ids.size());
  std::vector<const uint8_t*> pixels(images.pixels.begin(), images.pixels.end());
  pixels.insert(pixels.end(), images.pixels.begin(), images.pixels.end());
  std::vector<ViewParameters> parameters;
  parameters.reserve(2 * n_images);
  for (const uint32_t view : {0u, 1u}) {
    for (const uint64_t sample : sample_ids) {
      parameters.push_back(draw(settings, active, images.height, images.width, seed, epoch, sample, view));
    }
  }
  return {render_views({pixels, images.height, images.width}, parameters, view_size, settings)};
}

}  // namespace invaria::augment

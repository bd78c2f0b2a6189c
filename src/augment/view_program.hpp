#pragma once
/// @file
/// Views as a device renders them: parameters without choices, and what one block of threads does with them. One body
/// for CUDA and for the host, where it is the slow twin of the kernel.
///
/// Shape legend: S = side of the square view.

#include <cstdint>

#include "augment/pixel.hpp"
#include "core/host_device.hpp"

namespace invaria::augment {

/// One axis of the way from picture to view: `side` pixels from `begin` on are resized to `length`, of which the view
/// shows S from `offset` on.
struct ViewAxis {
  int32_t begin = 0, side = 0, length = 0, offset = 0;
};

/// One step of colour jitter; which of them, as JitterStep numbers them.
struct ProgramStep {
  int32_t step = 0;
  float value = 0.0f;
};

/// All that is done to one picture.
struct ViewProgram {
  int32_t picture = 0;  ///< of the batch
  ViewAxis down, across;
  int32_t flip = 0;
  int32_t n_steps = 0;  ///< without those that change nothing
  ProgramStep steps[4] = {};
  int32_t grayscale = 0;
  int32_t blur_half = -1;  ///< of the kernel, 2 half + 1; negative: none
  int32_t blur_begin = 0;  ///< of its weights among those of all views
  int32_t solarize = 0;
};

/// What all views of a batch have in common.
struct RenderShape {
  int32_t height = 0, width = 0;  ///< of a picture
  int32_t view_size = 0;          ///< S
  float threshold = 0.0f;         ///< of solarize
  float factor[3] = {};           ///< normalised is x factor + offset
  float offset[3] = {};
};

/// The window of one position of a resized axis: resample_axis() of core/resample.hpp, a position at a time.
struct AxisPlace {
  int32_t first;      ///< in the picture
  int32_t count;      ///< of pixels that weigh in
  float begin, step;  ///< of the first from the centre, and from one to the next, in widths of the triangle
  float per_total;

  INVARIA_HOST_DEVICE float weight(int32_t tap) const {
    return pixel::greatest(0.0f, 1.0f - std::fabs(begin + static_cast<float>(tap) * step)) * per_total;
  }
};

INVARIA_HOST_DEVICE AxisPlace axis_place(const ViewAxis& axis, int32_t position) {
  const double scale = static_cast<double>(axis.side) / axis.length;
  const double stretch = scale > 1.0 ? scale : 1.0;
  const double centre = scale * (axis.offset + position + 0.5);
  auto first = static_cast<int32_t>(centre - stretch + 0.5);
  if (first < 0) first = 0;
  auto last = static_cast<int32_t>(centre + stretch + 0.5);
  if (last > axis.side) last = axis.side;
  AxisPlace place{axis.begin + first, last - first, static_cast<float>((first - centre + 0.5) / stretch),
                  static_cast<float>(1.0 / stretch), 1.0f};
  double total = 0.0;
  for (int32_t tap = 0; tap < place.count; ++tap) total += place.weight(tap);
  place.per_total = static_cast<float>(1.0 / total);
  return place;
}

/// Position `at` of a line mirrored at its first and last element, as often as it takes.
INVARIA_HOST_DEVICE int32_t mirrored(int32_t at, int32_t size) {
  if (size == 1) return 0;
  const int32_t period = 2 * (size - 1);
  const int32_t within = ((at % period) + period) % period;
  return within < size ? within : period - within;
}

struct Colour {
  float red, green, blue;
};

/// One pixel of the view, cut out, resized and in [0, 1].
INVARIA_HOST_DEVICE Colour resampled(const uint8_t* picture, int32_t width, const AxisPlace& down,
                                     const AxisPlace& across) {
  Colour sum{0.0f, 0.0f, 0.0f};
  for (int32_t y = 0; y < down.count; ++y) {
    const uint8_t* row = picture + (static_cast<int64_t>(down.first + y) * width + across.first) * 3;
    Colour of_row{0.0f, 0.0f, 0.0f};
    for (int32_t x = 0; x < across.count; ++x) {
      const float weight = across.weight(x);
      of_row.red += weight * row[3 * x];
      of_row.green += weight * row[3 * x + 1];
      of_row.blue += weight * row[3 * x + 2];
    }
    const float weight = down.weight(y) * (1.0f / 255.0f);
    sum.red += weight * of_row.red;
    sum.green += weight * of_row.green;
    sum.blue += weight * of_row.blue;
  }
  return sum;
}

/// @param mean  of the view's grayscale, for contrast
INVARIA_HOST_DEVICE void jitter(const ProgramStep& step, float mean, Colour& c) {
  const float factor = step.value;
  if (step.step == 0) {
    c = {pixel::clamp01(c.red * factor), pixel::clamp01(c.green * factor), pixel::clamp01(c.blue * factor)};
  } else if (step.step == 1) {
    const float offset = (1.0f - factor) * mean;
    c = {pixel::clamp01(c.red * factor + offset), pixel::clamp01(c.green * factor + offset),
         pixel::clamp01(c.blue * factor + offset)};
  } else if (step.step == 2) {
    pixel::saturate(c.red, c.green, c.blue, factor);
  } else {
    pixel::turn_hue(c.red, c.green, c.blue, 6.0f * factor);
  }
}

/// Render one view by one block: each of its threads calls this.
/// @param block    thread() of threads(); sync() waits for all; sum(double) gives all the sum over threads
/// @param picture  [height, width, 3]
/// @param weights  of all views' blurs
/// @param places   room for 2 S, the block's
/// @param spare    room for [3, S, S], the block's
/// @param out      [3, S, S]
template <class Block>
INVARIA_HOST_DEVICE void render_block(const Block& block, const ViewProgram& view, const RenderShape& shape,
                                      const uint8_t* picture, const float* weights, AxisPlace* places, float* spare,
                                      float* out) {
  constexpr int32_t kContrast = 1;
  const int32_t size = shape.view_size, n = size * size;
  const auto load = [&](int32_t p) { return Colour{out[p], out[n + p], out[2 * n + p]}; };
  const auto store = [&](int32_t p, const Colour& colour) {
    out[p] = colour.red;
    out[n + p] = colour.green;
    out[2 * n + p] = colour.blue;
  };

  for (int32_t place = block.thread(); place < 2 * size; place += block.threads())
    places[place] = place < size ? axis_place(view.down, place) : axis_place(view.across, place - size);
  block.sync();

  // A thread has the same pixels throughout, but for the blur, which looks at others'.
  int32_t until_contrast = 0;
  while (until_contrast < view.n_steps && view.steps[until_contrast].step != kContrast) ++until_contrast;
  double grays = 0.0;
  for (int32_t p = block.thread(); p < n; p += block.threads()) {
    const int32_t y = p / size, x = p % size;
    Colour colour = resampled(picture, shape.width, places[y], places[size + (view.flip != 0 ? size - 1 - x : x)]);
    for (int32_t step = 0; step < until_contrast; ++step) jitter(view.steps[step], 0.0f, colour);
    grays += pixel::luminance(colour.red, colour.green, colour.blue);
    store(p, colour);
  }
  if (until_contrast < view.n_steps) {
    const auto mean = static_cast<float>(block.sum(grays) / n);
    for (int32_t p = block.thread(); p < n; p += block.threads()) {
      Colour colour = load(p);
      for (int32_t step = until_contrast; step < view.n_steps; ++step) jitter(view.steps[step], mean, colour);
      store(p, colour);
    }
  }
  if (view.grayscale != 0) {
    for (int32_t p = block.thread(); p < n; p += block.threads()) {
      const Colour colour = load(p);
      const float gray = pixel::luminance(colour.red, colour.green, colour.blue);
      store(p, {gray, gray, gray});
    }
  }
  if (view.blur_half >= 0) {
    const float* of_view = weights + view.blur_begin;
    block.sync();
    for (int32_t v = block.thread(); v < 3 * n; v += block.threads()) {
      const int32_t x = v % size;
      float sum = 0.0f;
      for (int32_t tap = -view.blur_half; tap <= view.blur_half; ++tap)
        sum += of_view[tap + view.blur_half] * out[v - x + mirrored(x + tap, size)];
      spare[v] = sum;
    }
    block.sync();
    for (int32_t p = block.thread(); p < n; p += block.threads()) {
      const int32_t y = p / size, x = p % size;
      Colour sum{0.0f, 0.0f, 0.0f};
      for (int32_t tap = -view.blur_half; tap <= view.blur_half; ++tap) {
        const float weight = of_view[tap + view.blur_half];
        const float* from = spare + mirrored(y + tap, size) * size + x;
        sum.red += weight * from[0];
        sum.green += weight * from[n];
        sum.blue += weight * from[2 * n];
      }
      store(p, sum);
    }
  }
  for (int32_t p = block.thread(); p < n; p += block.threads()) {
    Colour colour = load(p);
    if (view.solarize != 0) {
      colour = {pixel::solarized(colour.red, shape.threshold), pixel::solarized(colour.green, shape.threshold),
                pixel::solarized(colour.blue, shape.threshold)};
    }
    store(p, {colour.red * shape.factor[0] + shape.offset[0], colour.green * shape.factor[1] + shape.offset[1],
              colour.blue * shape.factor[2] + shape.offset[2]});
  }
  block.sync();  // `places` and `spare` are free for the next view
}

/// The kernel of render_block(), on a CUDA stream. All pointers are the device's. @param spare  [n_blocks, 3, S, S]
/// @throws EnvironmentError if it cannot be launched
void render_cuda(const ViewProgram* programs, int64_t n_views, const RenderShape& shape, const uint8_t* pictures,
                 const float* weights, float* spare, int64_t n_blocks, float* out, void* stream);

}  // namespace invaria::augment

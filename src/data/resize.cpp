#include "data/resize.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/errors.hpp"
#include "core/resample.hpp"

namespace invaria::data {
namespace {

constexpr int64_t kChannels = 3;

/// One stored row to `size` output pixels from column `left` on: [size, 3] floats.
void resize_row(const uint8_t* row, const ResampleAxis& axis, int64_t left, int64_t size, float* out) {
  for (int64_t x = 0; x < size; ++x) {
    const auto at = static_cast<size_t>(x + left);
    const float* weights = axis.weights.data() + at * static_cast<size_t>(axis.taps);
    const uint8_t* pixel = row + axis.first[at] * kChannels;
    float sum[kChannels] = {};
    for (int32_t tap = 0; tap < axis.count[at]; ++tap, pixel += kChannels) {
      for (int64_t c = 0; c < kChannels; ++c) sum[c] += weights[tap] * static_cast<float>(pixel[c]);
    }
    std::copy_n(sum, kChannels, out + x * kChannels);
  }
}

}  // namespace

Framing framing(int64_t height, int64_t width, int64_t size, ResizeMode mode) {
  require(height >= 1 && width >= 1 && size >= 1, "framing: {} x {} to {}, expected positive sizes", height, width,
          size);
  Framing frame{size, size, 0, 0};
  if (mode != ResizeMode::kWholeFrame) {
    const int64_t short_side = mode == ResizeMode::kCentreCrop ? size * 8 / 7 : size;
    frame.height = width < height ? short_side * height / width : short_side;
    frame.width = width < height ? short_side : short_side * width / height;
    frame.left = std::lrint(static_cast<double>(frame.width - size) / 2.0);
    frame.top = std::lrint(static_cast<double>(frame.height - size) / 2.0);
  }
  frame.scale_x = static_cast<double>(frame.width) / static_cast<double>(width);
  frame.scale_y = static_cast<double>(frame.height) / static_cast<double>(height);
  return frame;
}

Framing resize_into(const io::Image& image, int64_t size, ResizeMode mode, std::span<uint8_t> out) {
  const int64_t row_length = size * kChannels;
  require(std::ssize(out) == size * row_length, "resize_into: room for {} bytes, expected {}", out.size(),
          size * row_length);
  const Framing frame = framing(image.height, image.width, size, mode);
  const ResampleAxis columns = resample_axis(image.width, frame.width);
  const ResampleAxis rows = resample_axis(image.height, frame.height);

  // Only the stored rows that the square needs.
  const int64_t first_row = rows.first[static_cast<size_t>(frame.top)];
  const auto last_out = static_cast<size_t>(frame.top + size - 1);
  const int64_t end_row = rows.first[last_out] + rows.count[last_out];
  std::vector<float> narrow(static_cast<size_t>((end_row - first_row) * row_length));
  for (int64_t y = first_row; y < end_row; ++y) {
    resize_row(image.pixels.data() + y * image.width * kChannels, columns, frame.left, size,
               narrow.data() + (y - first_row) * row_length);
  }

  std::vector<float> sum(static_cast<size_t>(row_length));
  for (int64_t y = 0; y < size; ++y) {
    const auto at = static_cast<size_t>(y + frame.top);
    const float* weights = rows.weights.data() + at * static_cast<size_t>(rows.taps);
    std::fill(sum.begin(), sum.end(), 0.0f);
    for (int32_t tap = 0; tap < rows.count[at]; ++tap) {
      const float* row = narrow.data() + (rows.first[at] + tap - first_row) * row_length;
      for (int64_t i = 0; i < row_length; ++i) sum[static_cast<size_t>(i)] += weights[tap] * row[i];
    }
    for (int64_t i = 0; i < row_length; ++i) {
      out[static_cast<size_t>(y * row_length + i)] =
          static_cast<uint8_t>(std::clamp(sum[static_cast<size_t>(i)] + 0.5f, 0.0f, 255.0f));
    }
  }
  return frame;
}

}  // namespace invaria::data

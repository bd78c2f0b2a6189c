#include "data/resize.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/errors.hpp"
#include "core/resample.hpp"

namespace invaria::data {
namespace {

constexpr int64_t kChannels = 3;

/// One stored row to `size` output pixels: [size, 3] floats.
void resize_row(const uint8_t* row, const ResampleAxis& axis, int64_t size, float* out) {
  for (int64_t x = 0; x < size; ++x) {
    const auto at = static_cast<size_t>(x);
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
  // Only what the square needs, a stored row at a time: a picture may be a line of a hundred million pixels.
  const ResampleAxis columns = resample_axis(image.width, frame.width, frame.left, size);
  const ResampleAxis rows = resample_axis(image.height, frame.height, frame.top, size);
  std::vector<float> narrow(static_cast<size_t>(row_length));
  std::vector<float> sums(static_cast<size_t>(size * row_length), 0.0F);
  int64_t open = 0;  // the first output row that waits for more
  for (int64_t y = rows.first.front(); open < size; ++y) {
    resize_row(image.pixels.data() + y * image.width * kChannels, columns, size, narrow.data());
    for (int64_t row = open; row < size && rows.first[static_cast<size_t>(row)] <= y; ++row) {
      const int64_t tap = y - rows.first[static_cast<size_t>(row)];
      const float weight = rows.weights[static_cast<size_t>(row * rows.taps + tap)];
      float* const sum = sums.data() + row * row_length;
      for (int64_t i = 0; i < row_length; ++i) sum[i] += weight * narrow[static_cast<size_t>(i)];
    }
    while (open < size && rows.first[static_cast<size_t>(open)] + rows.count[static_cast<size_t>(open)] <= y + 1)
      ++open;
  }
  std::transform(sums.begin(), sums.end(), out.begin(),
                 [](float sum) { return static_cast<uint8_t>(std::clamp(sum + 0.5f, 0.0f, 255.0f)); });
  return frame;
}

}  // namespace invaria::data

#include "core/resample.hpp"

#include <algorithm>
#include <cmath>

#include "core/errors.hpp"

namespace invaria {

ResampleAxis resample_axis(int64_t in_size, int64_t out_size) {
  return resample_axis(in_size, out_size, 0, out_size);
}

ResampleAxis resample_axis(int64_t in_size, int64_t out_size, int64_t begin, int64_t n) {
  require(in_size >= 1 && out_size >= 1, "resample_axis: {} -> {}, expected positive sizes", in_size, out_size);
  require(begin >= 0 && n >= 0 && n <= out_size - begin, "resample_axis: {} from {} on of {}", n, begin, out_size);
  const double scale = static_cast<double>(in_size) / static_cast<double>(out_size);
  const double stretch = std::max(scale, 1.0);
  ResampleAxis axis;
  axis.taps = static_cast<int32_t>(std::ceil(stretch)) * 2 + 1;
  axis.weights.assign(static_cast<size_t>(n * axis.taps), 0.0f);
  for (int64_t out = 0; out < n; ++out) {
    const double centre = scale * (static_cast<double>(begin + out) + 0.5);
    const int64_t first = std::max<int64_t>(static_cast<int64_t>(centre - stretch + 0.5), 0);
    const int64_t last = std::min<int64_t>(static_cast<int64_t>(centre + stretch + 0.5), in_size);
    const int64_t count = std::clamp<int64_t>(last - first, 0, axis.taps);
    float* weights = axis.weights.data() + out * axis.taps;
    double total = 0.0;
    for (int64_t tap = 0; tap < count; ++tap) {
      const double distance = (static_cast<double>(tap + first) - centre + 0.5) / stretch;
      weights[tap] = static_cast<float>(std::max(0.0, 1.0 - std::abs(distance)));
      total += weights[tap];
    }
    for (int64_t tap = 0; tap < count; ++tap) weights[tap] = static_cast<float>(weights[tap] / total);
    axis.first.push_back(static_cast<int32_t>(first));
    axis.count.push_back(static_cast<int32_t>(count));
  }
  return axis;
}

}  // namespace invaria

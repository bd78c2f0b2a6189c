#include "config/invariance.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "core/errors.hpp"

namespace invaria::config {

std::string bits(const Invariance& corner) {
  require(is_corner(corner), "bits: ({}) is no corner", to_string(corner));
  std::string text;
  for (double value : corner) text += value == 1.0 ? '1' : '0';
  return text;
}

Invariance from_bits(const std::string& bits) {
  Invariance corner;
  for (char bit : bits) {
    if (bit != '0' && bit != '1')
      throw_config("corner \"{}\": found '{}', expected only 0 and 1, one digit an axis", bits, bit);
    corner.push_back(bit == '1' ? 1.0 : 0.0);
  }
  return corner;
}

std::string to_string(const Invariance& invariance) {
  return fmt::format("{}", fmt::join(invariance, ","));
}

bool is_corner(const Invariance& invariance) {
  return std::all_of(invariance.begin(), invariance.end(), [](double value) { return value == 0.0 || value == 1.0; });
}

Invariance centre(int64_t n_axes) {
  return Invariance(static_cast<size_t>(n_axes), 0.5);
}

std::vector<Invariance> all_corners(int64_t n_axes) {
  return grid(n_axes, 2);
}

std::vector<Invariance> grid(int64_t n_axes, int64_t per_axis) {
  require(n_axes >= 1 && per_axis >= 2, "grid: {} axes with {} values each, expected at least 1 and 2", n_axes,
          per_axis);
  std::vector<Invariance> points{{}};
  for (int64_t axis = 0; axis < n_axes; ++axis) {
    std::vector<Invariance> longer;
    for (const Invariance& point : points) {
      for (int64_t step = 0; step < per_axis; ++step) {
        longer.push_back(point);
        longer.back().push_back(static_cast<double>(step) / static_cast<double>(per_axis - 1));
      }
    }
    points = std::move(longer);
  }
  return points;
}

}  // namespace invaria::config

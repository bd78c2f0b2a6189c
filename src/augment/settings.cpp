#include "augment/settings.hpp"

#include <algorithm>

namespace invaria::augment {
namespace {

void expect_range(const std::vector<double>& range, const std::string& path, config::Problems& problems) {
  if (range.size() != 2) {
    problems.add(path, config::excerpt(config::write(range)), "two numbers, [low, high]");
  } else if (range[0] > range[1]) {
    problems.add(path, config::excerpt(config::write(range)), "low <= high", "exchange the two numbers");
  }
}

void expect_channels(const std::vector<double>& values, const std::string& path, config::Problems& problems) {
  if (values.size() != 3) problems.add(path, config::excerpt(config::write(values)), "three numbers: red, green, blue");
}

}  // namespace

void BlurSettings::validate(const std::string& path, config::Problems& problems) const {
  expect_range(sigma, config::join_path(path, "sigma"), problems);
  if (kernel != 0 && kernel % 2 == 0) {
    problems.add(config::join_path(path, "kernel"), std::to_string(kernel), "an odd number, or 0");
  }
}

void AugmentSettings::validate(const std::string& path, config::Problems& problems) const {
  expect_range(crop_area, config::join_path(path, "crop_area"), problems);
  expect_range(crop_ratio, config::join_path(path, "crop_ratio"), problems);
  expect_channels(mean, config::join_path(path, "mean"), problems);
  expect_channels(std, config::join_path(path, "std"), problems);
}

int64_t blur_kernel(const BlurSettings& settings, int64_t view_size) {
  if (settings.kernel != 0) return settings.kernel;
  return std::max<int64_t>(2 * (view_size / 20) + 1, 3);
}

}  // namespace invaria::augment

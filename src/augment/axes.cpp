#include "augment/axes.hpp"

#include <algorithm>
#include <map>

#include "core/errors.hpp"

namespace invaria::augment {
namespace {

std::string quoted(Operation operation) {
  return config::excerpt(config::write(operation));
}

bool contains(const std::vector<Operation>& operations, Operation operation) {
  return std::find(operations.begin(), operations.end(), operation) != operations.end();
}

}  // namespace

void FixedSetting::validate(const std::string& path, config::Problems& problems) const {
  if (!crop) return;
  const std::vector<double>& box = *crop;
  constexpr double kRounding = 1e-9;  // fractions such as 20/64 + 44/64 as decimals
  const bool inside = box.size() == 4 && box[2] > 0 && box[3] > 0 && box[0] + box[2] <= 1 + kRounding &&
                      box[1] + box[3] <= 1 + kRounding;
  if (!inside) {
    problems.add(config::join_path(path, "crop"), config::excerpt(config::write(box)),
                 "[top, left, height, width]: a box inside the image, in fractions of its sides");
  }
}

std::vector<Operation> FixedSetting::operations() const {
  std::vector<Operation> used;
  if (crop) used.push_back(Operation::kCrop);
  if (flip) used.push_back(Operation::kFlip);
  if (hue != 0.0 || brightness != 1.0 || contrast != 1.0 || saturation != 1.0) used.push_back(Operation::kColorJitter);
  if (grayscale) used.push_back(Operation::kGrayscale);
  if (blur_sigma != 0.0) used.push_back(Operation::kBlur);
  if (solarize) used.push_back(Operation::kSolarize);
  return used;
}

void Axis::validate(const std::string& path, config::Problems& problems) const {
  if (operations.empty()) {
    problems.add(config::join_path(path, "operations"), "[]", "at least one operation",
                 "known: crop, flip, jitter, grayscale, blur, solarize");
  }
  for (size_t n = 0; n < operations.size(); ++n) {
    if (std::find(operations.begin(), operations.begin() + static_cast<std::ptrdiff_t>(n), operations[n]) !=
        operations.begin() + static_cast<std::ptrdiff_t>(n)) {
      problems.add(fmt::format("{}[{}]", config::join_path(path, "operations"), n), quoted(operations[n]),
                   "each operation once in the list");
    }
  }
  for (size_t n = 0; n < fixed_settings.size(); ++n) {
    for (size_t before = 0; before < n; ++before) {
      if (config::write(fixed_settings[before]) != config::write(fixed_settings[n])) continue;
      problems.add(
          fmt::format("{}[{}]", config::join_path(path, "fixed_settings"), n),
          config::excerpt(config::write(fixed_settings[n])),
          fmt::format("a setting of its own: fixed_settings[{}] is the same, and so would be their classes", before));
    }
    for (const Operation used : fixed_settings[n].operations()) {
      if (contains(operations, used)) continue;
      problems.add(fmt::format("{}[{}]", config::join_path(path, "fixed_settings"), n), quoted(used),
                   "only operations of this axis",
                   fmt::format("add {} to the axis's operations, or remove it here", quoted(used)));
    }
  }
}

void validate_axes(const std::vector<Axis>& axes, const std::string& path, config::Problems& problems) {
  if (axes.empty()) problems.add(path, "[]", "at least one axis");
  std::map<std::string, size_t> first_with_name;
  std::map<Operation, size_t> first_with_operation;
  for (size_t n = 0; n < axes.size(); ++n) {
    const std::string axis_path = fmt::format("{}[{}]", path, n);
    const auto [named, is_new] = first_with_name.emplace(axes[n].name, n);
    if (!is_new) {
      problems.add(config::join_path(axis_path, "name"), axes[n].name,
                   fmt::format("a name of its own: {}[{}] has this one", path, named->second));
    }
    for (const Operation operation : axes[n].operations) {
      const size_t owner = first_with_operation.emplace(operation, n).first->second;
      if (owner == n) continue;
      problems.add(config::join_path(axis_path, "operations"), quoted(operation),
                   fmt::format("each operation in one axis: {}[{}] has it already", path, owner));
    }
  }
}

std::vector<Operation> active_operations(const std::vector<Axis>& axes, const config::Invariance& corner) {
  require(corner.size() == axes.size() && config::is_corner(corner),
          "active_operations: found i = ({}), expected a corner of {} axes", config::to_string(corner), axes.size());
  std::vector<Operation> active;
  for (size_t n = 0; n < axes.size(); ++n) {
    if (corner[n] == 1.0) active.insert(active.end(), axes[n].operations.begin(), axes[n].operations.end());
  }
  return active;
}

}  // namespace invaria::augment

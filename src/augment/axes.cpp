#include "augment/axes.hpp"

#include <fmt/ranges.h>

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
  constexpr double kRounding = 1e-9;  // fractions such as 20/64 + 44/64 as decimals
  const auto check_mask = [&](const char* name, const std::optional<std::vector<double>>& mask) {
    if (!mask || (mask->size() == 2 && (*mask)[1] > 0 && (*mask)[0] + (*mask)[1] <= 1 + kRounding)) return;
    problems.add(config::join_path(path, name), config::excerpt(config::write(*mask)),
                 "[first, length]: a part of the whole, in shares of it");
  };
  check_mask("time_mask", time_mask);
  check_mask("band_mask", band_mask);
  if (!crop) return;
  const std::vector<double>& box = *crop;
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
  if (pitch_semitones != 0.0) used.push_back(Operation::kPitchShift);
  if (rate != 1.0) used.push_back(Operation::kTimeStretch);
  if (shift != 0.0) used.push_back(Operation::kTimeShift);
  if (fade != 0.0) used.push_back(Operation::kFade);
  if (noise) used.push_back(Operation::kNoise);
  if (gain_dB != 0.0) used.push_back(Operation::kGain);
  if (time_mask) used.push_back(Operation::kTimeMask);
  if (band_mask) used.push_back(Operation::kBandMask);
  return used;
}

void Axis::validate(const std::string& path, config::Problems& problems) const {
  if (operations.empty()) {
    std::vector<std::string> known;
    for (const auto& [operation, operation_name] : config::EnumNames<Operation>::kNames)
      known.emplace_back(operation_name);
    problems.add(config::join_path(path, "operations"), "[]", "at least one operation",
                 fmt::format("known: {}", fmt::join(known, ", ")));
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
      if (owner != n) {
        problems.add(config::join_path(axis_path, "operations"), quoted(operation),
                     fmt::format("each operation in one axis: {}[{}] has it already", path, owner));
      }
      if (media_of(operation) != media_of(axes)) {
        problems.add(config::join_path(axis_path, "operations"), quoted(operation),
                     fmt::format("operations on {}, as those of {}[0]", config::name_of(media_of(axes)), path));
      }
    }
  }
}

config::Media media_of(const std::vector<Axis>& axes) {
  for (const Axis& axis : axes) {
    if (!axis.operations.empty()) return media_of(axis.operations.front());
  }
  return config::Media::kPictures;
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

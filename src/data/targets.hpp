#pragma once
/// @file
/// Regression targets that follow their picture.

#include <span>
#include <string>
#include <vector>

#include "core/pixel_map.hpp"
#include "data/table_manifest.hpp"

namespace invaria::data {

/// Move the targets of one sample to the picture that `map` leads to. In a mirrored picture left and right change
/// places: a target takes the value of its column's mirror (the left ankle that of the right one, xmin that of xmax).
/// @param columns  one a target; every mirror is among them
/// @throws PreconditionError if the lengths differ or a mirror is missing
void move_targets(std::span<const TargetColumn> columns, const PixelMap& map, std::vector<double>& targets);

/// A mirror that is not among the columns, or whose own mirror is another. @throws ConfigError beginning with `where`
void check_mirrors(std::span<const TargetColumn> columns, const std::string& where);

}  // namespace invaria::data

#pragma once
/// @file
/// The kind `table`: pictures, and tables that say what they are.

#include <vector>

#include "data/kinds.hpp"

namespace invaria::data {

/// The splits of a table in the manifest's order; classes and targets go to `listing`. Throws as
/// list_splits().
std::vector<SplitListing> list_table(const Manifest& manifest, const Location& location, Listing& listing);

/// The manifest's targets, its key points (point_<name>_x and _y) and its box (box_xmin, box_ymin, box_xmax, box_ymax);
/// if it has none of them, the columns named target_... (_x and _y at the end make a pixel coordinate). And in any case
/// the columns named attr_..., which are 0 or 1.
/// @param columns  of the table
std::vector<TargetColumn> target_columns(const Manifest& manifest, const std::vector<std::string>& columns);

/// The same of what a manifest of any kind says without its tables: of columns that only a CSV's first row names there
/// is nothing to know.
std::vector<TargetColumn> promised_targets(const Manifest& manifest);

}  // namespace invaria::data

#pragma once
/// @file
/// "Did you mean": the known name nearest to a mistyped one.

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace invaria {

/// Insertions, deletions, substitutions and swaps of neighbours between two texts (optimal string alignment distance).
int edit_distance(std::string_view a, std::string_view b);

/// The candidate with the least edit distance to `name`, if that is at most half the longer length.
std::optional<std::string> nearest_name(std::string_view name, std::span<const std::string> candidates);

}  // namespace invaria

#pragma once
/// @file
/// Boost.JSON, like most parsers, silently keeps the last of two members of the same name. In a settings file that
/// hides a mistake.

#include <optional>
#include <string>

namespace invaria::config {

/// JSON path of the first member whose name its object has already, for example `training.steps`; nothing if there is
/// none, or if `text` is no JSON.
std::optional<std::string> first_duplicate_key(const std::string& text);

}  // namespace invaria::config

#pragma once
/// @file
/// Named tensors in and out of a module, strictly.

#include <string>

#include "model/parameters.hpp"

namespace invaria::model {

/// Copy `source`'s values into `target`'s tensors (dtype and device converted). Nothing is copied if anything is wrong.
/// @throws ConfigError headed by `subject`, naming every missing, unknown and misshapen entry
void copy_state(const StateDict& source, const StateDict& target, const std::string& subject);

/// SHA-256 over names, types, shapes and values, in name order.
std::string hash_state(const StateDict& state);

}  // namespace invaria::model

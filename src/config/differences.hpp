#pragma once
/// @file
/// Where two records of settings differ.

#include <string>
#include <vector>

#include "config/setting.hpp"

namespace invaria::config {

/// JSON paths at which two values differ, "pretraining.steps: 250 there, 80 here".
std::vector<std::string> differences(const json::value& there, const json::value& here);

}  // namespace invaria::config

#pragma once
/// @file
/// The readouts of a sweep.

#include <filesystem>
#include <vector>

#include "bench/stage.hpp"

namespace invaria::bench {

/// @param folder  where the features are written for adapters to read; it must outlive the stages
std::vector<Stage> readout_stages(const std::filesystem::path& folder);

}  // namespace invaria::bench

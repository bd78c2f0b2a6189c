#pragma once
/// @file
/// The operations on sounds and their front end, on clips of 5 s at 16 kHz.

#include <filesystem>
#include <vector>

#include "bench/stage.hpp"

namespace invaria::bench {

/// @param folder  where the clips are written for adapters to read; it must outlive the stages
std::vector<Stage> sound_stages(const std::filesystem::path& folder);

}  // namespace invaria::bench

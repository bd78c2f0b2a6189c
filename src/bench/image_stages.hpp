#pragma once
/// @file
/// Two views of pictures with the default augmentations: of decoded pictures, and of JPEG files.

#include <filesystem>
#include <vector>

#include "bench/stage.hpp"

namespace invaria::bench {

/// @param folder  where pictures are written for adapters to read; it must outlive the stages
std::vector<Stage> image_stages(const std::filesystem::path& folder);

}  // namespace invaria::bench

#pragma once
/// @file
/// Two views of pictures with the default augmentations: of decoded pictures, and of JPEG files.

#include <c10/core/Device.h>

#include <filesystem>
#include <vector>

#include "bench/stage.hpp"

namespace invaria::bench {

/// @param folder  where pictures are written for adapters to read; it must outlive the stages
/// @param device  that views are rendered on; of files there are stages on the CPU only
std::vector<Stage> image_stages(const std::filesystem::path& folder, c10::Device device = c10::kCPU);

}  // namespace invaria::bench

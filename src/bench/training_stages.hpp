#pragma once
/// @file
/// Parts of a pretraining step: the loss, a step on views that are there already, and what amortisation adds to it.

#include <c10/core/Device.h>

#include <filesystem>
#include <vector>

#include "bench/stage.hpp"

namespace invaria::bench {

/// @param folder  where views and weights are written for adapters to read; it must outlive the stages
std::vector<Stage> training_stages(const std::filesystem::path& folder, c10::Device device = c10::kCPU);

}  // namespace invaria::bench

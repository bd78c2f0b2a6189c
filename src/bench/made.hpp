#pragma once
/// @file
/// Made data of stages, and how it is handed to adapters.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>

#include "model/encoder_settings.hpp"

namespace invaria::bench {

/// N(0, 1), double; of each `sample` others, always the same.
at::Tensor normals(at::IntArrayRef shape, uint64_t sample);

/// The values' bytes and nothing else, in row-major order.
void write_values(const std::filesystem::path& file, const at::Tensor& values);

/// For pictures of 32 pixels.
model::EncoderSettings resnet18(int64_t width);

}  // namespace invaria::bench

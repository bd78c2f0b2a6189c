#pragma once
/// @file
/// Tensors in safetensors files: what checkpoints, exports and weights from elsewhere have in common.

#include <map>
#include <string>
#include <vector>

#include "io/safetensors.hpp"
#include "model/parameters.hpp"

namespace invaria::train {

/// How a tensor lies in memory; it must live on the CPU, be contiguous and outlive the view. Float, double, int64 or
/// uint8. @throws PreconditionError for other types
io::TensorView view_of(const std::string& name, const at::Tensor& tensor);

/// A copy of a stored tensor, in its stored type, F16 and BF16 too. @throws ConfigError naming file and tensor
at::Tensor copy_of(const io::TensorView& view);

/// Write in one atomic rename. @throws EnvironmentError from the file system
void write_tensors(const io::fs::path& path, const model::StateDict& tensors,
                   const std::map<std::string, std::string>& metadata);
/// Every tensor of a file. @throws EnvironmentError if it cannot be read, ConfigError if it is no safetensors file
model::StateDict read_tensors(const io::fs::path& path);

}  // namespace invaria::train

#pragma once
/// @file
/// Pretraining state on disk: complete or invisible.
///
/// checkpoints/<encoder>-seed<n>/state.safetensors while it trains (weights, moments, log), encoder.safetensors when it
/// is done (weights, log). Both carry the encoder's resolved settings, so that a run that continues knows what it
/// found.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "config/setting.hpp"
#include "io/files.hpp"
#include "io/table.hpp"
#include "model/parameters.hpp"

namespace invaria::train {

/// What a checkpoint file holds.
struct Checkpoint {
  model::StateDict tensors;
  std::map<std::string, std::string> metadata;
  io::Table log;      ///< pretraining/{step, loss, ...} so far
  io::Table monitor;  ///< monitor/{step, corner, ...} so far; without columns if nothing is monitored
};

/// Write in one atomic rename. @throws EnvironmentError from the file system
void write_checkpoint(const io::fs::path& path, const Checkpoint& checkpoint);
/// @throws ConfigError naming the file, and saying how to mend it, if it is damaged: its contents are hashed
Checkpoint read_checkpoint(const io::fs::path& path);

/// The folder of one encoder's checkpoints.
class CheckpointFolder {
 public:
  CheckpointFolder(const io::fs::path& output, const std::string& encoder_key);

  const io::fs::path& folder() const { return folder_; }
  io::fs::path state_file() const { return folder_ / "state.safetensors"; }
  io::fs::path encoder_file() const { return folder_ / "encoder.safetensors"; }
  bool has_state() const;
  bool has_encoder() const;
  /// The settings that the files here were made with, if there are any. @throws ConfigError if a file is damaged
  std::optional<config::json::value> identity() const;

 private:
  io::fs::path folder_;
};

}  // namespace invaria::train

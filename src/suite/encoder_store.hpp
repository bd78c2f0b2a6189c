#pragma once
/// @file
/// The frozen encoders that a rank holds during the sweep.

#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "config/invariance.hpp"
#include "model/encoder.hpp"
#include "suite/plan.hpp"

namespace invaria::suite {

struct LoadedEncoder {
  model::Encoder encoder;
  std::string hash;                                                     ///< as of the last check
  int64_t bytes = 0;                                                    ///< of its parameters
  int64_t last_used = 0;                                                ///< number of the get()
  std::map<config::Invariance, model::BatchNormStatistics> statistics;  ///< re-estimated so far
};

/// Reads encoders when they are asked for, and keeps those that were used last as long as all of them together take no
/// more than `most_bytes`: small ones are read once, of large ones a rank holds one.
class EncoderStore {
 public:
  /// @param plan  must outlive the store
  EncoderStore(const Plan& plan, std::filesystem::path output, c10::Device device, int64_t most_bytes);

  /// The encoder of this index in the plan, frozen, on the device. The reference holds until the next get().
  /// @throws ConfigError if its checkpoint is damaged, altered or missing
  LoadedEncoder& get(size_t index);
  /// The same if it is held, else nothing.
  LoadedEncoder* find(size_t index);

 private:
  void make_room(int64_t bytes);

  const Plan& plan_;
  std::filesystem::path output_;
  c10::Device device_;
  int64_t most_bytes_;
  int64_t n_gets_ = 0;
  std::map<size_t, LoadedEncoder> held_;
};

}  // namespace invaria::suite

#pragma once
/// @file
/// One encoder of a finished run at one i, for the commands that take it out of the run: export and features.

#include <c10/core/Device.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/app.hpp"
#include "config/invariance.hpp"
#include "data/dataset.hpp"
#include "model/encoder.hpp"
#include "suite/suite.hpp"
#include "train/pretrain_settings.hpp"

namespace invaria::app {

struct ChosenEncoder {
  suite::Suite suite;
  train::EncoderPlan plan;
  model::Encoder encoder;         ///< frozen
  std::string checkpoint_hash;    ///< SHA-256 of its file
  config::Invariance invariance;  ///< empty without conditioning
  model::Generated generated;
  std::optional<model::BatchNormStatistics> statistics;  ///< re-estimated at `invariance`, else the running ones serve

  model::BatchNormPass batch_norm() const;
  /// Where features or weights come from, for a file's header: encoder, encoder_seed, invariance, axes, bn_statistics,
  /// suite, encoder_hash, and settings (JSON).
  std::map<std::string, std::string> provenance() const;
};

/// Read it onto the device, and re-estimate its statistics where the options say so (as-swept: where the run's sweep
/// did), which reads its pretraining data.
/// @throws ConfigError naming the option that is wrong and the choices, or a damaged or missing file
ChosenEncoder choose_encoder(const EncoderOptions& options, c10::Device device = c10::kCPU);

/// A data set of the run's suite by its name; or another that a manifest names, its pictures stored as large as those
/// of the encoder's pretraining. Decoded into memory of this process. @throws ConfigError
data::Dataset load_named_dataset(const ChosenEncoder& chosen, const std::string& name,
                                 const std::vector<std::filesystem::path>& data_folders);

}  // namespace invaria::app

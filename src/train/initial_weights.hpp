#pragma once
/// @file
/// Where pretraining starts: fresh weights, or a plain network's from a file.

#include <string>

#include "model/encoder.hpp"
#include "train/pretrain_settings.hpp"

namespace invaria::train {

/// The encoder before its first step, on the CPU. @throws ConfigError if `init_from` is not the file that
/// `init_from_hash` says, or does not fit
model::Encoder starting_encoder(const EncoderPlan& plan);

/// The SHA-256 of the file of these settings, whose weights are tried on a network of their architecture.
/// @param view  what the network sees
/// @throws ConfigError as starting_encoder(), EnvironmentError if it cannot be read
std::string check_initial_weights(const PretrainSettings& settings, const config::ViewShape& view);

}  // namespace invaria::train

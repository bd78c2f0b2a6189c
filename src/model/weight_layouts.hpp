#pragma once
/// @file
/// Weights from elsewhere: how the files of torchvision, timm, and the official MoCo-v2 and MoCo-v3 name the tensors of
/// a plain ResNet or ViT.

#include <string>

#include "model/encoder.hpp"
#include "model/parameters.hpp"

namespace invaria::model {

/// Copy the weights of a plain network into the encoder's backbone; what generates from i keeps its start. (Of a
/// hypernetwork they become the base kernels b.)
///
/// The layout is told by its prefix: `module.encoder_q.` (MoCo-v2), `module.base_encoder.` (MoCo-v3), none
/// (torchvision, timm, and what `export` writes). Strict: every tensor of the backbone must be found in the right
/// shape, and every tensor of the file must be one of them or one that its layout names as left out (classifiers,
/// projectors, queues, momentum encoders). Half-precision weights are widened.
/// @param subject  what to say the weights are, in messages
/// @throws ConfigError naming all that is missing, unknown or misshapen, or a number of heads that the layout has not
/// (MoCo-v3's ViT-S); then nothing has changed
void load_plain_weights(const Encoder& encoder, const StateDict& file, const std::string& subject);

}  // namespace invaria::model

#pragma once
/// @file
/// The clean, unlabelled pretraining samples on which BatchNorm statistics are re-estimated at an i.

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "data/dataset.hpp"
#include "suite/suite.hpp"
#include "train/pretrain_settings.hpp"

namespace invaria::suite {

/// Whether features of this encoder are read under statistics that are re-estimated at each i: where the suite asks for
/// it, of a conditioned encoder that has BatchNorm layers.
bool reestimates(const Suite& suite, const train::EncoderPlan& encoder);

/// Up to `most` samples of the split that it was pretrained on, drawn by address from the encoder's seed, framed and
/// normalised as its own views: float [n, C, H, W].
at::Tensor clean_pictures(const train::EncoderPlan& encoder, const data::DataSplit& split, int64_t most);

}  // namespace invaria::suite

#pragma once
/// @file
/// Known transformations of pictures in steps of strength, for the measuring of invariance: those of "Why Do
/// Self-Supervised Models Transfer?" (arXiv:2111.11398), which arXiv:2302.12712 measures by.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "config/setting.hpp"

namespace invaria::downstream {

/// What is done to a picture, and what its strength is.
enum class Transformation {
  kRotation,     ///< degrees, clockwise, from -180 to 180
  kTranslation,  ///< share of the width by which the picture moves to the right, from -1/4 to 1/4
  kScale,        ///< magnification about the centre, from 1/4 to 2
  kShear,        ///< degrees, horizontally, from -45 to 45
  kFlip,         ///< mirrored left and right: one strength, 1
  kBrightness,   ///< factor, from 1/4 to 5
  kContrast,     ///< likewise
  kSaturation,   ///< likewise
  kHue,          ///< turn, from -1/2 to 1/2 of a circle
  kBlur,         ///< standard deviation as a share of the width, from 0 to 20/224; kernels are a tenth of the width
  kGrayscale,    ///< without colour: one strength, 1
  kSharpness,    ///< factor, from 1 to 30
};

/// `n` equidistant strengths of the transformation's range, its ends included, or its only one; the middle of the range
/// if n is 1. @throws PreconditionError if n < 1
std::vector<double> strengths(Transformation transformation, int64_t n);

/// All pictures transformed alike, what comes from outside a picture being black.
/// @param images_BCHW  float [B, 3, H, W] in [0, 1] @return the same shape and range
at::Tensor transform(const at::Tensor& images_BCHW, Transformation transformation, double strength);

}  // namespace invaria::downstream

template <>
struct invaria::config::EnumNames<invaria::downstream::Transformation> {
  using enum invaria::downstream::Transformation;
  static constexpr std::array<std::pair<invaria::downstream::Transformation, const char*>, 12> kNames{
      {{kRotation, "rotation"},
       {kTranslation, "translation"},
       {kScale, "scale"},
       {kShear, "shear"},
       {kFlip, "flip"},
       {kBrightness, "brightness"},
       {kContrast, "contrast"},
       {kSaturation, "saturation"},
       {kHue, "hue"},
       {kBlur, "blur"},
       {kGrayscale, "grayscale"},
       {kSharpness, "sharpness"}}};
};

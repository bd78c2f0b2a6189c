#pragma once
/// @file
/// Made pictures, for tests and first steps without data: one coloured shape on a textured background. The class is
/// shape and colour; the shape's centre is a regression target.
///
/// Every number comes from an addressed draw, so sample n of a split is the same picture whoever draws it.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/manifest.hpp"

namespace invaria::data {

/// The class names in byte order: "circle-blue", ...; their positions are the labels.
std::vector<std::string> synthetic_classes(const SyntheticManifest& manifest);

/// The shape's centre in pixels.
std::vector<TargetColumn> synthetic_targets();

/// What is drawn for one sample; lengths in shares of the picture's side.
struct SyntheticSample {
  int64_t label = 0;
  double centre_x = 0.0;  ///< in [0.3, 0.7]
  double centre_y = 0.0;
  double radius = 0.0;  ///< in [0.15, 0.3]
};

/// @param split   name of the split: its pictures share none with other splits
/// @param sample  number in the split; labels go round, so classes are balanced
SyntheticSample synthetic_sample(const SyntheticManifest& manifest, const std::string& split, int64_t sample);

/// Draw it into `out`, [size, size, 3] uint8. The shape's edge is averaged over 3 x 3 points a pixel.
void draw_synthetic(const SyntheticManifest& manifest, const std::string& split, int64_t sample, int64_t size,
                    std::span<uint8_t> out);

}  // namespace invaria::data

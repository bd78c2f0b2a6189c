#pragma once
/// @file
/// What is done to one image to make one view of it: drawn first, rendered later.
///
/// Every operation draws from a stream of its own, addressed by (seed, epoch, sample, view, operation): switching an
/// operation off never changes what the others draw, and neither ranks nor threads nor the batch matter.

#include <array>
#include <cstdint>
#include <span>

#include "augment/axes.hpp"
#include "augment/settings.hpp"

namespace invaria::augment {

/// A box of whole pixels inside an image.
struct Box {
  int64_t top = 0;
  int64_t left = 0;
  int64_t height = 0;
  int64_t width = 0;
  bool operator==(const Box&) const = default;
};

/// The steps of colour jitter, numbered as in torchvision's ColorJitter.
enum class JitterStep : uint8_t { kBrightness, kContrast, kSaturation, kHue };

/// The operations are applied in the order of the members. Defaults leave the image alone.
struct ViewParameters {
  Box box;                                       ///< the part of the image that is shown
  WholeImage framing = WholeImage::kWholeFrame;  ///< how the box becomes a square: stretched, or its centre kept
  bool flip = false;                             ///< mirror left and right
  std::array<JitterStep, 4> jitter_order = {JitterStep::kBrightness, JitterStep::kContrast, JitterStep::kSaturation,
                                            JitterStep::kHue};
  double brightness = 1.0;  ///< factor, >= 0; 1: step left out
  double contrast = 1.0;    ///< likewise
  double saturation = 1.0;  ///< likewise
  double hue = 0.0;         ///< turn in [-0.5, 0.5] of a circle; 0: step left out
  bool grayscale = false;
  double blur_sigma = 0.0;  ///< pixels of the view; 0: no blur
  bool solarize = false;
  bool operator==(const ViewParameters&) const = default;
};

/// The parameters that show the whole image of the given size (pixels, at least 1 x 1) unaltered.
ViewParameters whole_frame(int64_t height, int64_t width);

/// Draw the parameters of one view. Operations that are not in `active` keep their neutral value; without crop the
/// whole image is shown as `settings.whole_image` says.
///
/// The crop is torchvision's RandomResizedCrop.get_params: ten tries at (area, log-uniform ratio), then a central crop.
/// @param sample  the image's index in its data set
/// @param view    0 and 1: the first and second of a pair; views from 2 on happen as often as the first
ViewParameters draw(const AugmentSettings& settings, std::span<const Operation> active, int64_t height, int64_t width,
                    uint64_t seed, uint64_t epoch, uint64_t sample, uint32_t view);

/// Impose what `fixed` alters on `parameters`, for an image of the given size; what it leaves alone keeps its value.
void apply(const FixedSetting& fixed, int64_t height, int64_t width, ViewParameters& parameters);

}  // namespace invaria::augment

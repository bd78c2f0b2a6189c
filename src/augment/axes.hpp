#pragma once
/// @file
/// Axes of invariance: named groups of operations. A corner i of {0, 1}^K switches on the operations of every axis
/// whose bit is 1.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "augment/sound_operations.hpp"
#include "config/invariance.hpp"
#include "config/stored_shape.hpp"

namespace invaria::augment {

/// What can be done to a picture, then what can be done to a sound, each in the order in which it is done.
enum class Operation {
  kCrop,
  kFlip,
  kColorJitter,
  kGrayscale,
  kBlur,
  kSolarize,
  kPitchShift,
  kTimeStretch,
  kTimeShift,
  kFade,
  kNoise,
  kGain,
  kTimeMask,
  kBandMask,
};
constexpr int kOperationCount = 14;

/// What an operation alters.
constexpr config::Media media_of(Operation operation) {
  return operation >= Operation::kPitchShift ? config::Media::kSounds : config::Media::kPictures;
}

/// One deterministic choice of an axis's operations, for the known tasks. The default leaves the sample alone.
struct FixedSetting {
  std::optional<std::vector<double>> crop{};  ///< [top, left, height, width] as fractions of the image
  bool flip = false;
  double hue = 0.0;  ///< turn, in fractions of a circle
  double brightness = 1.0;
  double contrast = 1.0;
  double saturation = 1.0;
  bool grayscale = false;
  double blur_sigma = 0.0;  ///< pixels of the view; 0: no blur
  bool solarize = false;
  double pitch_semitones = 0.0;
  double rate = 1.0;                   ///< times as fast
  double shift = 0.0;                  ///< later by this share of the sound
  double fade = 0.0;                   ///< linear, at both ends, this share of the sound
  std::optional<NoiseColour> noise{};  ///< nothing: none
  double noise_snr_dB = 10.0;          ///< of that noise
  double gain_dB = 0.0;
  std::optional<std::vector<double>> time_mask{};  ///< [first, length] in shares of the sound: silent
  std::optional<std::vector<double>> band_mask{};  ///< likewise in shares of all bands

  static auto settings() {
    using config::between;
    using config::setting;
    using S = FixedSetting;
    return std::tuple{
        setting("crop", &S::crop, "[top, left, height, width] as fractions of the image", between(0, 1)),
        setting("flip", &S::flip, "mirror left and right"),
        setting("hue", &S::hue, "turn of the hue, as a fraction of a circle", between(-0.5, 0.5)),
        setting("brightness", &S::brightness, "factor", between(0, 10)),
        setting("contrast", &S::contrast, "factor", between(0, 10)),
        setting("saturation", &S::saturation, "factor", between(0, 10)),
        setting("grayscale", &S::grayscale, "remove the colour"),
        setting("blur_sigma", &S::blur_sigma, "standard deviation of the blur in pixels of the view; 0: none",
                between(0, 100)),
        setting("solarize", &S::solarize, "invert bright pixels"),
        setting("pitch_semitones", &S::pitch_semitones, "of a sound: higher by that much", between(-48, 48)),
        setting("rate", &S::rate, "times as fast", between(0.05, 20)),
        setting("shift", &S::shift, "later by this share of the sound", between(-1, 1)),
        setting("fade", &S::fade, "rise from silence and fall to it, each over this share of the sound",
                between(0, 0.5)),
        setting("noise", &S::noise, "colour of the noise; null: none"),
        setting("noise_snr_dB", &S::noise_snr_dB, "how far that noise lies below the sound", between(-60, 120)),
        setting("gain_dB", &S::gain_dB, "louder by that much", between(-120, 120)),
        setting("time_mask", &S::time_mask, "[first, length] in shares of the sound: silent", between(0, 1)),
        setting("band_mask", &S::band_mask, "[first, length] in shares of all bands: silent", between(0, 1)),
    };
  }
  void validate(const std::string& path, config::Problems& problems) const;

  /// The operations that this setting uses, in their order.
  std::vector<Operation> operations() const;
};

/// One coordinate of the invariance vector.
struct Axis {
  std::string name;
  std::vector<Operation> operations;
  std::vector<FixedSetting> fixed_settings;  ///< classes of a known task in which this axis's bit is 0

  static auto settings() {
    using config::setting;
    return std::tuple{
        setting("name", &Axis::name, "unique name of the axis", config::required_name()),
        setting("operations", &Axis::operations, "operations that the axis switches", config::required()),
        setting("fixed_settings", &Axis::fixed_settings,
                "settings that known tasks tell apart; known tasks need two or more"),
    };
  }
  /// At least one operation, none twice; fixed settings use this axis's operations only.
  void validate(const std::string& path, config::Problems& problems) const;
};

/// K = 2: `spatial` (crop, flip) and `appearance` (jitter, grayscale, blur, solarize), with the fixed settings of the
/// known tasks: four places and four hues.
std::vector<Axis> default_axes();

/// What spans axes: at least one axis, unique names, no operation in two axes, all of pictures or all of sounds.
void validate_axes(const std::vector<Axis>& axes, const std::string& path, config::Problems& problems);

/// What the axes alter: of the first operation; pictures if there is none.
config::Media media_of(const std::vector<Axis>& axes);

/// The operations of all axes whose bit is 1, in axis order. @throws PreconditionError unless `corner` is a corner with
/// one bit an axis
std::vector<Operation> active_operations(const std::vector<Axis>& axes, const config::Invariance& corner);

}  // namespace invaria::augment

template <>
struct invaria::config::EnumNames<invaria::augment::Operation> {
  using enum invaria::augment::Operation;
  static constexpr std::array<std::pair<invaria::augment::Operation, const char*>, invaria::augment::kOperationCount>
      kNames{{{kCrop, "crop"},
              {kFlip, "flip"},
              {kColorJitter, "jitter"},
              {kGrayscale, "grayscale"},
              {kBlur, "blur"},
              {kSolarize, "solarize"},
              {kPitchShift, "pitch-shift"},
              {kTimeStretch, "time-stretch"},
              {kTimeShift, "time-shift"},
              {kFade, "fade"},
              {kNoise, "noise"},
              {kGain, "gain"},
              {kTimeMask, "time-mask"},
              {kBandMask, "band-mask"}}};
};

#include "augment/named_axes.hpp"

#include <array>

namespace invaria::augment {
namespace {

// A crop keeps 44 of 64 pixels of each side.
constexpr double kSide = 44.0 / 64.0;
constexpr double kFarOffset = 1.0 - kSide;

FixedSetting crop(double top, double left) {
  FixedSetting setting;
  setting.crop = std::vector<double>{top, left, kSide, kSide};
  return setting;
}

std::vector<FixedSetting> four_hues() {
  std::vector<FixedSetting> hues;
  for (const double turn : {0.0, 0.12, 0.24, 0.36}) hues.emplace_back().hue = turn;
  return hues;
}

Axis pitch_axis() {
  Axis axis{"pitch", {Operation::kPitchShift}, {}};
  for (const double semitones : {0.0, 4.0, -4.0, 8.0}) axis.fixed_settings.emplace_back().pitch_semitones = semitones;
  return axis;
}

Axis time_axis() {
  return {"time",
          {Operation::kTimeStretch, Operation::kTimeShift, Operation::kTimeMask},
          {FixedSetting(), {.rate = 1.6}, {.rate = 0.65}, {.shift = 0.25}}};
}

std::vector<Axis> one_axis_a_sound_operation() {
  return {
      pitch_axis(),
      {"stretch", {Operation::kTimeStretch}, {FixedSetting(), {.rate = 1.6}, {.rate = 0.65}}},
      {"shift", {Operation::kTimeShift}, {FixedSetting(), {.shift = 0.25}, {.shift = -0.25}}},
      {"fade", {Operation::kFade}, {FixedSetting(), {.fade = 0.5}}},
      {"noise",
       {Operation::kNoise},
       {FixedSetting(),
        {.noise = NoiseColour::kWhite, .noise_snr_dB = 10},
        {.noise = NoiseColour::kBrown, .noise_snr_dB = 5}}},
      {"time-mask", {Operation::kTimeMask}, {FixedSetting(), {.time_mask = std::vector{0.4, 0.2}}}},
      {"band-mask", {Operation::kBandMask}, {FixedSetting(), {.band_mask = std::vector{0.4, 0.2}}}},
  };
}

}  // namespace

std::vector<Axis> default_axes() {
  return {
      {"spatial",
       {Operation::kCrop, Operation::kFlip},
       {FixedSetting(), {.flip = true}, crop(0, 0), crop(kFarOffset, kFarOffset)}},
      {"appearance",
       {Operation::kColorJitter, Operation::kGrayscale, Operation::kBlur, Operation::kSolarize},
       four_hues()},
  };
}

std::vector<Axis> named_axes(NamedAxes which) {
  if (which == NamedAxes::kK2) return default_axes();
  if (which == NamedAxes::kSound7) return one_axis_a_sound_operation();
  if (which == NamedAxes::kSound3) {
    return {pitch_axis(),
            time_axis(),
            {"noise",
             {Operation::kFade, Operation::kNoise, Operation::kGain},
             {FixedSetting(),
              {.noise = NoiseColour::kWhite, .noise_snr_dB = 10},
              {.noise = NoiseColour::kBrown, .noise_snr_dB = 5},
              {.gain_dB = -14}}}};
  }
  if (which == NamedAxes::kSound4) {
    return {pitch_axis(),
            time_axis(),
            {"noise",
             {Operation::kNoise},
             {FixedSetting(),
              {.noise = NoiseColour::kWhite, .noise_snr_dB = 10},
              {.noise = NoiseColour::kBrown, .noise_snr_dB = 5}}},
            {"amplitude", {Operation::kFade, Operation::kGain}, {FixedSetting(), {.gain_dB = -14}, {.fade = 0.5}}}};
  }
  return {
      {"crop",
       {Operation::kCrop},
       {FixedSetting(), crop(0, 0), crop(kFarOffset, kFarOffset), crop(kFarOffset / 2, kFarOffset / 2)}},
      {"jitter", {Operation::kColorJitter}, four_hues()},
      {"grayscale", {Operation::kGrayscale}, {FixedSetting(), {.grayscale = true}}},
      {"blur", {Operation::kBlur}, {FixedSetting(), {.blur_sigma = 2.0}}},
      {"flip", {Operation::kFlip}, {FixedSetting(), {.flip = true}}},
  };
}

}  // namespace invaria::augment

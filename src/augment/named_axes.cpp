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

FixedSetting flip() {
  FixedSetting setting;
  setting.flip = true;
  return setting;
}

FixedSetting grayscale() {
  FixedSetting setting;
  setting.grayscale = true;
  return setting;
}

FixedSetting blur(double sigma) {
  FixedSetting setting;
  setting.blur_sigma = sigma;
  return setting;
}

std::vector<FixedSetting> four_hues() {
  std::vector<FixedSetting> hues;
  for (const double turn : {0.0, 0.12, 0.24, 0.36}) hues.emplace_back().hue = turn;
  return hues;
}

}  // namespace

std::vector<Axis> default_axes() {
  return {
      {"spatial",
       {Operation::kCrop, Operation::kFlip},
       {FixedSetting(), flip(), crop(0, 0), crop(kFarOffset, kFarOffset)}},
      {"appearance",
       {Operation::kColorJitter, Operation::kGrayscale, Operation::kBlur, Operation::kSolarize},
       four_hues()},
  };
}

std::vector<Axis> named_axes(NamedAxes which) {
  if (which == NamedAxes::kK2) return default_axes();
  return {
      {"crop",
       {Operation::kCrop},
       {FixedSetting(), crop(0, 0), crop(kFarOffset, kFarOffset), crop(kFarOffset / 2, kFarOffset / 2)}},
      {"jitter", {Operation::kColorJitter}, four_hues()},
      {"grayscale", {Operation::kGrayscale}, {FixedSetting(), grayscale()}},
      {"blur", {Operation::kBlur}, {FixedSetting(), blur(2.0)}},
      {"flip", {Operation::kFlip}, {FixedSetting(), flip()}},
  };
}

}  // namespace invaria::augment

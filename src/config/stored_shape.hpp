#pragma once
/// @file
/// What a data set consists of, what all its samples have in common once they are decoded, and what an encoder sees.

#include <array>
#include <cstdint>
#include <utility>

#include "config/setting.hpp"

namespace invaria::config {

enum class Media { kPictures, kSounds };

/// Of pictures, [height, width, 3] RGB uint8; or of sounds, [n_values] float of one channel, full scale 1.
struct StoredShape {
  Media media = Media::kPictures;
  int64_t height = 0;  ///< pixels, of pictures
  int64_t width = 0;
  int64_t n_values = 0;  ///< of sounds
  int64_t rate = 0;      ///< of sounds, Hz

  bool are_sounds() const { return media == Media::kSounds; }
  /// Of one sample.
  int64_t bytes() const { return are_sounds() ? n_values * static_cast<int64_t>(sizeof(float)) : height * width * 3; }
  bool operator==(const StoredShape&) const = default;
};

/// What an encoder sees of a sample, float: a picture as it was cut, or a sound's spectrogram as bands by frames.
struct ViewShape {
  int64_t channels = 3;
  int64_t height = 0;
  int64_t width = 0;

  ViewShape() = default;
  /// A square RGB picture. Implicit, since that is what most views are.
  constexpr ViewShape(int64_t side) : height(side), width(side) {}
  constexpr ViewShape(int64_t n_channels, int64_t n_rows, int64_t n_columns)
      : channels(n_channels), height(n_rows), width(n_columns) {}

  int64_t n_values() const { return channels * height * width; }
  bool operator==(const ViewShape&) const = default;
};

}  // namespace invaria::config

template <>
struct invaria::config::EnumNames<invaria::config::Media> {
  static constexpr std::array<std::pair<Media, const char*>, 2> kNames{
      {{Media::kPictures, "pictures"}, {Media::kSounds, "sounds"}}};
};

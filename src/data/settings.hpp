#pragma once
/// @file
/// How a suite uses a data set: which one, of what shape its samples are, and what becomes of broken files.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

#include "config/setting.hpp"

namespace invaria::data {

/// How a picture of any shape becomes a square.
enum class ResizeMode {
  kWholeFrame,     ///< the whole frame, its aspect ratio given up
  kShortSideCrop,  ///< the short side to the size, then the centre square
  kCentreCrop,     ///< the short side to 8/7 of the size, then the centre square: 256 and 224
};

/// Which part of a sound that is longer than the suite's is kept.
enum class SoundCut { kMiddle, kStart };

/// What follows a sound that is shorter than the suite's.
enum class SoundFill {
  kSilence,  ///< as much before as behind one that is cut in its middle, else all behind
  kRepeat,   ///< itself from its start, over and over
};

/// To what loudness the part that is kept of a sound is brought.
enum class SoundLevel {
  kAsIs,
  kRms,   ///< the root of its mean square becomes `level_value`
  kPeak,  ///< its largest magnitude does
};

/// What becomes of a picture or sound that cannot be decoded.
enum class OnCorrupt {
  kFail,     ///< named, and nothing runs
  kLeaveOut  ///< left out and listed in the results
};

/// How a sound of any rate and length becomes one of the suite's.
struct SoundShapeSettings {
  int64_t rate = 16000;
  double seconds = 1.0;
  int64_t parts = 1;
  SoundCut cut = SoundCut::kMiddle;
  SoundFill fill = SoundFill::kSilence;
  SoundLevel level = SoundLevel::kRms;
  double level_value = 0.1;

  static auto settings() {
    using config::setting;
    using S = SoundShapeSettings;
    return std::tuple{
        setting("rate", &S::rate, "samples a second, to which every sound is resampled", config::between(1000, 192000)),
        setting("seconds", &S::seconds, "length of every sound", config::between(0.05, 600)),
        setting(
            "parts", &S::parts,
            "most samples that a longer sound gives, each of `seconds`, one after the other; tasks judge a sound by "
            "the vote of its parts",
            config::between(1, 1000)),
        setting("cut", &S::cut, "which part of a longer sound is kept where it gives one sample"),
        setting("fill", &S::fill, "what makes a shorter one as long: silence, or the sound again"),
        setting("level", &S::level,
                "how loud the kept part becomes, before it is filled up: as it is; or its root mean square or its "
                "largest magnitude is brought to level_value"),
        setting("level_value", &S::level_value, "full scale is 1",
                config::Rule{.minimum = 0, .maximum = 1, .exclusive_minimum = true})};
  }
  /// Of one sample.
  int64_t n_values() const { return std::llround(seconds * static_cast<double>(rate)); }
  /// Samples that a sound of `n` values at this rate gives: 1 to `parts`; a last part of less than half is left out.
  int64_t n_parts(int64_t n) const {
    return std::clamp<int64_t>(std::llround(static_cast<double>(n) / static_cast<double>(n_values())), 1, parts);
  }
};

/// One data set of a suite.
struct DatasetSettings {
  std::string name;
  int64_t size = 64;
  ResizeMode resize = ResizeMode::kWholeFrame;
  SoundShapeSettings sound{};
  OnCorrupt on_corrupt = OnCorrupt::kFail;
  bool check_contents = false;
  bool stream = false;
  double max_memory_share = 0.5;
  double validation_fraction = 0.0;
  int64_t split_seed = 0;

  static auto settings() {
    using config::setting;
    using S = DatasetSettings;
    return std::tuple{
        setting("name", &S::name, "the data set, as its manifest names it", config::required_name()),
        setting("size", &S::size, "side in pixels to which every picture is resized", config::between(4, 1024)),
        setting("resize", &S::resize,
                "how a picture becomes a square: the whole frame; its short side and a crop; or, centre-crop, its "
                "short side "
                "to 8/7 of size and a crop (256 and 224)"),
        setting("sound", &S::sound, "of sounds: rate, length and loudness"),
        setting("on_corrupt", &S::on_corrupt, "what becomes of a picture or sound that cannot be decoded"),
        setting("check_contents", &S::check_contents,
                "compare the files' contents too with the manifest's checksums: reads every file once more"),
        setting("stream", &S::stream,
                "decode samples when they are asked for, out of a pack of their files, instead of once into memory"),
        setting("max_memory_share", &S::max_memory_share, "share of a node's memory that the decoded samples may take",
                config::Rule{.minimum = 0, .maximum = 1, .exclusive_minimum = true}),
        setting("validation_fraction", &S::validation_fraction,
                "share of train that is cut off as validation, class by class; 0: none", config::between(0, 0.9)),
        setting("split_seed", &S::split_seed, "seed of that cut", config::at_least(0))};
  }

  /// What decides the samples and their hashes (of streamed ones those of files): the rest is at its defaults.
  DatasetSettings identity() const {
    DatasetSettings same = *this;
    same.check_contents = DatasetSettings().check_contents;
    same.max_memory_share = DatasetSettings().max_memory_share;
    return same;
  }
};

}  // namespace invaria::data

template <>
struct invaria::config::EnumNames<invaria::data::ResizeMode> {
  using E = data::ResizeMode;
  static constexpr std::array<std::pair<E, const char*>, 3> kNames{
      {{E::kWholeFrame, "whole-frame"}, {E::kShortSideCrop, "short-side-crop"}, {E::kCentreCrop, "centre-crop"}}};
};
template <>
struct invaria::config::EnumNames<invaria::data::SoundCut> {
  using E = data::SoundCut;
  static constexpr std::array<std::pair<E, const char*>, 2> kNames{{{E::kMiddle, "middle"}, {E::kStart, "start"}}};
};
template <>
struct invaria::config::EnumNames<invaria::data::SoundFill> {
  using E = data::SoundFill;
  static constexpr std::array<std::pair<E, const char*>, 2> kNames{{{E::kSilence, "silence"}, {E::kRepeat, "repeat"}}};
};
template <>
struct invaria::config::EnumNames<invaria::data::SoundLevel> {
  using E = data::SoundLevel;
  static constexpr std::array<std::pair<E, const char*>, 3> kNames{
      {{E::kAsIs, "as-is"}, {E::kRms, "rms"}, {E::kPeak, "peak"}}};
};
template <>
struct invaria::config::EnumNames<invaria::data::OnCorrupt> {
  static constexpr std::array<std::pair<data::OnCorrupt, const char*>, 2> kNames{
      {{data::OnCorrupt::kFail, "fail"}, {data::OnCorrupt::kLeaveOut, "leave-out"}}};
};

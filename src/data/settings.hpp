#pragma once
/// @file
/// How a suite uses a data set: which one, at what size, and what becomes of broken files.

#include <array>
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

/// What becomes of a picture that cannot be decoded.
enum class OnCorrupt {
  kFail,     ///< named, and nothing runs
  kLeaveOut  ///< left out and listed in the results
};

/// One data set of a suite.
struct DatasetSettings {
  std::string name;
  int64_t size = 64;
  ResizeMode resize = ResizeMode::kWholeFrame;
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
        setting("on_corrupt", &S::on_corrupt, "what becomes of a picture that cannot be decoded"),
        setting("check_contents", &S::check_contents,
                "compare the files' contents too with the manifest's checksums: reads every file once more"),
        setting("stream", &S::stream,
                "decode pictures when they are asked for, out of a pack of their files, instead of once into memory"),
        setting("max_memory_share", &S::max_memory_share, "share of a node's memory that the decoded pictures may take",
                config::Rule{.minimum = 0, .maximum = 1, .exclusive_minimum = true}),
        setting("validation_fraction", &S::validation_fraction,
                "share of train that is cut off as validation, class by class; 0: none", config::between(0, 0.9)),
        setting("split_seed", &S::split_seed, "seed of that cut", config::at_least(0))};
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
struct invaria::config::EnumNames<invaria::data::OnCorrupt> {
  static constexpr std::array<std::pair<data::OnCorrupt, const char*>, 2> kNames{
      {{data::OnCorrupt::kFail, "fail"}, {data::OnCorrupt::kLeaveOut, "leave-out"}}};
};

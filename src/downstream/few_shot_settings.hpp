#pragma once
/// @file
/// What a few-shot task is: episodes of a few classes that learning has not met, each with a few samples a class.

#include <array>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

#include "config/setting.hpp"

namespace invaria::downstream {

/// What is fitted to an episode's support.
enum class EpisodeReadout {
  kRidge,     ///< ridge regression of one-hot labels, many episodes at once
  kLogistic,  ///< the linear readout of other tasks, an episode at a time
};

/// Episodes of `ways` classes with `shots` samples each to learn from and `queries` each to judge by.
struct FewShotSettings {
  int64_t ways = 5;
  int64_t shots = 1;
  int64_t queries = 15;
  int64_t episodes = 2000;
  int64_t validation_episodes = 200;
  int64_t learned_episodes = 20;
  int64_t novel_classes = 0;
  EpisodeReadout readout = EpisodeReadout::kRidge;

  static auto settings() {
    using S = FewShotSettings;
    using config::between;
    using config::setting;
    return std::tuple{
        setting("ways", &S::ways, "classes of an episode", between(2, 1000)),
        setting("shots", &S::shots, "samples of each class to learn from", between(1, 1000)),
        setting("queries", &S::queries, "samples of each class to judge by", between(1, 1000)),
        setting("episodes", &S::episodes, "test episodes a repeat, each drawn from its index", between(2, 1e6)),
        setting("validation_episodes", &S::validation_episodes,
                "episodes of validation classes (the manifest's, or the split validation), else of base classes, that "
                "choose the penalty",
                between(2, 1e6)),
        setting("learned_episodes", &S::learned_episodes,
                "arm learned-episode: episodes that i is learned for, so many for validation and the first so many of "
                "the test episodes (it is slow)",
                between(2, 1e6)),
        setting("novel_classes", &S::novel_classes,
                "0: classes are base or novel as the data set's manifest says, their pictures those of train and test "
                "together; without such a list splits train and test have no class in common. Else so many classes, "
                "spread evenly over the sorted list, are novel and met in test alone, all others are base classes",
                between(0, 1e6)),
        setting("readout", &S::readout, "ridge, or logistic (slower)"),
    };
  }
};

}  // namespace invaria::downstream

template <>
struct invaria::config::EnumNames<invaria::downstream::EpisodeReadout> {
  using enum invaria::downstream::EpisodeReadout;
  static constexpr std::array<std::pair<invaria::downstream::EpisodeReadout, const char*>, 2> kNames{
      {{kRidge, "ridge"}, {kLogistic, "logistic"}}};
};

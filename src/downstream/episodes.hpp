#pragma once
/// @file
/// Few-shot episodes on features of a frozen encoder: N ways, K shots, Q queries a class.
///
/// An episode is a function of (seed, which set, repeat, its index) alone: it depends on no rank and no other episode.
///
/// Shape legend: E episodes, S = N K support samples, U = N Q queries, D features.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "config/invariance.hpp"
#include "downstream/bootstrap.hpp"
#include "downstream/few_shot_settings.hpp"
#include "downstream/readout.hpp"
#include "downstream/samples.hpp"

namespace invaria::downstream {

/// Which stream of episodes: two of one seed and repeat never share draws.
enum class EpisodeSet : uint32_t { kTest = 0, kValidation = 1 };

/// Samples of one episode, as rows of the features that its pool was made from; class by class, the classes of the
/// episode in the order in which they were drawn.
struct Episode {
  std::vector<int64_t> support;  ///< [N K]
  std::vector<int64_t> queries;  ///< [N Q]
  uint64_t seed = 0;             ///< for whatever else is drawn for it
};

/// Samples that episodes are drawn from, by class.
class EpisodePool {
 public:
  /// @param labels_B  int64, the class of each sample
  /// @param rows_B    int64, the sample's row among the features
  /// @throws PreconditionError if fewer than N classes have K + Q samples; the others are left out
  EpisodePool(const at::Tensor& labels_B, const at::Tensor& rows_B, const FewShotSettings& settings);

  Episode draw(EpisodeSet set, uint64_t seed, int64_t repeat, int64_t index) const;

 private:
  FewShotSettings settings_;
  std::vector<std::vector<int64_t>> rows_of_class_;
};

/// The pool of a few-shot task's test episodes: novel classes; and of validation episodes: validation classes, or all
/// samples of the base classes where there are none.
EpisodePool episode_pool(const TaskData& task, EpisodeSet set, const FewShotSettings& settings);

/// Accuracy on the queries of each episode, at one penalty: [E] double.
///
/// Ridge: features centred and divided by one scalar, those of the support's; W = X^T (X X^T + S l2 I)^-1 Y with
/// one-hot Y, centred: the same as the linear readout's regression to one-hot targets, solved for many episodes at
/// once.
at::Tensor episode_accuracies(const at::Tensor& features_BD, const std::vector<Episode>& episodes,
                              const FewShotSettings& settings, double l2, int64_t max_passes);

/// A mean over episodes with its 95 % interval, mean +- 1.96 s / sqrt(E).
struct MeanAccuracy {
  double mean = 0.0;
  Interval interval{};
};
MeanAccuracy mean_accuracy(const at::Tensor& accuracy_E);

/// Index of the penalty with the best mean accuracy; of the largest of several.
/// @param accuracy_E  [penalty], each [E]
size_t best_penalty(const std::vector<double>& penalties, const std::vector<at::Tensor>& accuracy_E);

/// A penalty, and the accuracy on validation episodes with it.
struct EpisodePenalty {
  double l2 = 0.0;
  double value = 0.0;  ///< the mean
  at::Tensor accuracy_E{};
};

/// The penalty that is best on validation episodes. A sound of several parts is one sample, with the mean of its parts'
/// features.
/// @param pool_features_BD  of the task's pool; rows that no episode of the set can draw are not looked at
EpisodePenalty choose_episode_penalty(const at::Tensor& pool_features_BD, const TaskData& task,
                                      const FewShotSettings& settings, const ReadoutSettings& readout, uint64_t seed,
                                      int64_t repeat);

/// Run the test episodes with the penalty that was chosen. Other arguments as choose_episode_penalty().
MeanAccuracy judge_episodes(double l2, const at::Tensor& pool_features_BD, const TaskData& task,
                            const FewShotSettings& settings, const ReadoutSettings& readout, uint64_t seed,
                            int64_t repeat);

/// What learning i on one episode's support led to.
struct LearnedEpisode {
  config::Invariance invariance;
  at::Tensor features_BD;  ///< [S + U, D] at that i, of the support, then of the queries
};
using LearnEpisode = std::function<LearnedEpisode(const Episode& episode)>;

/// What episodes with an i of their own give.
struct LearnedEpisodesOutcome {
  MeanAccuracy test;
  double validation_value = 0.0;    ///< mean accuracy over validation episodes
  double l2 = 0.0;                  ///< the penalty that is best there
  config::Invariance invariance{};  ///< the mean over test episodes
};

/// Choose the penalty and run the test episodes, with an i of its own for each of `settings.learned_episodes`
/// validation and test episodes.
LearnedEpisodesOutcome judge_learned_episodes(const TaskData& task, const FewShotSettings& settings,
                                              const ReadoutSettings& readout, uint64_t seed, int64_t repeat,
                                              const LearnEpisode& learn);

/// The rows of all parts of some samples.
struct PartsOfSamples {
  std::vector<int64_t> rows;
  at::Tensor sample_P;  ///< int64 [P], which of the samples a row is a part of
};
/// @param rows  of the pool: pictures, or first parts of sounds
PartsOfSamples parts_of_samples(const TaskData& task, const std::vector<int64_t>& rows);

/// What features say of samples: the means over their parts, [n, D]. @param sample_P  int64 [P] in [0, n)
at::Tensor mean_over_parts(const at::Tensor& features_PD, const at::Tensor& sample_P, int64_t n);

/// An episode's support as a training set of its own, labels 0 to N - 1, a sound by its first part: what i can be
/// learned on.
Samples support_samples(const TaskData& task, const Episode& episode, const FewShotSettings& settings);

}  // namespace invaria::downstream

#include "downstream/episodes.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "core/errors.hpp"
#include "core/philox.hpp"

namespace invaria::downstream {
namespace {

constexpr int64_t kBytesAtOnce = int64_t{4} << 20;  ///< of gathered features: they stay in the cache

/// The first `count` of a shuffle of `values`, which is left shuffled so far.
void draw_first(std::vector<int64_t>& values, int64_t count, Draws& draws) {
  const auto size = static_cast<int64_t>(values.size());
  for (int64_t place = 0; place < count; ++place) {
    std::swap(values[static_cast<size_t>(place)], values[static_cast<size_t>(place + draws.below(size - place))]);
  }
}

/// 0, 0, ..., 1, 1, ...: `each` of every way.
at::Tensor labels_in_turn(int64_t ways, int64_t each) {
  return at::arange(ways, at::kLong).repeat_interleave(each);
}

/// Rows of some episodes' samples, gathered: [E, S + U, D].
at::Tensor gathered(const at::Tensor& features_BD, const std::vector<Episode>& episodes, size_t first, size_t count) {
  std::vector<int64_t> rows;
  for (size_t episode = first; episode < first + count; ++episode) {
    for (const auto* part : {&episodes[episode].support, &episodes[episode].queries})
      rows.insert(rows.end(), part->begin(), part->end());
  }
  return features_BD.index_select(0, at::tensor(rows, at::kLong))
      .reshape({static_cast<int64_t>(count), -1, features_BD.size(1)});
}

/// All from inner products with the support: with x centred on the support's mean c,
/// <x_s - c, x_a - c> = p_sa - mean_t p_ta - mean_t p_st + mean_tu p_tu.
/// @param samples_EAD  support, then queries; near the origin, lest the differences lose digits
at::Tensor ridge_accuracies(const at::Tensor& samples_EAD, const FewShotSettings& settings, double l2) {
  const int64_t n_support = settings.ways * settings.shots;
  const int64_t n_queries = samples_EAD.size(1) - n_support;
  const at::Tensor support_ESD = samples_EAD.narrow(1, 0, n_support);
  const at::Tensor products_ESA = at::bmm(support_ESD, samples_EAD.transpose(1, 2)).to(at::kDouble);
  const at::Tensor of_support_ES1 = products_ESA.narrow(2, 0, n_support).mean(2, true);
  const at::Tensor centred_ESA =
      products_ESA - products_ESA.mean(1, true) - of_support_ES1 + of_support_ES1.mean(1, true);
  const at::Tensor gram_ESS = centred_ESA.narrow(2, 0, n_support);
  // Divided by the support's mean square, as the linear readout is.
  const at::Tensor square_E11 =
      gram_ESS.diagonal(0, 1, 2).mean(1).div_(samples_EAD.size(2)).clamp_min_(1e-24).view({-1, 1, 1});
  const at::Tensor one_hot_SN =
      at::one_hot(labels_in_turn(settings.ways, settings.shots), settings.ways).to(at::kDouble);
  const at::Tensor targets_SN = one_hot_SN - one_hot_SN.mean(0);
  const at::Tensor dual_ESN =
      at::linalg_solve(gram_ESS / square_E11 + static_cast<double>(n_support) * l2 * at::eye(n_support, at::kDouble),
                       targets_SN.expand({samples_EAD.size(0), n_support, settings.ways}));
  const at::Tensor scores_EUN = at::bmm(centred_ESA.narrow(2, n_support, n_queries).transpose(1, 2), dual_ESN);
  return scores_EUN.argmax(2).eq(labels_in_turn(settings.ways, settings.queries)).to(at::kDouble).mean(1);
}

double logistic_accuracy(const at::Tensor& support_SD, const at::Tensor& queries_UD, const FewShotSettings& settings,
                         double l2, int64_t max_passes) {
  const LabelledFeatures support{
      support_SD, labels_in_turn(settings.ways, settings.shots), {}, settings.ways, TargetKind::kNumbers, {}};
  const Readout readout = fit_readout(support, l2, max_passes);
  return top1(readout.predict(queries_UD), labels_in_turn(settings.ways, settings.queries));
}

std::vector<Episode> first_episodes(const TaskData& task, EpisodeSet set, int64_t count,
                                    const FewShotSettings& settings, uint64_t seed, int64_t repeat) {
  const EpisodePool pool = episode_pool(task, set, settings);
  std::vector<Episode> episodes;
  for (int64_t index = 0; index < count; ++index) episodes.push_back(pool.draw(set, seed, repeat, index));
  return episodes;
}

/// Where each sound comes first: positions, ascending.
std::vector<int64_t> first_parts(const at::Tensor& sounds_B) {
  std::vector<int64_t> firsts;
  std::set<int64_t> seen;
  const at::Tensor sounds = sounds_B.contiguous();
  for (int64_t position = 0; position < sounds.size(0); ++position) {
    if (seen.insert(sounds.const_data_ptr<int64_t>()[position]).second) firsts.push_back(position);
  }
  return firsts;
}

/// The features of every part replaced by the mean over the parts of its sound.
at::Tensor means_of_sounds(const at::Tensor& features_BD, const at::Tensor& sounds_B) {
  if (!sounds_B.defined()) return features_BD;
  return mean_over_parts(features_BD, sounds_B, sounds_B.max().item<int64_t>() + 1).index_select(0, sounds_B);
}

}  // namespace

EpisodePool::EpisodePool(const at::Tensor& labels_B, const at::Tensor& rows_B, const FewShotSettings& settings)
    : settings_(settings) {
  const int64_t* labels = labels_B.const_data_ptr<int64_t>();
  const int64_t* rows = rows_B.const_data_ptr<int64_t>();
  std::map<int64_t, std::vector<int64_t>> by_class;
  for (int64_t sample = 0; sample < labels_B.numel(); ++sample) by_class[labels[sample]].push_back(rows[sample]);
  for (auto& [label, of_class] : by_class) {
    if (static_cast<int64_t>(of_class.size()) >= settings.shots + settings.queries)
      rows_of_class_.push_back(std::move(of_class));
  }
  require(static_cast<int64_t>(rows_of_class_.size()) >= settings.ways,
          "episodes: {} classes have {} samples, expected at least {}", rows_of_class_.size(),
          settings.shots + settings.queries, settings.ways);
}

Episode EpisodePool::draw(EpisodeSet set, uint64_t seed, int64_t repeat, int64_t index) const {
  Draws draws({.seed = seed,
               .purpose = Purpose::kEpisode,
               .epoch = static_cast<uint64_t>(repeat),
               .sample = static_cast<uint64_t>(index),
               .view = static_cast<uint32_t>(set)});
  std::vector<int64_t> classes(rows_of_class_.size());
  for (size_t label = 0; label < classes.size(); ++label) classes[label] = static_cast<int64_t>(label);
  draw_first(classes, settings_.ways, draws);
  Episode episode;
  for (int64_t way = 0; way < settings_.ways; ++way) {
    std::vector<int64_t> rows = rows_of_class_[static_cast<size_t>(classes[static_cast<size_t>(way)])];
    draw_first(rows, settings_.shots + settings_.queries, draws);
    const auto middle = rows.begin() + settings_.shots;
    episode.support.insert(episode.support.end(), rows.begin(), middle);
    episode.queries.insert(episode.queries.end(), middle, middle + settings_.queries);
  }
  episode.seed = draws.next_u64();
  return episode;
}

EpisodePool episode_pool(const TaskData& task, EpisodeSet set, const FewShotSettings& settings) {
  const auto pool_of = [&](const at::Tensor& labels_B, const at::Tensor& rows_B) {
    if (!task.pool_sounds_B.defined()) return EpisodePool(labels_B, rows_B, settings);
    const at::Tensor firsts = at::tensor(first_parts(task.pool_sounds_B.index_select(0, rows_B)), at::kLong);
    return EpisodePool(labels_B.index_select(0, firsts), rows_B.index_select(0, firsts), settings);
  };
  if (set == EpisodeSet::kTest) return pool_of(task.test.labels_B, task.test.rows_B);
  const Samples& own = task.validation_classes;
  if (own.labels_B.defined()) return pool_of(own.labels_B, own.rows_B);
  return pool_of(at::cat({task.train.labels_B, task.validation.labels_B}),
                 at::cat({task.train.rows_B, task.validation.rows_B}));
}

at::Tensor episode_accuracies(const at::Tensor& features_BD, const std::vector<Episode>& episodes,
                              const FewShotSettings& settings, double l2, int64_t max_passes) {
  const at::NoGradGuard no_grad;
  const int64_t n_support = settings.ways * settings.shots, n_queries = settings.ways * settings.queries;
  const int64_t bytes = (n_support + n_queries) * features_BD.size(1) * features_BD.element_size();
  const auto at_once = static_cast<size_t>(std::max<int64_t>(1, kBytesAtOnce / bytes));
  // Not by the mean of all rows: of some, nothing may have been read.
  const at::Tensor near_origin_BD =
      features_BD - features_BD.index_select(0, at::tensor(episodes.front().support, at::kLong)).mean(0);
  std::vector<at::Tensor> accuracies;
  for (size_t first = 0; first < episodes.size(); first += at_once) {
    const size_t count = std::min(at_once, episodes.size() - first);
    if (settings.readout == EpisodeReadout::kRidge) {
      accuracies.push_back(ridge_accuracies(gathered(near_origin_BD, episodes, first, count), settings, l2));
      continue;
    }
    const at::Tensor samples_EAD = gathered(features_BD, episodes, first, count).to(at::kDouble);
    std::vector<double> each;
    for (int64_t episode = 0; episode < samples_EAD.size(0); ++episode) {
      each.push_back(logistic_accuracy(samples_EAD[episode].narrow(0, 0, n_support),
                                       samples_EAD[episode].narrow(0, n_support, n_queries), settings, l2, max_passes));
    }
    accuracies.push_back(at::tensor(each, at::kDouble));
  }
  return at::cat(accuracies);
}

MeanAccuracy mean_accuracy(const at::Tensor& accuracy_E) {
  const double mean = accuracy_E.mean().item<double>();
  const double half_width = 1.96 * accuracy_E.std().item<double>() / std::sqrt(static_cast<double>(accuracy_E.numel()));
  return {mean, {mean - half_width, mean + half_width}};
}

size_t best_penalty(const std::vector<double>& penalties, const std::vector<at::Tensor>& accuracy_E) {
  const auto score = [&](size_t penalty) {
    return std::pair(accuracy_E[penalty].mean().item<double>(), penalties[penalty]);
  };
  size_t best = 0;
  for (size_t penalty = 1; penalty < penalties.size(); ++penalty) {
    if (score(penalty) > score(best)) best = penalty;
  }
  return best;
}

EpisodePenalty choose_episode_penalty(const at::Tensor& pool_features_BD, const TaskData& task,
                                      const FewShotSettings& settings, const ReadoutSettings& readout, uint64_t seed,
                                      int64_t repeat) {
  const at::Tensor features_BD = means_of_sounds(pool_features_BD, task.pool_sounds_B);
  const std::vector<Episode> validation =
      first_episodes(task, EpisodeSet::kValidation, settings.validation_episodes, settings, seed, repeat);
  std::vector<at::Tensor> accuracies;
  for (double l2 : readout.l2) {
    accuracies.push_back(episode_accuracies(features_BD, validation, settings, l2, readout.max_passes));
  }
  const size_t best = best_penalty(readout.l2, accuracies);
  return {readout.l2[best], accuracies[best].mean().item<double>(), accuracies[best]};
}

MeanAccuracy judge_episodes(double l2, const at::Tensor& pool_features_BD, const TaskData& task,
                            const FewShotSettings& settings, const ReadoutSettings& readout, uint64_t seed,
                            int64_t repeat) {
  const std::vector<Episode> test = first_episodes(task, EpisodeSet::kTest, settings.episodes, settings, seed, repeat);
  const at::Tensor features_BD = means_of_sounds(pool_features_BD, task.pool_sounds_B);
  return mean_accuracy(episode_accuracies(features_BD, test, settings, l2, readout.max_passes));
}

LearnedEpisodesOutcome judge_learned_episodes(const TaskData& task, const FewShotSettings& settings,
                                              const ReadoutSettings& readout, uint64_t seed, int64_t repeat,
                                              const LearnEpisode& learn) {
  LearnedEpisodesOutcome outcome;
  // [penalty][episode]; at an episode's own i its samples are the features' rows in order.
  const auto accuracies = [&](EpisodeSet set) {
    std::vector<std::vector<at::Tensor>> of_penalty(readout.l2.size());
    outcome.invariance.clear();
    for (const Episode& episode : first_episodes(task, set, settings.learned_episodes, settings, seed, repeat)) {
      const LearnedEpisode learned = learn(episode);
      require(learned.features_BD.size(0) == std::ssize(episode.support) + std::ssize(episode.queries),
              "judge_learned_episodes: features of {} samples, expected {}", learned.features_BD.size(0),
              episode.support.size() + episode.queries.size());
      Episode own{std::vector<int64_t>(episode.support.size()), std::vector<int64_t>(episode.queries.size()),
                  episode.seed};
      std::iota(own.support.begin(), own.support.end(), 0);
      std::iota(own.queries.begin(), own.queries.end(), static_cast<int64_t>(own.support.size()));
      for (size_t penalty = 0; penalty < readout.l2.size(); ++penalty) {
        of_penalty[penalty].push_back(
            episode_accuracies(learned.features_BD, {own}, settings, readout.l2[penalty], readout.max_passes));
      }
      outcome.invariance.resize(learned.invariance.size());
      for (size_t axis = 0; axis < learned.invariance.size(); ++axis)
        outcome.invariance[axis] += learned.invariance[axis] / static_cast<double>(settings.learned_episodes);
    }
    std::vector<at::Tensor> joined;
    for (const std::vector<at::Tensor>& each : of_penalty) joined.push_back(at::cat(each));
    return joined;
  };
  const std::vector<at::Tensor> validation = accuracies(EpisodeSet::kValidation);
  const size_t best = best_penalty(readout.l2, validation);
  outcome.l2 = readout.l2[best];
  outcome.validation_value = validation[best].mean().item<double>();
  outcome.test = mean_accuracy(accuracies(EpisodeSet::kTest)[best]);
  return outcome;
}

PartsOfSamples parts_of_samples(const TaskData& task, const std::vector<int64_t>& rows) {
  PartsOfSamples parts;
  std::vector<int64_t> samples;
  const at::Tensor sounds = task.pool_sounds_B.defined() ? task.pool_sounds_B.contiguous() : at::Tensor();
  for (size_t sample = 0; sample < rows.size(); ++sample) {
    int64_t row = rows[sample];
    do {
      parts.rows.push_back(row);
      samples.push_back(static_cast<int64_t>(sample));
      ++row;
    } while (sounds.defined() && row < sounds.size(0) &&
             sounds.const_data_ptr<int64_t>()[row] == sounds.const_data_ptr<int64_t>()[row - 1]);
  }
  parts.sample_P = at::tensor(samples, at::kLong);
  return parts;
}

at::Tensor mean_over_parts(const at::Tensor& features_PD, const at::Tensor& sample_P, int64_t n) {
  const at::Tensor sum_SD =
      at::zeros({n, features_PD.size(1)}, features_PD.options()).index_add(0, sample_P, features_PD);
  const at::Tensor count_S = sample_P.bincount({}, n).clamp_min(1).to(features_PD.scalar_type());
  return sum_SD / count_S.unsqueeze(1);
}

Samples support_samples(const TaskData& task, const Episode& episode, const FewShotSettings& settings) {
  Samples samples;
  samples.rows_B = at::tensor(episode.support, at::kLong);
  samples.pictures = task.pool.subset(samples.rows_B);
  samples.labels_B = labels_in_turn(settings.ways, settings.shots);
  return samples;
}

}  // namespace invaria::downstream

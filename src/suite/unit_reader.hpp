#pragma once
/// @file
/// What a rank reads for its units, each thing once: rendered tasks, clean pictures, statistics, features, and what the
/// readout chosen on validation makes of them.

#include <ATen/core/Tensor.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "downstream/task.hpp"
#include "model/encoder.hpp"
#include "suite/encoder_store.hpp"
#include "suite/load.hpp"
#include "suite/outcome.hpp"
#include "suite/plan.hpp"
#include "suite/suite.hpp"

namespace invaria::suite {

/// Features of a task's pool at an i, and the statistics that they were read under.
struct Read {
  at::Tensor features_BD;  ///< [pool, D]; NaN where nothing was read yet
  config::Invariance invariance;
  const model::BatchNormStatistics* statistics;  ///< null: running ones
  std::string key;                               ///< of these features and this repeat, within a unit
};

/// Running statistics without others.
model::BatchNormPass pass_with(const model::BatchNormStatistics* statistics);

/// Tasks, clean pictures and statistics are kept from unit to unit, features within one. Not for several threads.
class UnitReader {
 public:
  /// References must outlive the reader.
  UnitReader(const Suite& suite, const Plan& plan, const Datasets& datasets);

  /// Start a unit: forget the last one's features and passes.
  void begin(const Unit& unit);

  /// Images that went through the encoder for the unit, or would have, were nothing left by an earlier unit: rows do
  /// not depend on what ran where.
  int64_t encoder_passes() const { return encoder_passes_; }
  void add_passes(int64_t images) { encoder_passes_ += images; }

  /// The unit's task in a repeat. Encoders with equal views share rendered tasks; only the last is kept.
  const downstream::TaskData& task(int64_t repeat);

  Judged judged(int64_t repeat);

  /// What the conditioning makes of an i, once a unit and only where something reads it.
  const model::Generated& generated_at(const LoadedEncoder& encoder, const config::Invariance& invariance);

  /// Features of the task's pool, [pool, D], with those of `samples` read, whose stretches go through the encoder whole
  /// and once for all repeats that share the pool.
  at::Tensor pool_features(const LoadedEncoder& encoder, const config::Invariance& invariance,
                           const model::BatchNormPass& pass, int64_t repeat,
                           const std::vector<const downstream::Samples*>& samples);

  /// What validation looks at, under the statistics that the suite asks for, or the better ones on validation.
  Read read_at(int64_t repeat, LoadedEncoder& encoder, const config::Invariance& invariance);

  /// The features of `read` with the test set's.
  at::Tensor with_test(int64_t repeat, const LoadedEncoder& encoder, const Read& read);

  /// Images that judging one i on validation takes through the encoder: the stretches with those that the readout is
  /// fitted and judged on (of a few-shot task, those of the validation episodes), and clean ones for statistics.
  int64_t images_to_validate(int64_t repeat);

  /// What the readout chosen on validation makes of features, or validation episodes of a few-shot task; once a unit.
  const Validated& validated_of(int64_t repeat, const Read& read);

  /// Statistics at an i that serves once and is not kept.
  model::BatchNormStatistics reestimated_once(const model::Encoder& encoder, const model::Generated& generated);

  bool is_few_shot() const;

 private:
  const train::EncoderPlan& encoder_plan() const { return plan_.encoders[unit_->encoder]; }
  const at::Tensor& clean_pictures();
  int64_t n_clean_pictures() const;
  const model::BatchNormStatistics* statistics_for(LoadedEncoder& encoder, const config::Invariance& invariance);

  const Suite& suite_;
  const Plan& plan_;
  const Datasets& datasets_;
  std::string clean_key_;
  at::Tensor clean_images_;
  std::string task_key_;
  downstream::TaskData task_data_;
  // Of the present unit:
  const Unit* unit_ = nullptr;
  struct PoolFeatures {
    at::Tensor features_BD;
    std::set<int64_t> read;  ///< where stretches begin
  };
  std::map<std::string, PoolFeatures> features_;
  std::map<config::Invariance, model::Generated> generated_;
  std::set<config::Invariance> estimated_;
  std::map<std::string, Validated> validated_;
  int64_t encoder_passes_ = 0;
};

}  // namespace invaria::suite

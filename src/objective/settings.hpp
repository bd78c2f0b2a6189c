#pragma once
/// @file
/// Which contrastive objective an encoder is pretrained with, and its settings.

#include <array>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

#include "config/setting.hpp"

namespace invaria::objective {

/// Every objective: its constant, its name in settings, what it is. Behind each stands the train::ObjectiveKind of that
/// constant, in a file of its own in train/.
#define INVARIA_OBJECTIVES(X)                                                     \
  X(kSimclr, "simclr", "NT-Xent")                                                 \
  X(kMocoV2, "moco-v2", "a momentum encoder and a queue of keys for each corner") \
  X(kMocoV3, "moco-v3", "a momentum encoder, symmetric, with predictors")

#define INVARIA_OBJECTIVE(kind, name, what) kind,
enum class Kind { INVARIA_OBJECTIVES(INVARIA_OBJECTIVE) };
#undef INVARIA_OBJECTIVE
enum class MomentumSchedule { kConstant, kCosine };
/// Over which rows a BatchNorm layer takes its statistics.
enum class BatchNormScope { kSync, kGroups };

}  // namespace invaria::objective

template <>
struct invaria::config::EnumNames<invaria::objective::Kind> {
  using E = objective::Kind;
#define INVARIA_OBJECTIVE(kind, name, what) std::pair<E, const char*>{E::kind, name},
  static constexpr auto kNames = std::to_array({INVARIA_OBJECTIVES(INVARIA_OBJECTIVE)});
#undef INVARIA_OBJECTIVE
};

template <>
struct invaria::config::EnumNames<invaria::objective::MomentumSchedule> {
  using E = objective::MomentumSchedule;
  static constexpr std::array<std::pair<E, const char*>, 2> kNames{
      {{E::kConstant, "constant"}, {E::kCosine, "cosine"}}};
};

template <>
struct invaria::config::EnumNames<invaria::objective::BatchNormScope> {
  using E = objective::BatchNormScope;
  static constexpr std::array<std::pair<E, const char*>, 2> kNames{{{E::kSync, "sync"}, {E::kGroups, "groups"}}};
};

namespace invaria::objective {

/// Defaults: setting A of the quickstart.
struct ObjectiveSettings {
  Kind kind = Kind::kSimclr;
  double temperature = 0.2;
  double momentum = 0.99;
  MomentumSchedule momentum_schedule = MomentumSchedule::kConstant;
  int64_t queue = 4096;
  bool mask_own_keys = true;
  BatchNormScope batch_norm = BatchNormScope::kSync;
  int64_t batch_norm_group = 32;

  static auto settings() {
    using S = ObjectiveSettings;
    using config::between;
    using config::setting;
    return std::tuple{
#define INVARIA_OBJECTIVE(kind, name, what) "; " name ": " what
        setting("kind", &S::kind, "what is minimised" INVARIA_OBJECTIVES(INVARIA_OBJECTIVE)),
#undef INVARIA_OBJECTIVE
        setting("temperature", &S::temperature, "cosines are divided by it", between(1e-3, 100.0)),
        setting("momentum", &S::momentum, "of the momentum encoder's moving average, at the start", between(0, 1)),
        setting("momentum_schedule", &S::momentum_schedule, "constant, or half a cosine up to 1 at the last step"),
        setting("queue", &S::queue, "keys remembered for each pretraining corner, at least a batch",
                between(1, 1 << 24)),
        setting("mask_own_keys", &S::mask_own_keys, "whether a picture's own older keys are no negatives of it"),
        setting("batch_norm", &S::batch_norm,
                "statistics of the whole batch, or of groups of pictures that are shuffled between query and key"),
        setting("batch_norm_group", &S::batch_norm_group, "pictures in such a group", between(2, 1 << 20))};
  }
};

/// The momentum m of the average that is moved before step `step` computes: constant, or 1 - (1 - momentum)
/// (1 + cos(pi step / steps)) / 2 (arXiv:2006.07733, Sec. 3.2, as MoCo v3 uses it), which is 1 at `steps`.
/// @throws PreconditionError unless 0 <= step <= steps
double momentum_at(const ObjectiveSettings& settings, int64_t step, int64_t steps);

}  // namespace invaria::objective

#pragma once
/// @file
/// Everything that decides what an encoder's weights become. Defaults: setting A, the quickstart's.

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "augment/axes.hpp"
#include "augment/views.hpp"
#include "config/invariance.hpp"
#include "config/setting.hpp"
#include "core/philox.hpp"
#include "model/encoder.hpp"
#include "model/precision.hpp"
#include "model/projection_heads.hpp"
#include "objective/settings.hpp"
#include "train/optimizer.hpp"
#include "train/schedule.hpp"

namespace invaria::train {

/// How many corners the pictures of one step have.
enum class CornersPerStep { kOne, kMixed };

}  // namespace invaria::train

template <>
struct invaria::config::EnumNames<invaria::train::CornersPerStep> {
  using E = train::CornersPerStep;
  static constexpr std::array<std::pair<E, const char*>, 2> kNames{{{E::kOne, "one"}, {E::kMixed, "mixed"}}};
};

namespace invaria::train {

/// How well the features serve a labelled task while the encoder trains (monitor.hpp).
struct MonitorSettings {
  int64_t every = 0;  ///< steps; 0: not at all
  std::string data;   ///< a data set of the suite
  std::string split = "validation";
  int64_t images = 1000;

  static auto settings() {
    using S = MonitorSettings;
    using config::between;
    using config::setting;
    return std::tuple{
        setting("every", &S::every, "steps between two looks, and one at the end; 0: none", between(0, 1e9)),
        setting("data", &S::data, "data set with classes to judge features on, by its name in data"),
        setting("split", &S::split, "its split, one that no encoder is pretrained on"),
        setting("images", &S::images,
                "pictures of it at most; half of each class is judged by the other half, and of more classes than have "
                "two then the first ones",
                between(2, 1e6))};
  }
};

/// How one encoder is pretrained.
struct PretrainSettings {
  std::string data;  ///< a data set of the suite
  std::string split = "train";
  int64_t steps = 250;         ///< 0: an untrained encoder
  int64_t global_batch = 256;  ///< pictures a step over all ranks; each gives two views
  int64_t view_size = 32;      ///< side of a view in pixels, downstream too
  std::string init_from;       ///< weights of a plain network to start from; empty: fresh ones
  std::string init_from_hash;  ///< SHA-256 of that file
  CornersPerStep corners_per_step = CornersPerStep::kOne;
  model::Precision precision = model::Precision::kFloat32;
  model::EncoderSettings model;
  model::ProjectionSettings projection;
  model::PredictorSettings predictor;  ///< moco-v3 only
  objective::ObjectiveSettings objective;
  augment::AugmentSettings augment;
  augment::SoundViewSettings sound;
  OptimizerSettings optimizer;
  ScheduleSettings schedule;
  MonitorSettings monitor;  ///< changes no weight

  static auto settings() {
    using S = PretrainSettings;
    using config::at_least;
    using config::setting;
    return std::tuple{
        setting("data", &S::data, "data set to pretrain on, by its name in data", config::required()),
        setting("split", &S::split, "its split; labels are not read"),
        setting("steps", &S::steps, "optimiser steps; 0 leaves the encoder untrained", config::between(0, 1e9)),
        setting("global_batch", &S::global_batch, "pictures a step over all ranks; each gives two views",
                config::between(2, 1e6)),
        setting("view_size", &S::view_size, "side of a view of a picture in pixels, downstream too",
                config::between(8, 1024)),
        setting(
            "init_from", &S::init_from,
            "safetensors file with a plain network's weights to start from, as torchvision, timm, MoCo-v2 or MoCo-v3 "
            "name them, or as export writes them; empty: fresh weights"),
        setting("init_from_hash", &S::init_from_hash,
                "SHA-256 of that file, which is refused if it has another; empty: filled in when the suite is read"),
        setting("corners_per_step", &S::corners_per_step,
                "one: drawn for each step; mixed: each corner has a part of every batch (simclr with film)"),
        setting("precision", &S::precision,
                "bfloat16: the backbone's convolutions and linear layers are computed in it, weights, statistics, "
                "heads and loss in float32"),
        setting("model", &S::model, "the backbone and how i enters it"),
        setting("projection", &S::projection, "the projectors between features and loss"),
        setting("predictor", &S::predictor, "moco-v3's predictors between projectors and loss"),
        setting("objective", &S::objective, "the contrastive loss, and what goes with it"),
        setting("augment", &S::augment, "strength of each operation on pictures"),
        setting("sound", &S::sound, "of sounds: how they become views, and the strength of each operation on them"),
        setting("optimizer", &S::optimizer, "update rule and weight decay"),
        setting("schedule", &S::schedule, "learning rate over the steps"),
        setting("monitor", &S::monitor, "nearest neighbours and a linear readout on a held-out task, now and then"),
    };
  }
  void validate(const std::string& path, config::Problems& problems) const;

  augment::ViewSettings views() const { return {augment, view_size, sound}; }
};

/// Consecutive pictures of the global batch that have a corner in common.
struct CornerBlock {
  size_t corner = 0;  ///< index into EncoderPlan::corners
  int64_t first = 0;
  int64_t count = 0;
};

/// Which block a position of the global batch is in; blocks cover it in order.
inline size_t block_of(const std::vector<CornerBlock>& blocks, int64_t position) {
  const auto after = std::upper_bound(blocks.begin(), blocks.end(), position,
                                      [](int64_t place, const CornerBlock& block) { return place < block.first; });
  return static_cast<size_t>(after - blocks.begin()) - 1;
}

/// One encoder to pretrain: its settings, the invariances that it meets, its seed.
struct EncoderPlan {
  std::string name;
  int64_t seed = 0;
  PretrainSettings settings;
  std::vector<augment::Axis> axes;
  std::vector<config::Invariance> corners;  ///< one is drawn a step; a baseline has a single one
  std::vector<double> corner_weights;       ///< [corners] how often, relative to each other; empty: uniformly
  config::StoredShape stored;               ///< of what it is pretrained on
  config::json::value identity;             ///< all of the above as JSON, resolved: equal identities give equal weights

  bool is_conditioned() const { return settings.model.is_conditioned(); }
  int64_t n_axes() const { return static_cast<int64_t>(axes.size()); }
  /// What it sees of that.
  config::ViewShape view_shape() const { return augment::view_shape(settings.views(), stored); }
  /// Index into `corners` of a step's invariance: drawn from the encoder's seed, so the same on every rank.
  size_t corner_index(int64_t step) const {
    Draws draws(
        {.seed = static_cast<uint64_t>(seed), .purpose = Purpose::kCorner, .sample = static_cast<uint64_t>(step)});
    if (corner_weights.empty()) return static_cast<size_t>(draws.below(static_cast<int64_t>(corners.size())));
    double left = draws.uniform() * std::accumulate(corner_weights.begin(), corner_weights.end(), 0.0);
    size_t corner = 0;
    while (corner + 1 < corners.size() && (left -= corner_weights[corner]) >= 0.0) ++corner;
    return corner;
  }
  /// The blocks of a step's global batch, in order and without gaps: one, or one for each corner, of sizes that differ
  /// by at most one picture. Which pictures are in which is drawn with the order of the epoch.
  std::vector<CornerBlock> blocks(int64_t step) const {
    const int64_t n = settings.global_batch;
    if (settings.corners_per_step == CornersPerStep::kOne) return {{corner_index(step), 0, n}};
    std::vector<CornerBlock> blocks;
    const auto n_blocks = static_cast<int64_t>(corners.size());
    for (int64_t block = 0; block < n_blocks; ++block) {
      const int64_t first = block * n / n_blocks;
      blocks.push_back({static_cast<size_t>(block), first, (block + 1) * n / n_blocks - first});
    }
    return blocks;
  }
  /// What the log calls a step's corner: its bits, or "mixed".
  std::string corner_name(int64_t step) const {
    return settings.corners_per_step == CornersPerStep::kMixed ? "mixed" : config::bits(corners[corner_index(step)]);
  }
  /// `<name>-seed<seed>`: its checkpoint folder and its key.
  std::string key() const { return name + "-seed" + std::to_string(seed); }
};

}  // namespace invaria::train

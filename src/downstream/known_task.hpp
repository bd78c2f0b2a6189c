#pragma once
/// @file
/// Known-invariance tasks: made so that the invariance they want is known, and a learned i can be told right or wrong.

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "augment/axes.hpp"
#include "data/dataset.hpp"
#include "downstream/samples.hpp"
#include "downstream/task_settings.hpp"

namespace invaria::downstream {

/// One combination of fixed settings, one for each axis marked 0, in axis order.
using Combination = std::vector<augment::FixedSetting>;

/// All combinations of the settings that the axes marked 0 ask for.
std::vector<Combination> combinations(const std::string& marks, const std::vector<augment::Axis>& axes);

/// Settings that an axis marked 0 asks for: all of an only one, the first two where several axes are marked 0.
std::vector<augment::FixedSetting> asked_settings(const std::string& marks, const augment::Axis& axis);

/// The first two of these that show a made picture, full of colours and edges, alike to a grey level, or a made sound
/// to .01 of what an encoder sees; nothing if all differ.
/// @param stored  the shape of sounds; any size will do for pictures
/// @param views   of what fixed settings leave open: the kernel of blurs, the bands of sounds
std::optional<std::pair<size_t, size_t>> alike(const config::StoredShape& stored,
                                               const std::vector<augment::FixedSetting>& fixed,
                                               const augment::ViewSettings& views);

/// Pictures in a known task: classes / combinations, rounded down.
int64_t n_pictures(const KnownSettings& known, const std::vector<augment::Axis>& axes);

/// The pictures of one repeat, as indices into known.split: the first that fit, in an order drawn by address.
/// @throws ConfigError if too few fit, whatever the repeat
std::vector<int64_t> draw_pictures(const KnownSettings& known, const std::vector<augment::Axis>& axes,
                                   const data::Dataset& dataset, uint64_t seed, int64_t repeat);

/// Mean over pixels of HSV saturation, (max - min) / max, of an RGB picture.
double mean_saturation(const uint8_t* pixels, int64_t n_pixels);

/// Draw the pictures of one repeat and render its samples.
///
/// @param pretraining  the encoder's settings: views are framed and normalised by them
/// @throws ConfigError if the split has too few pictures that fit
TaskData make_known_task(const KnownSettings& known, const std::vector<augment::Axis>& axes,
                         const data::Dataset& dataset, const augment::ViewSettings& pretraining, uint64_t seed,
                         int64_t repeat);

}  // namespace invaria::downstream

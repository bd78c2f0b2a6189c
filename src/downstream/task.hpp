#pragma once
/// @file
/// From a task's settings and a data set to the samples of one repeat.

#include <cstdint>
#include <string>
#include <vector>

#include "augment/axes.hpp"
#include "data/dataset.hpp"
#include "downstream/samples.hpp"
#include "downstream/task_settings.hpp"

namespace invaria::downstream {

/// The samples at `indices` as clean views, made when they are asked for.
Pictures clean_views(const data::DataSplit& split, const std::vector<int64_t>& indices,
                     const augment::ViewSettings& views);

/// All of them, [n, C, H, W].
at::Tensor render_clean(const data::DataSplit& split, const std::vector<int64_t>& indices,
                        const augment::ViewSettings& views);

/// What is wrong with the values of the targets that a task takes from a data set: they are finite, attributes are 0 or
/// 1, boxes have an area, keypoints a norm above 0. A task whose target_columns() are wrong is passed over.
void check_targets(const TaskSettings& task, const data::Dataset& dataset, const std::string& path,
                   config::Problems& problems);

/// `n` of the split's pictures, or all if there are fewer, in an order drawn from the seed: pictures to measure or to
/// re-estimate statistics on.
std::vector<int64_t> sample_pictures(const data::DataSplit& split, int64_t n, uint64_t seed);

/// The samples of one repeat: split, classes and pictures drawn from (seed, repeat), never from the encoder.
///
/// Real training samples can also be drawn as random views: all axes' operations, as strong as in
/// pretraining but for milder crops, as in the known tasks.
/// Of a few-shot task, train holds the base classes, n_classes of them, and test the novel ones, labelled from 0.
/// @param pretraining  the encoder's settings: views are framed and normalised by them
/// @throws ConfigError if the data set has not what the task asks for (splits, classes, targets, pictures)
TaskData make_task(const TaskSettings& task, const std::vector<augment::Axis>& axes, const data::Dataset& dataset,
                   const augment::ViewSettings& pretraining, uint64_t seed, int64_t repeat);

}  // namespace invaria::downstream

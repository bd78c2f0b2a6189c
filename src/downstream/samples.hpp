#pragma once
/// @file
/// A downstream task as the arms see it: pictures and what is to be predicted from them.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "downstream/pictures.hpp"

namespace invaria::downstream {

/// Draws one random view of each of some samples, by their index: float, [n, C, H, W].
using DrawViews =
    std::function<at::Tensor(const std::vector<int64_t>& samples, uint64_t seed, uint64_t epoch, uint32_t view)>;

/// What targets are, where a task has no classes.
enum class TargetKind {
  kNumbers,     ///< measured: predicted by ridge regression
  kAttributes,  ///< 0 or 1, any number of them at once: each predicted by a logistic regression of its own
};

/// One part of a task. Exactly one of `labels` and `targets` is defined.
struct Samples {
  Pictures pictures;
  at::Tensor labels_B;    ///< int64 [n], classes from 0
  at::Tensor targets_BT;  ///< double [n, T]
  at::Tensor norm_B;      ///< double [n], what nme divides by; of keypoints only
  at::Tensor sounds_B;    ///< int64 [n], of which sound each is a part, a number of the pool's; undefined without parts
  at::Tensor rows_B;      ///< int64 [n], where each picture is in the task's pool
  DrawViews draw_views;   ///< random views of real training pictures, see make_task(); else empty

  int64_t size() const { return pictures.size(); }
};

/// Training, validation (there may be none) and test samples of one repeat of a task, cut from one pool of pictures.
/// Repeats of a task on real pictures cut the same pool differently: features of the pool at a fixed i serve them all.
/// Its stretches are what it was joined from, alike for all repeats; the test set has one of its own.
struct TaskData {
  Pictures pool;                                  ///< all pictures of the three parts, each once
  at::Tensor pool_sounds_B;                       ///< int64 [pool], as Samples::sounds_B has it
  std::vector<int64_t> stretch_ends;              ///< ascending, the last the pool's size: rows that are read together
  std::string pool_hash;                          ///< equal for equal pools
  int64_t n_classes = 0;                          ///< 0 without classes
  TargetKind target_kind = TargetKind::kNumbers;  ///< without classes
  Samples train, validation, test;
  std::string split_hash;             ///< SHA-256 over what every sample is
  std::vector<std::string> pictures;  ///< names of the pictures that were drawn (known tasks)

  /// Of a few-shot task, whose `test` has classes of its own, from 0: samples of validation classes, also from 0, where
  /// there are any. Else validation episodes are of the base classes. `validation` is cut from these in any case.
  Samples validation_classes;

  bool has_targets() const { return n_classes == 0; }
};

/// Rows first, first + 1, ... of a pool.
struct Stretch {
  int64_t first = 0;
  int64_t count = 0;
};
/// The stretches of the task's pool in which some row of `parts` lies.
std::vector<Stretch> stretches_of(const TaskData& task, const std::vector<const Samples*>& parts);

}  // namespace invaria::downstream

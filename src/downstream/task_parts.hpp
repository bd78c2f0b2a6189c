#pragma once
/// @file
/// Which classes of a data set each part of a task has, and from which of its splits.

#include <cstdint>
#include <string>
#include <vector>

#include "config/problems.hpp"
#include "data/load.hpp"
#include "downstream/task_settings.hpp"

namespace invaria::downstream {

/// The samples of one part: those of `classes` in `splits`.
struct TaskPart {
  std::vector<std::string> splits;
  std::vector<int64_t> classes;  ///< in the order of their new labels; empty for tasks without classes: all samples
};

struct TaskParts {
  TaskPart train;
  TaskPart validation;  ///< without splits: cut from train
  TaskPart test;
};

/// The parts of a task on real pictures.
///
/// A few-shot task has base classes in train and others, novel ones, in test:
/// - where `few_shot.novel_classes` says how many, spread evenly over the sorted list, taken from split `test` alone;
/// - else as the data set's manifest splits its classes, of the pictures in the task's splits `train` and `test`
///   together; its validation classes, if any, are the part validation;
/// - else those that occur in the splits that the task names.
/// @throws ConfigError if too few classes are left: fewer than 2, or for few-shot tasks none but novel ones
TaskParts parts_of(const TaskSettings& task, const data::DatasetSummary& data);

/// The classes that class_every and class_limit leave, ascending.
std::vector<int64_t> chosen_classes(const TaskSettings& task, int64_t n_classes);

/// How many pictures a part has.
int64_t n_pictures(const TaskPart& part, const data::DatasetSummary& data);

/// What is wrong with the classes of a few-shot task: classes that learning and judging share, too few of them, or too
/// few with enough samples for an episode.
void check_few_shot(const TaskSettings& task, const data::DatasetSummary& data, const std::string& path,
                    config::Problems& problems);

/// Whether a few-shot task takes its classes as the manifest splits them.
bool takes_class_splits(const TaskSettings& task, const data::DatasetSummary& data);

}  // namespace invaria::downstream

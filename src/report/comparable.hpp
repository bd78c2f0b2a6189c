#pragma once
/// @file
/// Whether numbers of several results files may stand in one table.

#include <string>
#include <vector>

#include "io/results.hpp"

namespace invaria::report {

/// Results and how messages name them: their file.
struct NamedResults {
  std::string file;
  io::Results results;
};

/// What keeps values of two runs on the same task from being laid beside each other: other pictures (the split hashes
/// of a task and repeat), another protocol. One line a difference, naming the files; empty if there is none.
std::vector<std::string> differences_in_judging(const NamedResults& a, const NamedResults& b);

/// What the settings of tasks of one name differ in that splits do not tell: shots, points that an error is divided by,
/// strengths of known tasks. Likewise.
std::vector<std::string> differences_in_tasks(const NamedResults& a, const NamedResults& b);

/// The results of one suite as one, in the order in which the suites come up: encoders, tasks and repeats that were run
/// apart, in one table. Derived arms, summary and validity are made anew (merge.hpp); where one of the files is INVALID
/// so is the whole. Of the suite in the results the first file's stands,
/// with the tasks that only others have.
///
/// @throws ConfigError naming files and differences if files of one suite differ in axes, splits, protocols, tasks,
/// data sets,
///         in an encoder of the same name and seed, or in the value of the same job: two runs of the same jobs are
///         compared (compare.hpp), not merged
std::vector<io::Results> merged_by_suite(std::vector<NamedResults> files);

}  // namespace invaria::report

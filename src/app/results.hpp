#pragma once
/// @file
/// From what a run left on disk to results.h5, and what the suite in it leads one to expect.

#include <filesystem>
#include <vector>

#include "io/results.hpp"
#include "report/validity.hpp"
#include "suite/plan.hpp"
#include "suite/suite.hpp"

namespace invaria::app {

/// What a complete run of the suite holds.
report::MergeExpectation expectation_of(const suite::Suite& suite, const suite::Plan& plan);

/// What the stages took by the clock: of each the longest of its ranks, which work at the same time. Of shares that a
/// queue let run one after the other, at least that.
double wall_seconds(const std::vector<io::StageTime>& times);

/// Segments and checkpoints of `output`, merged. An encoder without a checkpoint there is left out unless a segment
/// says that it failed.
/// @throws EnvironmentError or ConfigError naming a damaged file
io::Results merge_output(const suite::Suite& suite, const suite::Plan& plan, const std::filesystem::path& output,
                         io::RunInfo info);

/// Write merge_output() of `output` as its results.h5. Call on one rank when all have flushed.
/// @return what was written
io::Results write_merged_results(const suite::Suite& suite, const suite::Plan& plan,
                                 const std::filesystem::path& output, io::RunInfo info);

/// `results.h5` itself, or the one in a run's directory. @throws ConfigError if there is none
std::filesystem::path results_file(const std::filesystem::path& given);

}  // namespace invaria::app

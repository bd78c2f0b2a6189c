#pragma once
/// @file
/// What the jobs amount to: /summary and the ranks and regrets of the arms.

#include <map>
#include <vector>

#include "io/records.hpp"
#include "io/table.hpp"

namespace invaria::report {

/// Whether a row has a test value: it finished, with a finite number.
bool has_value(const io::JobRecord& job);

/// Values of one arm on one task by encoder seed, one a repeat.
using BySeed = std::map<int64_t, std::vector<double>>;

/// Values that may be taken as independent. Repeats share their encoder, so of several seeds each counts once, by the
/// mean of its repeats; of one seed the repeats count.
std::vector<double> independent_values(const BySeed& by_seed);

/// One row per (encoder, arm, task, metric), sorted so. Columns: `encoder`, `arm`, `task`, `metric`; `mean`,
/// `standard_deviation` (of the sample) and `ci95` (half the width of the 95 % Student-t interval of the mean) of `n`
/// test values, as fractions. With several encoder seeds these are one a seed, the mean of its repeats, which share an
/// encoder; with one seed they are its repeats. NaN where n is too small. Rows not finished and values not finite do
/// not count.
io::Table summary_table(const std::vector<io::JobRecord>& jobs);

/// One row per (encoder, arm), sorted so, over cells = (task, encoder seed, repeat) and each task's main metric
/// (arms.hpp). Columns:
/// - `encoder`, `arm`;
/// - `average_rank`: mean over all cells of the rank among the contestants that have a value in every cell (1 is best,
/// ties
///   share the mean rank); NaN for the other arms, the oracle and single grid points; `rank_n` the number of cells;
/// - `regret`: mean of oracle - arm in test points (percent), over the `regret_n` cells that have both. The oracle is
/// the encoder's
///   own; an encoder without one (a baseline) is paired with the amortised encoder's (with several of these, the best
///   of them in that cell). NaN where no cell has both.
io::Table arm_summary_table(const std::vector<io::JobRecord>& jobs);

}  // namespace invaria::report

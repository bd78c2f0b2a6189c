#pragma once
/// @file
/// Comparisons of `verify`: a results file with what follows from its own job rows, and with the files that it was
/// merged from.

#include <string>
#include <vector>

#include "io/results.hpp"
#include "report/validity.hpp"

namespace invaria::report {

/// Recompute derived arms, summary, arm summary and validity from the ordinary job rows, and compare them exactly (NaN
/// equals NaN) with what the file says.
///
/// @param expected  what the suite in the file asks for, as merge() had it
/// @return one line a difference, naming row, column, stored and recomputed value; empty if all agree. A run that is
/// INVALID and
///         says so has no differences.
std::vector<std::string> verify_results(const io::Results& stored, const MergeExpectation& expected);

/// Compare what a results file says with `merged`, a merge of the segments and checkpoints beside it: every column of
/// every job, trajectories, the sensitivity table, measured similarities, encoders with their pretraining logs (their
/// checkpoints' hashes apart), data sets. Stage times are left out: a run that had nothing more to do adds to them.
///
/// @return one line a difference; empty if all agree
std::vector<std::string> compare_with_disk(const io::Results& stored, const io::Results& merged);

}  // namespace invaria::report

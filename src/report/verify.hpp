#pragma once
/// @file
/// The part of `verify` that needs the results file alone: everything that follows from the job rows, recomputed and
/// compared.

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

}  // namespace invaria::report

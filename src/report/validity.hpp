#pragma once
/// @file
/// Whether a run may be believed.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "io/records.hpp"

namespace invaria::report {

/// What the suite asked for: what a complete run holds.
struct MergeExpectation {
  int64_t repeats = 1;
  std::map<std::string, int64_t> repeats_of_arm;  ///< arms with a number of their own, e.g. learned-joint
  std::vector<std::string> job_ids;   ///< every job of the suite, derived arms not counted; empty: not known
  std::vector<std::string> encoders;  ///< names of the suite's encoders; empty: not known
  std::vector<io::SensitivityRecord> sensitivity;  ///< rows that must be there; their values are not looked at
};

/// Why a run is invalid, in one line; empty if it is valid. A reason a kind, each with its first case and how many
/// there are:
/// - a job failed or is blocked, an encoder failed;
/// - an encoder's hash changed during a job, differs between two jobs of one (encoder, encoder seed), or was not
/// recorded;
/// - the split hashes of one (task, repeat) differ, among its rows or from its TaskRecord;
/// - a test value, a validation value or a recorded loss is not finite (under protocol "paper" there may be no
/// validation: NaN);
/// - an (encoder, encoder seed, task, arm) finished fewer repeats than expected;
/// - an expected job is not among the finished, or a row of the sensitivity table is missing or not finite.
///
/// @param content  merged: no duplicates; derived arms may be among its rows
std::string why_invalid(const io::Segment& content, const MergeExpectation& expected);

}  // namespace invaria::report

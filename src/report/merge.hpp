#pragma once
/// @file
/// From what all ranks left behind to the results of a run: each job once, derived arms, summary, validity.

#include <string>
#include <vector>

#include "io/results.hpp"
#include "report/validity.hpp"

namespace invaria::report {

/// Put a run's segments together. The result depends on what was recorded, not on which rank recorded it.
///
/// 1. Rows of jobs and records of encoders that the suite no longer has (`expected.job_ids`, `expected.encoders`) go,
/// and so do
///    derived rows: they are made anew.
/// 2. Of several attempts at one job id the last finished one counts, or the last one if none finished. A job may have
/// a row a
///    metric. Likewise encoders by (name, seed); sensitivity, data sets and tasks by their keys. Of the splits of a
///    (task, repeat) those stay that a row has, if any has one: others are of an earlier suite. Times of one (stage,
///    rank) are added up.
/// 3. Rows are sorted: jobs by (encoder, encoder seed, task, repeat, arm, metric), the other records by their keys.
/// 4. Derived arms (derived_arms.hpp), `summary` and `arm_summary` (summary.hpp), `valid` and `invalid_because`
/// (validity.hpp).
///
/// @param info        of the run; its `valid` and `invalid_because` are replaced
/// @param axes        names of the invariance axes, in order
/// @param everything  all segments appended, the older of two segments of a rank first
io::Results merge(io::RunInfo info, std::vector<std::string> axes, io::Segment everything,
                  const MergeExpectation& expected);

}  // namespace invaria::report

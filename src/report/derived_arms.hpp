#pragma once
/// @file
/// The arms that are made from the grid once all of it is there: grid-best and oracle.

#include <vector>

#include "io/records.hpp"

namespace invaria::report {

/// Per (encoder, encoder seed, task, repeat, metric) with finished grid points, two rows: `grid-best`, the point of the
/// best validation value, and `oracle`, the point of the best test value. Ties go to the first point in grid order
/// (last axis fastest).
///
/// A derived row is its winner's but for: `arm`; `job_id`, the SHA-256 of {"derived": arm, "from": [ids of all the
/// points, sorted]} as JSON; `seconds` and `encoder_passes`, the sums over the grid, which is what choosing costs.
/// Points whose score is NaN cannot win; where all are, there is no row.
///
/// @param jobs  rows of a run, in any order; rows that are no finished grid point are passed over
std::vector<io::JobRecord> derived_arms(const std::vector<io::JobRecord>& jobs);

}  // namespace invaria::report

#pragma once
/// @file
/// Two runs side by side, paired by job: what changed, how sure it is, and whether something got worse.

#include <string>
#include <vector>

#include "report/comparable.hpp"
#include "report/sections.hpp"

namespace invaria::report {

/// One arm on one task, in test points (percent); of an error the sign is turned, so that more is always better.
struct Change {
  std::string encoder;
  std::string arm;
  std::string task;
  std::string metric;
  double before = 0.0;      ///< mean of A over the pairs, as the metric counts (an error stays one), in percent
  double after = 0.0;       ///< the same of B
  int64_t n = 0;            ///< pairs: encoder seeds, each the mean of its repeats; of one seed, repeats
  double difference = 0.0;  ///< how much better B is than A, mean over pairs
  double half_width = 0.0;  ///< of its 95 % paired Student-t interval; NaN for one pair
  double p = 1.0;           ///< of the sign-flip test, two-sided; no less than 2 / 2^n. NaN for one pair
  double p_holm = 1.0;      ///< the same after Holm's correction over the tasks of this arm; NaN where p is
};

/// Jobs of one arm on one task that finished in A and that B has, but not finished: failed, or without a finite value.
struct Broken {
  std::string encoder;
  std::string arm;
  std::string task;
  int64_t n = 0;
  std::string error;  ///< of the first, if it failed
};

struct Comparison {
  std::vector<Change> changes;  ///< by task within arm, arms in a report's order
  std::vector<Broken> broken;   ///< in the same order
  int64_t n_jobs = 0;           ///< jobs that both runs have by (encoder, seed, arm, task, repeat)
  int64_t n_same_settings = 0;  ///< of these, jobs of equal id: of the same resolved settings
  int64_t n_only_in_a = 0;      ///< finished jobs of A that B has not, finished or not
};

/// Pair the finished jobs of two runs by (encoder, encoder seed, arm, task, repeat) in the main metric that both have.
/// Contestants only: no single grid points, no oracle.
/// @throws ConfigError if they have no job in common or differ in splits or protocol of what they share
/// (comparable.hpp)
Comparison compare(const NamedResults& a, const NamedResults& b);

/// The changes that lost more than `threshold` points.
std::vector<Change> regressions(const Comparison& comparison, double threshold);

/// The comparison as a part of a report.
Section comparison_section(const Comparison& comparison, const NamedResults& a, const NamedResults& b);

}  // namespace invaria::report

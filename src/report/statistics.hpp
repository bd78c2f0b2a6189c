#pragma once
/// @file
/// The statistics of a report: means with Student-t intervals, paired differences, average ranks.

#include <span>
#include <vector>

namespace invaria::report {

/// The arithmetic mean; NaN of nothing.
double mean(std::span<const double> values);

/// The sample standard deviation (n - 1 in the denominator); NaN for fewer than two values.
double standard_deviation(std::span<const double> values);

/// The quantile of Student's t distribution: P(T <= t) = `probability`.
/// @param probability         in (0, 1)
/// @param degrees_of_freedom  above 0
/// @throws PreconditionError outside these ranges
double student_t_quantile(double probability, double degrees_of_freedom);

/// Half the width of the 95 % interval of the mean: t(0.975, n - 1) s / sqrt(n). NaN for fewer than two values.
double ci95_half_width(std::span<const double> values);

/// mean +- half_width.
struct Interval {
  double mean = 0.0;
  double half_width = 0.0;
};

/// The 95 % interval of the mean of a[k] - b[k], the pairs taken as independent.
/// @throws PreconditionError if the lengths differ
Interval paired_difference(std::span<const double> a, std::span<const double> b);

/// 1 for the greatest value; equal values share the mean of the ranks that they take up (fractional ranking).
/// @throws PreconditionError if a value is NaN
std::vector<double> ranks_of_greatest(std::span<const double> values);

}  // namespace invaria::report

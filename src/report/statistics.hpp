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

/// The two-sided p-value of a paired permutation test: how often the mean of the differences would be as far from zero
/// if each difference were as likely to have the other sign (Fisher, The Design of Experiments, 1935, section 21; as
/// scipy.stats.permutation_test with permutation_type "samples" counts). Up to 16 differences all 2^n signs are
/// counted, so that no p is below 2 / 2^n; of more, 20,000 fixed draws, themselves counted as one (Phipson and Smyth,
/// doi:10.2202/1544-6115.1585).
/// @return NaN for fewer than two differences
double sign_flip_p_value(std::span<const double> differences);

/// p-values corrected for their number by Holm's step-down method (Scandinavian Journal of Statistics 6, 1979): the
/// chance that any true null hypothesis is rejected at level a is at most a. In the order given; at most 1.
std::vector<double> holm(std::span<const double> p_values);

/// 1 for the greatest value; equal values share the mean of the ranks that they take up (fractional ranking).
/// @throws PreconditionError if a value is NaN
std::vector<double> ranks_of_greatest(std::span<const double> values);

}  // namespace invaria::report

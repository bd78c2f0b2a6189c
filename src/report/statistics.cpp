#include "report/statistics.hpp"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/errors.hpp"

namespace invaria::report {

namespace {
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
}

double mean(std::span<const double> values) {
  if (values.empty()) return kNaN;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double standard_deviation(std::span<const double> values) {
  if (values.size() < 2) return kNaN;
  const double centre = mean(values);
  double squares = 0.0;
  for (const double value : values) squares += (value - centre) * (value - centre);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

double student_t_quantile(double probability, double degrees_of_freedom) {
  require(probability > 0.0 && probability < 1.0, "student_t_quantile: probability {}, expected in (0, 1)",
          probability);
  require(degrees_of_freedom > 0.0, "student_t_quantile: {} degrees of freedom, expected above 0", degrees_of_freedom);
  return boost::math::quantile(boost::math::students_t(degrees_of_freedom), probability);
}

double ci95_half_width(std::span<const double> values) {
  if (values.size() < 2) return kNaN;
  const auto n = static_cast<double>(values.size());
  return student_t_quantile(0.975, n - 1.0) * standard_deviation(values) / std::sqrt(n);
}

Interval paired_difference(std::span<const double> a, std::span<const double> b) {
  require(a.size() == b.size(), "paired_difference: {} values against {}", a.size(), b.size());
  std::vector<double> differences(a.size());
  std::transform(a.begin(), a.end(), b.begin(), differences.begin(), std::minus<>());
  return {mean(differences), ci95_half_width(differences)};
}

std::vector<double> ranks_of_greatest(std::span<const double> values) {
  std::vector<double> ranks(values.size());
  for (size_t k = 0; k < values.size(); ++k) {
    require(!std::isnan(values[k]), "ranks_of_greatest: value {} is NaN", k);
    const auto greater = std::count_if(values.begin(), values.end(), [&](double other) { return other > values[k]; });
    const auto equal = std::count(values.begin(), values.end(), values[k]);
    // The ranks greater + 1 .. greater + equal are shared; their mean is exact in binary.
    ranks[k] = static_cast<double>(greater) + 0.5 * static_cast<double>(equal + 1);
  }
  return ranks;
}

}  // namespace invaria::report

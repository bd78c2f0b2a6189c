#include "report/statistics.hpp"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <random>

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

double sign_flip_p_value(std::span<const double> differences) {
  const size_t n = differences.size();
  if (n < 2) return kNaN;
  using Signs = std::vector<uint64_t>;  // a bit a difference
  const auto size_of_sum = [&](const Signs& signs) {
    double sum = 0.0;
    for (size_t k = 0; k < n; ++k) sum += (signs[k / 64] >> k % 64 & 1U) != 0 ? -differences[k] : differences[k];
    return std::abs(sum);
  };
  double scale = 0.0;
  for (const double difference : differences) scale += std::abs(difference);
  // Sums that are equal but for rounding count as equal.
  Signs signs(n / 64 + 1, 0);
  const double observed = size_of_sum(signs) - 1e-12 * scale;

  constexpr size_t kExact = 16;
  if (n <= kExact) {
    const uint64_t all = uint64_t{1} << n;
    uint64_t n_as_far = 0;
    for (signs[0] = 0; signs[0] < all; ++signs[0]) n_as_far += size_of_sum(signs) >= observed ? 1 : 0;
    return static_cast<double>(n_as_far) / static_cast<double>(all);
  }
  constexpr int kDraws = 20'000;
  std::mt19937_64 engine(0);  // the same draws for the same input
  int n_as_far = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    std::generate(signs.begin(), signs.end(), std::ref(engine));
    n_as_far += size_of_sum(signs) >= observed ? 1 : 0;
  }
  return (1.0 + n_as_far) / (1.0 + kDraws);
}

std::vector<double> holm(std::span<const double> p_values) {
  const size_t n = p_values.size();
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> corrected(n);
  double greatest = 0.0;
  for (size_t k = 0; k < n; ++k) {
    greatest = std::max(greatest, std::min(1.0, static_cast<double>(n - k) * p_values[order[k]]));
    corrected[order[k]] = greatest;
  }
  return corrected;
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

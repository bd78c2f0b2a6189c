// Expected numbers come from SciPy 1.17; the expression stands beside each.
#include <cmath>
#include <limits>
#include <vector>

#include "core/errors.hpp"
#include "report/statistics.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::report;

namespace {
Approx near(double value) {
  return Approx(value).epsilon(1e-12);
}
}  // namespace

TEST_CASE("Student-t quantiles agree with SciPy from one degree of freedom on", "[report][statistics]") {
  CHECK(student_t_quantile(0.975, 1) == near(12.706204736174694));   // scipy.stats.t.ppf(.975, 1)
  CHECK(student_t_quantile(0.975, 2) == near(4.302652729749462));    // t.ppf(.975, 2)
  CHECK(student_t_quantile(0.975, 4) == near(2.7764451051977934));   // t.ppf(.975, 4)
  CHECK(student_t_quantile(0.975, 8) == near(2.306004135204166));    // t.ppf(.975, 8)
  CHECK(student_t_quantile(0.975, 99) == near(1.9842169515864174));  // t.ppf(.975, 99)
  CHECK(student_t_quantile(0.9, 3) == near(1.637744353696209));      // t.ppf(.9, 3)
  CHECK(student_t_quantile(0.025, 2) == near(-4.302652729749464));   // t.ppf(.025, 2)
  CHECK_THROWS_AS(student_t_quantile(1.0, 2), PreconditionError);
  CHECK_THROWS_AS(student_t_quantile(0.5, 0), PreconditionError);
}

TEST_CASE("mean, sample standard deviation and interval agree with NumPy and SciPy", "[report][statistics]") {
  const std::vector<double> x{0.8125, 0.775, 0.79, 0.84, 0.7};
  CHECK(mean(x) == near(0.7834999999999999));                 // numpy.mean(x)
  CHECK(standard_deviation(x) == near(0.05272570530585628));  // numpy.std(x, ddof=1)
  CHECK(ci95_half_width(x) == near(0.06546761005818294));     // scipy.stats.t.ppf(.975, 4) * scipy.stats.sem(x)
}

TEST_CASE("what too few values cannot tell is NaN", "[report][statistics]") {
  const std::vector<double> one{0.25};
  CHECK(mean(one) == 0.25);
  CHECK(std::isnan(mean({})));
  CHECK(std::isnan(standard_deviation(one)));
  CHECK(std::isnan(ci95_half_width(one)));
  CHECK(ci95_half_width(std::vector<double>{0.5, 0.5}) == 0.0);
}

TEST_CASE("a paired difference has the interval of SciPy's paired t-test", "[report][statistics]") {
  const std::vector<double> a{0.70, 0.72, 0.69};
  const std::vector<double> b{0.65, 0.70, 0.66};
  const Interval difference = paired_difference(a, b);
  CHECK(difference.mean == near(0.03333333333333329));
  CHECK(difference.half_width == near(0.037945830335967504));  // scipy.stats.ttest_rel(a, b).confidence_interval(.95)
  CHECK_THROWS_AS(paired_difference(a, std::vector<double>{0.5}), PreconditionError);
}

TEST_CASE("equal values share the mean of their ranks", "[report][statistics]") {
  // scipy.stats.rankdata([-v for v in values])
  CHECK(ranks_of_greatest(std::vector<double>{.5, .9, .5, .7, .9, .5}) == std::vector<double>{5, 1.5, 5, 3, 1.5, 5});
  CHECK(ranks_of_greatest({}).empty());
  CHECK_THROWS_AS(ranks_of_greatest(std::vector<double>{0.1, std::nan("")}), PreconditionError);
}

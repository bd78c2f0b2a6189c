// Expected numbers come from SciPy 1.17; the expression stands beside each.
#include <boost/json/value_to.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "config/setting.hpp"
#include "core/errors.hpp"
#include "io/files.hpp"
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

TEST_CASE("paired differences have SciPy's intervals and permutation tests", "[report][statistics][golden]") {
  const config::json::value golden =
      config::parse_text(io::read_file(INVARIA_SOURCE_DIR "/tests/golden/report/statistics.json"), "statistics.json");
  for (const config::json::value& each : golden.at("cases").as_array()) {
    const auto a = config::json::value_to<std::vector<double>>(each.at("a"));
    const auto b = config::json::value_to<std::vector<double>>(each.at("b"));
    CAPTURE(a, b);
    std::vector<double> differences;
    for (size_t k = 0; k < a.size(); ++k) differences.push_back(b[k] - a[k]);
    CHECK(mean(differences) == near(each.at("difference").as_double()));
    CHECK(ci95_half_width(differences) == Approx(each.at("half_width").as_double()).epsilon(1e-9));
    const double p = each.at("p").to_number<double>();
    // SciPy's 400,000 draws and ours of 20,000 agree within a few of their standard deviations.
    CHECK(sign_flip_p_value(differences) == (each.at("exact").as_bool() ? near(p) : Approx(p).margin(0.002)));
  }
  CHECK(std::isnan(sign_flip_p_value(std::vector<double>{0.5})));
  CHECK(sign_flip_p_value(std::vector<double>(3, 0.0)) == 1.0);
}

TEST_CASE("Holm's correction multiplies the least p by all, the next by one less, and never decreases",
          "[report][statistics]") {
  // By hand: sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 = 0.02, 0.03, 0.06, 0.04; the last may not be below 0.06.
  const std::vector<double> corrected = holm(std::vector<double>{0.01, 0.04, 0.03, 0.005});
  const std::vector<double> expected{0.03, 0.06, 0.06, 0.02};
  for (size_t k = 0; k < 4; ++k) CHECK(corrected[k] == near(expected[k]));
  CHECK(holm(std::vector<double>{0.6, 0.7}) == std::vector<double>{1.0, 1.0});
  CHECK(holm({}).empty());
}

TEST_CASE("equal values share the mean of their ranks", "[report][statistics]") {
  // scipy.stats.rankdata([-v for v in values])
  CHECK(ranks_of_greatest(std::vector<double>{.5, .9, .5, .7, .9, .5}) == std::vector<double>{5, 1.5, 5, 3, 1.5, 5});
  CHECK(ranks_of_greatest({}).empty());
  CHECK_THROWS_AS(ranks_of_greatest(std::vector<double>{0.1, std::nan("")}), PreconditionError);
}

#include <cmath>

#include "report/merge.hpp"
#include "report/summary.hpp"
#include "tests/report/small_run.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::report;

namespace {

/// The row of `table` with this encoder and arm (and task, metric where given).
size_t row_of(const io::Table& table, const std::string& encoder, const std::string& arm, const std::string& task = "",
              const std::string& metric = "top1") {
  for (size_t k = 0; k < static_cast<size_t>(table.rows()); ++k) {
    if (table.texts("encoder")[k] != encoder || table.texts("arm")[k] != arm) continue;
    if (task.empty() || (table.texts("task")[k] == task && table.texts("metric")[k] == metric)) return k;
  }
  FAIL("no row " << encoder << ", " << arm << ", " << task);
  return 0;
}

double average_rank(const io::Table& table, const std::string& arm) {
  return table.doubles("average_rank")[row_of(table, "amortised", arm)];
}

}  // namespace

TEST_CASE("with several encoder seeds each counts once, by the mean of its repeats", "[report][summary]") {
  // Repeats lie close together, encoders far apart: eight values taken as independent would claim too much.
  std::vector<io::JobRecord> jobs;
  const std::vector<std::vector<double>> values{{0.70, 0.72, 0.71}, {0.60, 0.61, 0.62}, {0.80, 0.82}};
  for (size_t seed = 0; seed < values.size(); ++seed) {
    for (size_t repeat = 0; repeat < values[seed].size(); ++repeat) {
      jobs.push_back(job("centre", "t", static_cast<int64_t>(repeat), values[seed][repeat]));
      jobs.back().encoder_seed = static_cast<int64_t>(seed);
    }
  }
  const io::Table table = summary_table(jobs);
  REQUIRE(table.rows() == 1);
  CHECK(table.integers("n")[0] == 3);
  CHECK(table.doubles("mean")[0] == Approx(0.71));                 // numpy.mean([.71, .61, .81])
  CHECK(table.doubles("standard_deviation")[0] == Approx(0.1));    // numpy.std(..., ddof=1)
  CHECK(table.doubles("ci95")[0] == Approx(0.24841377117195464));  // t.ppf(.975, 2) * sem(...)
}

TEST_CASE("the summary holds mean, spread and interval over the repeats of one encoder seed", "[report][summary]") {
  std::vector<io::JobRecord> jobs{job("centre", "t", 0, 0.70), job("centre", "t", 1, 0.72), job("centre", "t", 2, 0.69),
                                  job("centre", "u", 0, 0.25)};
  const io::Table table = summary_table(jobs);
  CHECK(table.rows() == 2);
  const size_t t = row_of(table, "amortised", "centre", "t");
  CHECK(table.doubles("mean")[t] == Approx(0.7033333333333333));                  // numpy.mean([.70, .72, .69])
  CHECK(table.doubles("standard_deviation")[t] == Approx(0.015275252316519480));  // numpy.std(..., ddof=1)
  CHECK(table.doubles("ci95")[t] == Approx(0.03794583033596750));                 // t.ppf(.975, 2) * sem(...)
  CHECK(table.integers("n")[t] == 3);
  const size_t u = row_of(table, "amortised", "centre", "u");
  CHECK(table.doubles("mean")[u] == 0.25);
  CHECK(std::isnan(table.doubles("ci95")[u]));
  CHECK(table.integers("n")[u] == 1);
}

TEST_CASE("failed jobs and values that are no numbers do not count in the summary", "[report][summary]") {
  std::vector<io::JobRecord> jobs{job("centre", "t", 0, 0.5), job("centre", "t", 1, 0.9),
                                  job("centre", "t", 2, kNoNumber)};
  jobs[1].status = "failed";
  const io::Table table = summary_table(jobs);
  REQUIRE(table.rows() == 1);
  CHECK(table.doubles("mean")[0] == 0.5);
  CHECK(table.integers("n")[0] == 1);
}

TEST_CASE("ranks are averaged over cells, and ties share theirs", "[report][summary]") {
  const io::Table table =
      arm_summary_table({job("centre", "t", 0, 0.5), job("corner-01", "t", 0, 0.5), job("corner-10", "t", 0, 0.1),
                         job("centre", "t", 1, 0.2), job("corner-01", "t", 1, 0.3), job("corner-10", "t", 1, 0.9)});
  CHECK(average_rank(table, "centre") == (1.5 + 3) / 2);
  CHECK(average_rank(table, "corner-01") == (1.5 + 2) / 2);
  CHECK(average_rank(table, "corner-10") == (3.0 + 1) / 2);
  CHECK(table.integers("rank_n")[row_of(table, "amortised", "centre")] == 2);
}

TEST_CASE("only contestants with a value in every cell are ranked", "[report][summary]") {
  // learned-joint has one repeat of two; the oracle and grid points never compete; one failed job puts its arm out.
  std::vector<io::JobRecord> jobs{
      job("centre", "t", 0, 0.5),     job("centre", "t", 1, 0.5),        job("corner-01", "t", 0, 0.4),
      job("corner-01", "t", 1, 0.6),  job("learned-joint", "t", 0, 0.9), job("oracle", "t", 0, 0.95),
      job("oracle", "t", 1, 0.95),    job("grid-0,0", "t", 0, 0.95),     job("grid-0,0", "t", 1, 0.95),
      job("corner-10", "t", 0, 0.99), job("corner-10", "t", 1, 0.99)};
  jobs.back().status = "failed";
  const io::Table table = arm_summary_table(jobs);
  CHECK(average_rank(table, "centre") == 1.5);
  CHECK(average_rank(table, "corner-01") == 1.5);
  for (const char* arm : {"learned-joint", "oracle", "grid-0,0", "corner-10"}) {
    CAPTURE(arm);
    CHECK(std::isnan(average_rank(table, arm)));
    CHECK(table.integers("rank_n")[row_of(table, "amortised", arm)] == 0);
  }
}

TEST_CASE("arms are ranked in the main metric of each task only", "[report][summary]") {
  std::vector<io::JobRecord> jobs{job("centre", "t", 0, 0.5), job("corner-01", "t", 0, 0.4), job("centre", "t", 0, 0.1),
                                  job("corner-01", "t", 0, 0.9)};
  jobs[2].metric = jobs[3].metric = "mean_per_class";
  CHECK(average_rank(arm_summary_table(jobs), "centre") == 1.0);
}

TEST_CASE("of an error the least ranks first, and regret is what an arm has more than the oracle",
          "[report][summary]") {
  std::vector<io::JobRecord> jobs{job("oracle", "t", 0, 0.1), job("centre", "t", 0, 0.3),
                                  job("corner-01", "t", 0, 0.2)};
  for (io::JobRecord& row : jobs) row.metric = "nme";
  const io::Table table = arm_summary_table(jobs);
  CHECK(average_rank(table, "corner-01") == 1.0);
  CHECK(average_rank(table, "centre") == 2.0);
  CHECK(table.doubles("regret")[row_of(table, "amortised", "centre")] == Approx(20.0));
}

TEST_CASE("regret is oracle minus arm in points, paired by task, encoder seed and repeat", "[report][summary]") {
  std::vector<io::JobRecord> jobs{job("oracle", "t", 0, 0.9),
                                  job("centre", "t", 0, 0.8),
                                  job("oracle", "t", 1, 0.7),
                                  job("centre", "t", 1, 0.65),
                                  baseline("fixed-default", "t", 0, 0.6),
                                  baseline("fixed-default", "t", 1, 0.75),
                                  baseline("fixed-default", "t", 2, 0.1)};
  const io::Table table = arm_summary_table(jobs);
  const size_t centre = row_of(table, "amortised", "centre");
  CHECK(table.doubles("regret")[centre] == Approx(100 * (0.1 + 0.05) / 2));
  CHECK(table.integers("regret_n")[centre] == 2);
  const size_t fixed = row_of(table, "fixed-default", "fixed-default");
  CHECK(table.doubles("regret")[fixed] == Approx(100 * (0.3 - 0.05) / 2));
  CHECK(table.integers("regret_n")[fixed] == 2);  // repeat 2 has no oracle
  CHECK(table.doubles("regret")[row_of(table, "amortised", "oracle")] == 0.0);
}

TEST_CASE("ranks and regrets pair arms within an encoder seed", "[report][summary]") {
  std::vector<io::JobRecord> jobs{
      job("oracle", "t", 0, 0.9), job("centre", "t", 0, 0.8), baseline("fixed-default", "t", 0, 0.7),
      job("oracle", "t", 0, 0.6), job("centre", "t", 0, 0.5), baseline("fixed-default", "t", 0, 0.55)};
  for (size_t row = 3; row < 6; ++row) jobs[row].encoder_seed = 1;
  const io::Table table = arm_summary_table(jobs);
  const size_t fixed = row_of(table, "fixed-default", "fixed-default");
  CHECK(average_rank(table, "centre") == 1.5);  // first on seed 0, second on seed 1
  CHECK(table.doubles("average_rank")[fixed] == 1.5);
  CHECK(table.doubles("regret")[fixed] == Approx(100 * (0.2 + 0.05) / 2));
  CHECK(table.integers("regret_n")[fixed] == 2);
}

TEST_CASE("an amortised encoder is held to its own oracle, a baseline to the best of several", "[report][summary]") {
  std::vector<io::JobRecord> jobs{job("oracle", "t", 0, 0.9), job("centre", "t", 0, 0.8), job("oracle", "t", 0, 0.6),
                                  job("centre", "t", 0, 0.5), baseline("random", "t", 0, 0.3)};
  jobs[2].encoder = jobs[3].encoder = "film";
  const io::Table table = arm_summary_table(jobs);
  CHECK(table.doubles("regret")[row_of(table, "amortised", "centre")] == Approx(10));
  CHECK(table.doubles("regret")[row_of(table, "film", "centre")] == Approx(10));
  CHECK(table.doubles("regret")[row_of(table, "random", "random")] == Approx(60));
}

TEST_CASE("without a grid there is no regret, and of nothing there is no summary", "[report][summary]") {
  const io::Table table = arm_summary_table({job("centre", "t", 0, 0.8)});
  CHECK(std::isnan(table.doubles("regret")[0]));
  CHECK(table.integers("regret_n")[0] == 0);
  CHECK(summary_table({}).rows() == 0);
  CHECK(arm_summary_table({}).rows() == 0);
}

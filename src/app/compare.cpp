#include "report/compare.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>

#include "app/app.hpp"
#include "app/results.hpp"
#include "report/report.hpp"

namespace invaria::app {

ExitCode compare_command(const CompareOptions& options) {
  const auto read = [](const std::filesystem::path& given) {
    const std::filesystem::path file = results_file(given);
    return report::NamedResults{file.string(), io::read_results(file)};
  };
  const report::NamedResults a = read(options.before), b = read(options.after);
  const report::Comparison comparison = report::compare(a, b);
  const report::Style style = isatty(STDOUT_FILENO) != 0 ? report::Style::kTerminal : report::Style::kPlain;
  fmt::print("{}\n", report::text_of(report::comparison_section(comparison, a, b), style));

  const std::vector<report::Change> lost = report::regressions(comparison, options.threshold);
  for (const report::Change& change : lost) {
    fmt::print("REGRESSION: {} ({}) on {}: {} is worse by {:.1f} points{}\n", change.arm, change.encoder, change.task,
               change.metric, -change.difference,
               std::isnan(change.p_holm) ? "" : fmt::format(", p {:.3g} after Holm", change.p_holm));
  }
  for (const report::Broken& broken : comparison.broken) {
    fmt::print("REGRESSION: {} ({}) on {}: {} finished in A and did not in B{}\n", broken.arm, broken.encoder,
               broken.task, broken.n == 1 ? "a job" : fmt::format("{} jobs", broken.n),
               broken.error.empty() ? "" : ": " + broken.error.substr(0, broken.error.find('\n')));
  }
  const bool became_invalid = a.results.info.valid && !b.results.info.valid;
  if (became_invalid) fmt::print("REGRESSION: A is VALID, B is INVALID: {}\n", b.results.info.invalid_because);
  if (!lost.empty() || !comparison.broken.empty() || became_invalid) return ExitCode::kSomeFailed;
  fmt::print("no regression: no arm lost more than {} points on a task\n", options.threshold);
  return ExitCode::kOk;
}

}  // namespace invaria::app

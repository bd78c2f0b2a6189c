#include "report/report.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "app/app.hpp"
#include "app/results.hpp"

namespace invaria::app {

ExitCode report_command(const std::filesystem::path& results) {
  const io::Results read = io::read_results(results_file(results));
  const bool is_terminal = isatty(STDOUT_FILENO) != 0;
  fmt::print("{}", report::render(read, is_terminal ? report::Style::kTerminal : report::Style::kPlain));
  return ExitCode::kOk;
}

}  // namespace invaria::app

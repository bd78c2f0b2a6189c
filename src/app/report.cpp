#include "report/report.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "app/app.hpp"
#include "app/results.hpp"
#include "io/files.hpp"
#include "report/comparable.hpp"
#include "report/page.hpp"
#include "report/tensorboard.hpp"

namespace invaria::app {

namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  io::write_file_atomically(path, text);
  fmt::print("wrote {}\n", path.string());
}

/// The same rendering of each suite, one after the other.
template <class Render>
std::string each(const std::vector<io::Results>& suites, const Render& render) {
  std::string out;
  for (const io::Results& results : suites) {
    if (!out.empty()) out += "\n";
    out += render(results);
  }
  return out;
}

/// Where a suite's files go: nowhere below the folder itself, or where there are several suites in one each.
std::vector<std::filesystem::path> places_of(const std::vector<io::Results>& suites) {
  std::vector<std::filesystem::path> places(suites.size());
  report::Slugs slugs;
  for (size_t k = 0; suites.size() > 1 && k < suites.size(); ++k) places[k] = slugs.unlike(suites[k].info.suite);
  return places;
}

}  // namespace

ExitCode report_command(const ReportOptions& options) {
  std::vector<report::NamedResults> files;
  for (const std::filesystem::path& given : options.results) {
    const std::filesystem::path file = results_file(given);
    files.push_back({file.string(), io::read_results(file)});
  }
  const std::vector<io::Results> suites = report::merged_by_suite(std::move(files));
  const std::vector<std::filesystem::path> places = places_of(suites);

  if (!options.html.empty()) write(options.html, report::page(suites));
  if (!options.markdown.empty()) write(options.markdown, each(suites, report::render_markdown));
  if (!options.latex.empty()) write(options.latex, each(suites, report::render_latex));
  for (size_t k = 0; k < suites.size(); ++k) {
    if (!options.csv.empty()) {
      const std::filesystem::path folder = places[k].empty() ? options.csv : options.csv / places[k];
      fmt::print("wrote {} tables to {}\n", report::write_csv_files(suites[k], folder).size(), folder.string());
    }
    if (!options.tensorboard.empty()) {
      const std::filesystem::path folder = places[k].empty() ? options.tensorboard : options.tensorboard / places[k];
      fmt::print("wrote {} event files to {}\n", report::write_event_files(suites[k], folder).size(), folder.string());
    }
  }
  if (options.writes_files()) return ExitCode::kOk;

  const report::Style style = isatty(STDOUT_FILENO) != 0 ? report::Style::kTerminal : report::Style::kPlain;
  fmt::print("{}", each(suites, [&](const io::Results& results) { return report::render(results, style); }));
  return ExitCode::kOk;
}

}  // namespace invaria::app

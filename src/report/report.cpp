#include "report/report.hpp"

#include <fmt/format.h>

#include "io/files.hpp"
#include "report/published.hpp"
#include "report/summary_view.hpp"

namespace invaria::report {

namespace {

std::string full_title(const Section& section) {
  return section.explanation.empty() ? section.title : section.title + ": " + section.explanation;
}

}  // namespace

std::string verdict(const io::RunInfo& info) {
  return info.valid ? "VALID" : fmt::format("INVALID: {}", info.invalid_because);
}

std::string text_of(const Section& section, Style style) {
  std::string out = bold(full_title(section), style) + "\n";
  bool is_first = true;
  for (const Table& table : section.tables) {
    for (const Table& piece : pieces(table)) {
      if (!is_first) out += "\n";
      is_first = false;
      out += text(piece, style);
    }
  }
  for (const std::string& line : section.lines) out += line + "\n";
  return out;
}

std::vector<Section> sections_of(const io::Results& results) {
  const SummaryView view(results);
  const io::Segment& content = results.content;
  std::vector<Section> out;
  const auto add = [&](Section section) {
    if (!section.empty()) out.push_back(std::move(section));
  };
  const auto add_all = [&](std::vector<Section> sections) {
    for (Section& section : sections) add(std::move(section));
  };
  add(run_section(results.info));
  add(failures_section(content));
  add(encoders_section(content));
  add(data_section(content));
  add(arms_section(view));
  add(intervals_section(results, view));
  add_all(published_sections(results, view));
  add(learned_section(results, view));
  add(effort_section(results, view));
  add(ranks_section(results.arm_summary, view));
  add(corners_section(view));
  add_all(grid_sections(results.axes, view));
  add(other_metrics_section(view));
  add(sensitivity_section(content));
  add_all(similarities_sections(content));
  add(stages_section(content));
  return out;
}

std::string render(const io::Results& results, Style style) {
  std::string out = verdict(results.info) + "\n";
  for (const Section& section : sections_of(results)) out += "\n" + text_of(section, style);
  return out + "\n" + verdict(results.info) + "\n";
}

std::string render_markdown(const io::Results& results) {
  std::string out =
      fmt::format("# {}\n\n**{}**\n", markdown_escaped(results.info.suite), markdown_escaped(verdict(results.info)));
  for (const Section& section : sections_of(results)) {
    out += fmt::format("\n## {}\n\n", markdown_escaped(section.title));
    if (!section.explanation.empty()) out += markdown_escaped(section.explanation) + "\n\n";
    for (const Table& table : section.tables) out += markdown(table) + "\n";
    for (const std::string& line : section.lines) {
      const size_t indent = std::min(line.find_first_not_of(' '), line.size());
      out += std::string(indent, ' ') + "- " + markdown_escaped(line.substr(indent)) + "\n";
    }
  }
  return out;
}

std::string render_latex(const io::Results& results) {
  std::string out =
      fmt::format("% {}: {}\n% needs \\usepackage{{booktabs}}\n", results.info.suite, verdict(results.info));
  for (const Section& section : sections_of(results)) {
    for (const Table& table : section.tables) {
      const std::vector<Table> parts = pieces(table);
      for (size_t k = 0; k < parts.size(); ++k) {
        const std::string number = k == 0 ? "" : fmt::format("-{}", k + 1);
        out += fmt::format(
            "\n\\begin{{table}}\n\\centering\n\\caption{{{}}}\n\\label{{tab:{}-{}{}}}\n{}\\end{{table}}\n",
            latex_escaped(full_title(section)), slug(results.info.suite), table.name(), number, latex(parts[k]));
      }
    }
  }
  return out;
}

std::vector<std::filesystem::path> write_csv_files(const io::Results& results, const std::filesystem::path& folder) {
  io::make_directories(folder);
  std::vector<std::filesystem::path> files;
  for (const Section& section : sections_of(results)) {
    for (const Table& table : section.tables) {
      files.push_back(folder / (table.name() + ".csv"));
      io::write_file_atomically(files.back(), csv(table));
    }
  }
  return files;
}

}  // namespace invaria::report

#pragma once
/// @file
/// The report of a run as text, CSV, Markdown and LaTeX; page.hpp has the page.

#include <filesystem>
#include <string>

#include "io/results.hpp"
#include "report/sections.hpp"
#include "report/writers.hpp"

namespace invaria::report {

/// "VALID" or "INVALID: why", as stored in the file (verify.hpp recomputes it).
std::string verdict(const io::RunInfo& info);

/// The whole report for a terminal or a file; numbers of /summary as they are in the file. Its first and last lines are
/// the verdict. Wide tables are cut into pieces.
std::string render(const io::Results& results, Style style);

/// One section as text, under its title.
std::string text_of(const Section& section, Style style);

/// The whole report as Markdown: a heading a section, verdict first.
std::string render_markdown(const io::Results& results);

/// The tables of the report as LaTeX floats (`\input` them; they need the package booktabs), each with its section's
/// title as caption and the label `tab:<name>`; wide ones in several.
std::string render_latex(const io::Results& results);

/// Each table of the report as `<folder>/<table's name>.csv`; the folder is made if missing.
/// @return the files. @throws EnvironmentError from the file system
std::vector<std::filesystem::path> write_csv_files(const io::Results& results, const std::filesystem::path& folder);

}  // namespace invaria::report

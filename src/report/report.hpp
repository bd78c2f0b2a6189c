#pragma once
/// @file
/// The report of a run, as text for a terminal or a file.

#include <string>

#include "io/results.hpp"
#include "report/tables.hpp"

namespace invaria::report {

/// "VALID" or "INVALID: why", as stored in the file (verify.hpp recomputes it).
std::string verdict(const io::RunInfo& info);

/// The whole report; numbers of /summary as they are in the file. Its first and last lines are the verdict. Sections
/// without content are left out.
std::string render(const io::Results& results, Style style);

}  // namespace invaria::report

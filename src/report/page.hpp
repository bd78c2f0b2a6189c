#pragma once
/// @file
/// The report as one self-contained page: HTML, style, charts and their runtime in one file that needs no network.

#include <string>
#include <vector>

#include "io/results.hpp"

namespace invaria::report {

/// The page of one or several results, each a part of its own; verdicts first. Tables are plain HTML and complete
/// without scripts. @throws ConfigError as read_published()
std::string page(const std::vector<io::Results>& results);

}  // namespace invaria::report

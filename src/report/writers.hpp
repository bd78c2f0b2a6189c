#pragma once
/// @file
/// A table in each format that a report is written in. All show the same rows and columns.

#include <cstdint>
#include <string>
#include <string_view>

#include "report/table.hpp"

namespace invaria::report {

/// Where text goes: bold needs a terminal.
enum class Style { kPlain, kTerminal };

/// Aligned by what a terminal shows, not by bytes: headings, units if a column has any, a rule, the rows; each line
/// ends in a line break and in no space. The best cells are bold on a terminal.
std::string text(const Table& table, Style style);

/// RFC 4180 with line feeds: a heading, then the rows. A cell with a number is that number, up to twelve digits, not
/// what people read of it; a column with intervals is followed by one of their half widths; what is not there is empty.
std::string csv(const Table& table);

/// A table as GitHub, pandoc and others read it; the best cells are bold.
std::string markdown(const Table& table);

/// A `tabular` with the rules of the package booktabs; the best cells are bold.
std::string latex(const Table& table);

/// A `<table>` whose cells carry their number in `data-value`, so that a page can sort by it; the best are of the class
/// `best`, intervals in a `<span class="interval">`.
std::string html(const Table& table);

/// Text that any of the formats shows as it is.
std::string markdown_escaped(std::string_view text);
std::string latex_escaped(std::string_view text);
std::string html_escaped(std::string_view text);

/// Columns that a terminal takes for UTF-8 text: 0 for combining marks, 2 for East Asian wide characters and emoji,
/// else 1 a character; a byte that is no UTF-8 counts as one.
int64_t display_width(std::string_view text);

/// `text` between the escape codes for bold on a terminal, else as it is.
std::string bold(std::string_view text, Style style);

}  // namespace invaria::report

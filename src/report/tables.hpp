#pragma once
/// @file
/// Text tables for people: aligned by what a terminal shows, not by bytes.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace invaria::report {

/// Where the text goes: bold needs a terminal.
enum class Style { kPlain, kTerminal };

enum class Align { kLeft, kRight };

enum class Emphasis { kNone, kBest };

struct TextColumn {
  std::string heading;
  std::string units;  ///< shown under the heading; empty for none
  Align align = Align::kRight;
};

struct TextCell {
  std::string text;  ///< UTF-8; control characters (line breaks) are shown as spaces
  Emphasis emphasis = Emphasis::kNone;
};

/// Rows under headings, a column as wide as its widest cell.
class TextTable {
 public:
  explicit TextTable(std::vector<TextColumn> columns);

  /// @throws PreconditionError unless there is one cell a column
  void add_row(std::vector<TextCell> cells);
  bool empty() const { return rows_.empty(); }

  /// Headings, units if a column has any, a rule, the rows; each line ends in a line break and in no space. The best
  /// cells are bold on a terminal.
  std::string render(Style style) const;

 private:
  std::vector<TextColumn> columns_;
  std::vector<std::vector<TextCell>> rows_;
};

/// Columns that a terminal takes for UTF-8 text: 0 for combining marks, 2 for East Asian wide characters and emoji,
/// else 1 a character; a byte that is no UTF-8 counts as one.
int64_t display_width(std::string_view text);

/// `text` between the escape codes for bold on a terminal, else as it is.
std::string bold(std::string_view text, Style style);

/// What is shown for a number that is not there.
constexpr const char* kNotAvailable = "-";

/// "78.0" for 0.78; kNotAvailable for NaN.
std::string percent(double fraction);
/// "78.0 ± 2.1" for (0.78, 0.021); without the interval where that is NaN.
std::string percent(double fraction, double half_width);
/// "0.85 s", "12.3 s", "4 min 05 s", "2 h 05 min"; kNotAvailable for NaN.
std::string duration(double seconds);
/// Three significant digits and a factor of 1000: "712 k", "23.0 M", "1.82 G"; kNotAvailable for NaN.
std::string quantity(double number);
/// A number with fixed decimals; kNotAvailable for NaN.
std::string decimal(double number, int decimals);

}  // namespace invaria::report

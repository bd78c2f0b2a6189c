#pragma once
/// @file
/// The one table type of a report: what every section is made of and every format is written from (writers.hpp).

#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace invaria::report {

enum class Align { kLeft, kRight };

enum class Emphasis { kNone, kBest };

struct Column {
  std::string heading;
  std::string units;  ///< shown under or behind the heading; empty for none
  Align align = Align::kRight;
  /// Names the row: stays in front where a wide table is cut into pieces, and is a row heading on a page.
  bool is_key = false;
  /// Units of the cells' `value` where their text carries its own ("2 min 10 s"); empty: those of the column.
  std::string value_units = "";
};

/// A column that names its rows.
inline Column key_column(std::string heading) {
  return {std::move(heading), "", Align::kLeft, true};
}

/// What people read, and the number behind it for those who go on computing. Without a number `value` is NaN.
struct Cell {
  std::string text;  ///< UTF-8; control characters (line breaks) are shown as spaces
  Emphasis emphasis = Emphasis::kNone;
  double value = std::numeric_limits<double>::quiet_NaN();       ///< in the column's units, not rounded
  double half_width = std::numeric_limits<double>::quiet_NaN();  ///< of the interval value ± half_width; NaN: none
  double low = std::numeric_limits<double>::quiet_NaN();         ///< of the range [low, high] that the text shows
  double high = std::numeric_limits<double>::quiet_NaN();

  bool has_value() const { return value == value; }
  bool has_interval() const { return half_width == half_width; }
  bool has_range() const { return low == low && high == high; }
};

/// Rows under headings.
class Table {
 public:
  /// @param name      tells the tables of a report apart ("arms"): file name and anchor, as slug() makes them
  /// @param n_across  so many columns that are no keys fit beside each other on paper (pieces()); 0: all of them
  Table(std::string name, std::vector<Column> columns, size_t n_across = 0);

  /// @throws PreconditionError unless there is one cell a column
  void add_row(std::vector<Cell> cells);

  const std::string& name() const { return name_; }
  const std::vector<Column>& columns() const { return columns_; }
  const std::vector<std::vector<Cell>>& rows() const { return rows_; }
  bool empty() const { return rows_.empty(); }
  size_t n_across() const { return n_across_; }

 private:
  std::string name_;
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
  size_t n_across_;
};

/// The table in pieces of at most n_across() columns that are no keys, each with all key columns; rows that have
/// nothing in a piece (kNotAvailable everywhere) are left out of it. A table that fits is one piece.
std::vector<Table> pieces(const Table& table);

/// Text as part of a file name or an anchor: lower case, runs of other characters than [a-z0-9.] become one hyphen.
std::string slug(const std::string& text);

/// Slugs as files and anchors beside each other, of which no two may be one: "known-1--" and "known--1-" have one slug.
class Slugs {
 public:
  /// slug(); with "-2", "-3", ... where it is taken.
  std::string unlike(const std::string& text);

 private:
  std::set<std::string> taken_;
};

}  // namespace invaria::report

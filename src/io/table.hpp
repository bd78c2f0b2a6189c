#pragma once
/// @file
/// A table of named columns of equal length: what results files and reports are made of.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace invaria::io {

using Cells = std::variant<std::vector<double>, std::vector<int64_t>, std::vector<std::string>>;

struct Column {
  std::string name;
  Cells cells;
  std::string units;      ///< UDUNITS-like text ("s", "1" for a fraction); empty for none
  std::string long_name;  ///< a phrase for people
};

/// Columns in a fixed order; all hold one cell a row.
class Table {
 public:
  Table() = default;
  /// @throws PreconditionError if names repeat or lengths differ
  explicit Table(std::vector<Column> columns);

  int64_t rows() const;
  const std::vector<Column>& columns() const { return columns_; }
  std::vector<std::string> names() const;
  bool contains(std::string_view name) const { return find(name) != nullptr; }

  /// @throws PreconditionError if the name is taken or its length differs from the other columns'
  void add_column(Column column);
  /// @throws PreconditionError naming the column and the columns there are, if it is missing or of another type
  const Column& column(std::string_view name) const;
  const std::vector<double>& doubles(std::string_view name) const;
  const std::vector<int64_t>& integers(std::string_view name) const;
  const std::vector<std::string>& texts(std::string_view name) const;

  /// Append one row: one value a column, in the order of the columns, each of its column's type (an int64_t also fits a
  /// column of doubles).
  /// @throws PreconditionError otherwise
  using Value = std::variant<double, int64_t, std::string>;
  void append(const std::vector<Value>& row);
  /// Append the rows of a table of the same columns (names, order, types). An empty table without columns takes over
  /// the other's.
  /// @throws PreconditionError otherwise
  void concat(const Table& other);
  /// The rows at `indices`, in that order. @throws PreconditionError if one is out of range
  Table select(const std::vector<int64_t>& indices) const;
  /// The rows whose text in column `name` equals `text`.
  Table where(std::string_view name, std::string_view text) const;

  /// Names, units, long names and cells; NaN equals NaN.
  bool operator==(const Table& other) const;

 private:
  const Column* find(std::string_view name) const;
  std::vector<Column> columns_;
};

/// Cells in one column.
int64_t size_of(const Cells& cells);

}  // namespace invaria::io

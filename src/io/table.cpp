#include "io/table.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/errors.hpp"

namespace invaria::io {
namespace {

std::string joined(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

bool same_kind(const Column& a, const Column& b) {
  return a.name == b.name && a.cells.index() == b.cells.index();
}

/// Equal, where NaN equals NaN: a table read back equals the one written.
bool equal_cells(const Cells& a, const Cells& b) {
  const auto* doubles_a = std::get_if<std::vector<double>>(&a);
  const auto* doubles_b = std::get_if<std::vector<double>>(&b);
  if (doubles_a == nullptr || doubles_b == nullptr) return a == b;
  return std::equal(doubles_a->begin(), doubles_a->end(), doubles_b->begin(), doubles_b->end(),
                    [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

void append_value(Column& column, const Table::Value& value) {
  auto* doubles = std::get_if<std::vector<double>>(&column.cells);
  if (const auto* number = std::get_if<double>(&value); number != nullptr && doubles != nullptr) {
    doubles->push_back(*number);
  } else if (const auto* integer = std::get_if<int64_t>(&value); integer != nullptr && doubles != nullptr) {
    doubles->push_back(static_cast<double>(*integer));
  } else if (auto* integers = std::get_if<std::vector<int64_t>>(&column.cells);
             integers != nullptr && integer != nullptr) {
    integers->push_back(*integer);
  } else {
    std::get<std::vector<std::string>>(column.cells).push_back(std::get<std::string>(value));
  }
}

/// Whether append_value() would fit `value` into `column`.
bool fits(const Column& column, const Table::Value& value) {
  return column.cells.index() == value.index() ||
         (std::holds_alternative<std::vector<double>>(column.cells) && std::holds_alternative<int64_t>(value));
}

}  // namespace

int64_t size_of(const Cells& cells) {
  return std::visit([](const auto& values) { return static_cast<int64_t>(values.size()); }, cells);
}

Table::Table(std::vector<Column> columns) {
  for (Column& column : columns) add_column(std::move(column));
}

int64_t Table::rows() const {
  return columns_.empty() ? 0 : size_of(columns_.front().cells);
}

std::vector<std::string> Table::names() const {
  std::vector<std::string> names;
  for (const Column& column : columns_) names.push_back(column.name);
  return names;
}

const Column* Table::find(std::string_view name) const {
  const auto found = std::find_if(columns_.begin(), columns_.end(), [&](const Column& c) { return c.name == name; });
  return found == columns_.end() ? nullptr : &*found;
}

void Table::add_column(Column column) {
  require(!column.name.empty() && !contains(column.name), "column \"{}\": the name is empty or taken", column.name);
  require(columns_.empty() || size_of(column.cells) == rows(), "column \"{}\" has {} cells, the table {} rows",
          column.name, size_of(column.cells), rows());
  columns_.push_back(std::move(column));
}

const Column& Table::column(std::string_view name) const {
  const Column* found = find(name);
  require(found != nullptr, "no column \"{}\"; there are {}", name, joined(names()));
  return *found;
}

namespace {
template <class T>
const std::vector<T>& cells_as(const Column& column, const char* type) {
  const auto* cells = std::get_if<std::vector<T>>(&column.cells);
  require(cells != nullptr, "column \"{}\" does not hold {}", column.name, type);
  return *cells;
}
}  // namespace

const std::vector<double>& Table::doubles(std::string_view name) const {
  return cells_as<double>(column(name), "doubles");
}
const std::vector<int64_t>& Table::integers(std::string_view name) const {
  return cells_as<int64_t>(column(name), "integers");
}
const std::vector<std::string>& Table::texts(std::string_view name) const {
  return cells_as<std::string>(column(name), "texts");
}

void Table::append(const std::vector<Value>& row) {
  require(row.size() == columns_.size(), "a row of {} values for {} columns", row.size(), columns_.size());
  for (size_t i = 0; i < row.size(); ++i) {
    require(fits(columns_[i], row[i]), "column \"{}\" cannot take a value of this type", columns_[i].name);
  }
  for (size_t i = 0; i < row.size(); ++i) append_value(columns_[i], row[i]);
}

void Table::concat(const Table& other) {
  if (columns_.empty()) {
    *this = other;
    return;
  }
  require(std::equal(columns_.begin(), columns_.end(), other.columns_.begin(), other.columns_.end(), same_kind),
          "columns [{}] cannot be appended to [{}]", joined(other.names()), joined(names()));
  for (size_t i = 0; i < columns_.size(); ++i) {
    std::visit(
        [&](auto& cells) {
          const auto more =  // a copy: `other` may be this table
              std::get<std::remove_reference_t<decltype(cells)>>(other.columns_[i].cells);
          cells.insert(cells.end(), more.begin(), more.end());
        },
        columns_[i].cells);
  }
}

Table Table::select(const std::vector<int64_t>& indices) const {
  for (const int64_t index : indices) {
    require(index >= 0 && index < rows(), "row {} of a table of {} rows", index, rows());
  }
  Table result;
  for (const Column& column : columns_) {
    Column picked{column.name, {}, column.units, column.long_name};
    std::visit(
        [&](const auto& cells) {
          std::remove_cvref_t<decltype(cells)> out;
          out.reserve(indices.size());
          for (const int64_t index : indices) out.push_back(cells[static_cast<size_t>(index)]);
          picked.cells = std::move(out);
        },
        column.cells);
    result.columns_.push_back(std::move(picked));
  }
  return result;
}

Table Table::where(std::string_view name, std::string_view text) const {
  const std::vector<std::string>& cells = texts(name);
  std::vector<int64_t> indices;
  for (size_t row = 0; row < cells.size(); ++row) {
    if (cells[row] == text) indices.push_back(static_cast<int64_t>(row));
  }
  return select(indices);
}

bool Table::operator==(const Table& other) const {
  return std::equal(columns_.begin(), columns_.end(), other.columns_.begin(), other.columns_.end(),
                    [](const Column& a, const Column& b) {
                      return same_kind(a, b) && a.units == b.units && a.long_name == b.long_name &&
                             equal_cells(a.cells, b.cells);
                    });
}

}  // namespace invaria::io

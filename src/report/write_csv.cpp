#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "report/numbers.hpp"
#include "report/writers.hpp"

namespace invaria::report {

namespace {

std::string quoted(const std::string& field) {
  if (field.find_first_of(",\"\n\r") == std::string::npos) return field;
  std::string out = "\"";
  for (const char c : field) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string heading_of(const Column& column) {
  const std::string& units = column.value_units.empty() ? column.units : column.value_units;
  return units.empty() ? column.heading : fmt::format("{} ({})", column.heading, units);
}

std::string number(double value) {
  return value == value ? fmt::format("{:.12g}", value) : "";
}

std::string field_of(const Cell& cell) {
  if (cell.has_value()) return number(cell.value);
  return cell.has_range() || cell.text == kNotAvailable ? "" : quoted(cell.text);
}

/// What a column's cells have beside their value, each a column of its own.
struct Beside {
  const char* heading;
  double Cell::*number;
};
constexpr std::array kBeside = {Beside{" half width", &Cell::half_width}, Beside{" low", &Cell::low},
                                Beside{" high", &Cell::high}};

std::vector<Beside> beside(const Table& table, size_t column) {
  std::vector<Beside> found;
  for (const Beside& one : kBeside) {
    const bool is_there = std::any_of(table.rows().begin(), table.rows().end(), [&](const std::vector<Cell>& row) {
      return !std::isnan(row[column].*one.number);
    });
    if (is_there) found.push_back(one);
  }
  return found;
}

}  // namespace

std::string csv(const Table& table) {
  const std::vector<Column>& columns = table.columns();
  std::string out;
  std::vector<std::vector<Beside>> more;
  for (size_t k = 0; k < columns.size(); ++k) {
    more.push_back(beside(table, k));
    if (k > 0) out += ',';
    out += quoted(heading_of(columns[k]));
    for (const Beside& one : more[k]) out += ',' + quoted(heading_of(columns[k]) + one.heading);
  }
  out += '\n';
  std::vector<Cell> above;
  for (const std::vector<Cell>& row : table.rows()) {
    for (size_t k = 0; k < columns.size(); ++k) {
      if (k > 0) out += ',';
      // A key that is left blank below its like is meant there, too.
      const bool goes_on = columns[k].is_key && row[k].text.empty() && !above.empty();
      const Cell& cell = goes_on ? above[k] : row[k];
      out += field_of(cell);
      for (const Beside& one : more[k]) out += ',' + number(cell.*one.number);
      if (!goes_on) {
        if (above.empty()) above.resize(columns.size());
        above[k] = row[k];
      }
    }
    out += '\n';
  }
  return out;
}

}  // namespace invaria::report

#include <fmt/format.h>

#include <algorithm>

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

std::string field_of(const Cell& cell) {
  if (cell.has_value()) return fmt::format("{:.12g}", cell.value);
  return cell.text == kNotAvailable ? "" : quoted(cell.text);
}

}  // namespace

std::string csv(const Table& table) {
  const std::vector<Column>& columns = table.columns();
  std::string out;
  std::vector<bool> has_interval;
  for (size_t k = 0; k < columns.size(); ++k) {
    has_interval.push_back(std::any_of(table.rows().begin(), table.rows().end(),
                                       [k](const std::vector<Cell>& row) { return row[k].has_interval(); }));
    if (k > 0) out += ',';
    out += quoted(heading_of(columns[k]));
    if (has_interval[k]) out += ',' + quoted(heading_of(columns[k]) + " half width");
  }
  out += '\n';
  for (const std::vector<Cell>& row : table.rows()) {
    for (size_t k = 0; k < columns.size(); ++k) {
      if (k > 0) out += ',';
      out += field_of(row[k]);
      if (has_interval[k]) out += row[k].has_interval() ? fmt::format(",{:.12g}", row[k].half_width) : ",";
    }
    out += '\n';
  }
  return out;
}

}  // namespace invaria::report

#include "data/csv.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "core/errors.hpp"

namespace invaria::data {
namespace {

/// The fields of the row that starts at `at`, which moves past its line end.
std::vector<std::string> next_row(std::string_view text, size_t& at, size_t row, const std::string& source) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c != '"') {
        fields.back() += c;
      } else if (at + 1 < text.size() && text[at + 1] == '"') {
        fields.back() += text[++at];
      } else {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      fields.emplace_back();
    } else if (c == '\n') {
      ++at;
      return fields;
    } else if (c != '\r') {
      fields.back() += c;
    }
  }
  if (quoted) throw_config("{}, row {}: found a quote that is never closed", source, row);
  return fields;
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

std::optional<size_t> CsvTable::find_column(std::string_view name) const {
  const auto at = std::find(columns.begin(), columns.end(), name);
  if (at == columns.end()) return std::nullopt;
  return static_cast<size_t>(at - columns.begin());
}

CsvTable parse_csv(std::string_view text, const std::string& source) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  CsvTable table;
  size_t at = 0;
  for (size_t row = 1; at < text.size(); ++row) {
    std::vector<std::string> fields = next_row(text, at, row, source);
    if (fields.size() == 1 && fields[0].empty()) continue;
    if (table.columns.empty()) {
      for (const std::string& field : fields) table.columns.push_back(trimmed(field));
    } else if (fields.size() == table.columns.size()) {
      table.rows.push_back(std::move(fields));
      table.row_numbers.push_back(row);
    } else {
      throw_config("{}, row {}: found {} fields, expected {} as in the first row", source, row, fields.size(),
                   table.columns.size());
    }
  }
  if (table.columns.empty()) throw_config("{}: found nothing, expected a row of column names", source);
  std::set<std::string> names;
  for (const std::string& name : table.columns) {
    // Columns without a name, as a spreadsheet leaves them behind, are nobody's.
    if (!name.empty() && !names.insert(name).second) throw_config("{}: found the column {} twice", source, name);
  }
  return table;
}

double csv_number(const std::string& field, const std::string& where) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc() || end != field.data() + field.size() || !std::isfinite(value)) {
    throw_config("{}: found \"{}\", expected a finite number", where, field);
  }
  return value;
}

}  // namespace invaria::data

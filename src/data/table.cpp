#include "data/table.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_map>

#include "core/errors.hpp"

namespace invaria::data {
namespace {

/// The fields at `at` as one text; no field holds the byte between them.
std::string key_of(const Table::Row& row, const std::vector<size_t>& at) {
  std::string key;
  for (const size_t column : at) key += row.fields[column] + '\0';
  return key;
}

}  // namespace

std::string Table::Row::where() const {
  return number == 0 ? *source : fmt::format("{}, row {}", *source, number);
}

std::optional<size_t> Table::find_column(std::string_view name) const {
  const auto at = std::find(columns.begin(), columns.end(), name);
  if (at == columns.end()) return std::nullopt;
  return static_cast<size_t>(at - columns.begin());
}

size_t Table::need_column(const std::string& name, const std::string& where) const {
  const auto column = find_column(name);
  if (!column) throw_config("{}: found no column {}; {}", where, name, config::name_hint(name, columns));
  return *column;
}

Table join(Table table, const Table& other, WithoutRow without_row, const std::string& manifest_name) {
  std::vector<size_t> key_here;
  std::vector<size_t> key_there;
  std::vector<size_t> added;
  for (size_t there = 0; there < other.columns.size(); ++there) {
    if (const auto here = table.find_column(other.columns[there])) {
      key_here.push_back(*here);
      key_there.push_back(there);
    } else {
      added.push_back(there);
    }
  }
  if (key_there.empty()) {
    throw_config("{}: found tables with the columns {} and {}, expected one that both have to join them by",
                 manifest_name, fmt::join(table.columns, ", "), fmt::join(other.columns, ", "));
  }
  std::unordered_map<std::string, const Table::Row*> partner;
  for (const Table::Row& row : other.rows) {
    const auto [at, is_new] = partner.emplace(key_of(row, key_there), &row);
    if (!is_new) throw_config("{}: found the same as in {}, expected each once", row.where(), at->second->where());
  }
  std::vector<Table::Row> rows;
  for (Table::Row& row : table.rows) {
    const auto found = partner.find(key_of(row, key_here));
    if (found == partner.end()) {
      if (without_row == WithoutRow::kLeaveOut) continue;
      std::vector<std::string> key;
      for (const size_t column : key_here) key.push_back(table.columns[column] + " " + row.fields[column]);
      throw_config("{}: found no row for {} in {}", row.where(), fmt::join(key, ", "),
                   other.rows.empty() ? "an empty table" : *other.rows.front().source);
    }
    for (const size_t column : added) row.fields.push_back(found->second->fields[column]);
    rows.push_back(std::move(row));
  }
  table.rows = std::move(rows);
  for (const size_t column : added) table.columns.push_back(other.columns[column]);
  return table;
}

}  // namespace invaria::data

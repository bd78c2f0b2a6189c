#include "data/table.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
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

Table spread(const Table& table, const std::string& by, const std::string& manifest_name) {
  const size_t at = table.need_column(by, manifest_name + ", spread");
  const size_t n_values = table.columns.size() - at - 1;
  std::vector<size_t> key_columns(at);
  std::iota(key_columns.begin(), key_columns.end(), 0);
  Table out;
  out.columns.assign(table.columns.begin(), table.columns.begin() + static_cast<std::ptrdiff_t>(at));
  std::unordered_map<std::string, size_t> value_of;  // in the order of the first row
  std::unordered_map<std::string, size_t> row_of;
  std::vector<size_t> n_seen;
  for (const Table::Row& line : table.rows) {
    const auto [row_at, is_new] = row_of.emplace(key_of(line, key_columns), out.rows.size());
    if (is_new) {
      out.rows.push_back(
          {{line.fields.begin(), line.fields.begin() + static_cast<std::ptrdiff_t>(at)}, line.source, line.number});
      n_seen.push_back(0);
    }
    Table::Row& row = out.rows[row_at->second];
    const std::string& value = line.fields[at];
    if (row_at->second == 0 && value_of.emplace(value, value_of.size()).second) {
      for (size_t c = 0; c < n_values; ++c) out.columns.push_back(table.columns[at + 1 + c] + "_" + value);
    }
    const auto found = value_of.find(value);
    if (found == value_of.end() || found->second != n_seen[row_at->second]) {
      throw_config("{}: found {} {}, expected each row to have the same ones in the same order, each once",
                   line.where(), by, value);
    }
    ++n_seen[row_at->second];
    row.fields.insert(row.fields.end(), line.fields.begin() + static_cast<std::ptrdiff_t>(at + 1), line.fields.end());
  }
  for (size_t row = 0; row < out.rows.size(); ++row) {
    if (n_seen[row] == value_of.size()) continue;
    throw_config("{}: found {} lines of one row, expected {}, one for each {}", out.rows[row].where(), n_seen[row],
                 value_of.size(), by);
  }
  return out;
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
      const std::string there = other.rows.empty() ? "an empty table" : *other.rows.front().source;
      const bool is_one_file = other.rows.empty() || *other.rows.back().source == there;
      throw_config("{}: found no row for {} in {}{}", row.where(), fmt::join(key, ", "), there,
                   is_one_file ? "" : fmt::format(" to {}", *other.rows.back().source));
    }
    for (const size_t column : added) row.fields.push_back(found->second->fields[column]);
    rows.push_back(std::move(row));
  }
  table.rows = std::move(rows);
  for (const size_t column : added) table.columns.push_back(other.columns[column]);
  return table;
}

}  // namespace invaria::data

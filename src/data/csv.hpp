#pragma once
/// @file
/// Comma-separated tables (RFC 4180: quoted fields may hold commas, quotes and line ends), first row names. Spaces
/// round a column's name are no part of it.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace invaria::data {

struct CsvTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  ///< each as long as `columns`; blank ones are left out
  std::vector<size_t> row_numbers;             ///< of each row in the file, blank ones and the names' row counted

  /// Index of a column.
  std::optional<size_t> find_column(std::string_view name) const;
};

/// @param source  names the file in messages
/// @throws ConfigError naming file and row if a row is too long or short, a quote is left open, a column's name
/// repeats, or nothing is there
CsvTable parse_csv(std::string_view text, const std::string& source);

/// A field as a finite number. @throws ConfigError naming `where`
double csv_number(const std::string& field, const std::string& where);

}  // namespace invaria::data

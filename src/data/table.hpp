#pragma once
/// @file
/// Tables of text from the files of a data set, and joining them.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/file_set.hpp"
#include "data/table_manifest.hpp"

namespace invaria::data {

/// Rows that know where they came from.
struct Table {
  struct Row {
    std::vector<std::string> fields;            ///< as long as `columns`
    std::shared_ptr<const std::string> source;  ///< the file, for messages
    int64_t number = 0;                         ///< of the row in it, from 1; 0: the whole file is the row

    /// "/data/cub/images.txt, row 3"
    std::string where() const;
  };
  std::vector<std::string> columns;  ///< each name once
  std::vector<Row> rows;

  std::optional<size_t> find_column(std::string_view name) const;
  /// @throws ConfigError with the nearest name there is
  size_t need_column(const std::string& name, const std::string& where) const;
};

/// The rows of the files that fit, in byte order of the files' names; columns are the holes of the files' pattern, then
/// those of the fields.
/// @param manifest_name  begins messages
/// @param read_files     indices of the files that were read are added
/// @throws ConfigError naming file and row: nothing fits, or a file is not as its format wants it; EnvironmentError
Table read_table(const TableManifest& manifest, const FileSet& files, const std::string& manifest_name,
                 std::vector<int64_t>& read_files);

/// Make one row of those that agree in all columns before the column `by`: of a line with value v there, each column c
/// behind it becomes the row's column c_v. Every row has the same values in the same order, each once.
/// @throws ConfigError naming the row if it has not
Table spread(const Table& table, const std::string& by, const std::string& manifest_name);

/// Give each row of `table` the further columns of the row of `other` that agrees with it in all columns that both
/// have. Rows of `other` that fit none are passed over.
/// @throws ConfigError if they share no column, two rows of `other` agree in those, or, unless rows without a partner
///         are to be left out, a row has none
Table join(Table table, const Table& other, WithoutRow without_row, const std::string& manifest_name);

}  // namespace invaria::data

#pragma once
/// @file
/// Tables in HDF5: as columns along one dimension, or as arrays over several.

#include <map>
#include <string>
#include <vector>

#include "io/hdf5.hpp"
#include "io/table.hpp"

namespace invaria::io {

/// The dimension scales in the root group of a file being written. Each is a coordinate: labels, or numbers from 0.
class Scales {
 public:
  explicit Scales(hid_t file) : file_(file) {}
  void add(const std::string& name, const std::vector<std::string>& labels, const std::string& long_name);
  void add(const std::string& name, int64_t count, const std::string& long_name);
  /// @throws PreconditionError if there is no such scale
  hid_t at(const std::string& name) const;
  int64_t size(const std::string& name) const;
  /// Where `label` stands. @throws PreconditionError if it is not there
  int64_t index(const std::string& name, const std::string& label) const;

 private:
  struct Scale {
    DataSetHandle dataset;
    int64_t size = 0;
    std::map<std::string, int64_t> index;
  };
  const Scale& find(const std::string& name) const;
  void put(const std::string& name, const std::string& long_name, Scale scale);

  hid_t file_;
  std::map<std::string, Scale> scales_;
};

/// Write each column as a data set of the group, attached to `scale`, with attributes `units` and `long_name` where not
/// empty.
void write_table(hid_t group, const Table& table, hid_t scale);
/// The same, where the column `dimension` is itself the scale.
void write_table(hid_t group, const Table& table, const std::string& dimension);
/// All data sets of the group as columns. @throws EnvironmentError if they are not one-dimensional or differ in length
Table read_table(hid_t group);

/// Write a long table as arrays: its text columns are the keys and become dimensions, in their order; each other column
/// becomes an array over them, NaN or 0 where the table has no row. Of several rows with the same keys the last stays.
void write_arrays(hid_t group, const Table& table, const Scales& scales);
/// The inverse: one long table for each set of dimensions found among the members that are arrays over labelled
/// dimensions; rows where every value is NaN or 0 are dropped.
std::vector<Table> read_arrays(hid_t group, hid_t file);

/// The text columns of a table.
std::vector<std::string> key_columns(const Table& table);

}  // namespace invaria::io

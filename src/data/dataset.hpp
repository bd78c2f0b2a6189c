#pragma once
/// @file
/// A data set: its splits, decoded once per node to one shape.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/stored_shape.hpp"
#include "core/node_memory.hpp"
#include "data/sample_source.hpp"
#include "data/table_manifest.hpp"
#include "io/records.hpp"

namespace invaria::data {

/// One split: n pictures or sounds of one shape, in memory or a mapped file that the node's ranks share.
struct DataSplit {
  int64_t n = 0;
  config::StoredShape shape;
  std::shared_ptr<const SampleSource> source;
  std::vector<int64_t> places;               ///< [n] the place of each in `source`; empty: in order
  std::vector<std::string> names;            ///< [n] path inside the split, unique
  std::vector<int64_t> sounds;               ///< [n] of which sound each is a part, from 0; empty where none has parts
  std::vector<int64_t> labels;               ///< [n] index into the data set's classes; empty without classes
  std::vector<std::vector<double>> targets;  ///< [n][t] regression targets, moved with the resize; empty without
  std::string hash;                          ///< split_hash() of all of these

  SampleRef ref(int64_t index) const { return {source, places.empty() ? index : places[static_cast<size_t>(index)]}; }
  SampleBytes sample(int64_t index) const { return ref(index).sample(); }
  /// Those at `indices`, as hold() has them.
  HeldSamples samples(std::span<const int64_t> indices, int threads) const;
};

/// In what the data that results were computed with (`there`) differ from those at hand (`here`): file names and sizes,
/// samples left out, and for each split names, labels, targets and contents. Nothing where the suite decodes the data
/// set in another way now, which makes its jobs other ones.
std::vector<std::string> data_differences(const io::DataRecord& there, const io::DataRecord& here);

/// All splits of a data set.
struct Dataset {
  std::string name;
  std::vector<std::string> classes;
  std::vector<std::string> target_names;     ///< of the targets
  std::vector<TargetColumn> target_columns;  ///< what they are, and how they move with a picture
  /// "base", "validation" and "novel" classes of few-shot learning: labels, ascending; empty where there are none.
  std::map<std::string, std::vector<int64_t>> class_splits;
  std::map<std::string, DataSplit> splits;  ///< "train", "test", perhaps "validation"
  io::DataRecord record;                    ///< what the results say of it

  /// @throws ConfigError naming the splits there are
  const DataSplit& split(const std::string& name) const;
};

}  // namespace invaria::data

#pragma once
/// @file
/// From a manifest to decoded samples: the check before anything runs, and the decoding that a node's ranks share.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/problems.hpp"
#include "core/node_memory.hpp"
#include "data/dataset.hpp"
#include "data/listing.hpp"
#include "data/manifest.hpp"
#include "data/settings.hpp"

namespace invaria::data {

/// What loading needs besides the settings.
struct LoadOptions {
  std::vector<std::filesystem::path> data_folders;  ///< --data
  int threads = 1;                                  ///< for reading and decoding on this rank
  /// Told now and then, one call at a time, how many samples of this rank's share are done; may be empty.
  std::function<void(int64_t done, int64_t total)> progress;
  PreferPacks packs = PreferPacks::kYes;
};

/// How much of a data set a check reads.
enum class CheckDepth {
  kPromise,   ///< nothing is looked for: what the manifest says (list_promised())
  kListing,   ///< existence, counts, classes, checksum of names and sizes (CIFAR's labels are in its files: those are
              ///< read)
  kContents,  ///< all of that, and every file is decoded
};

/// What a data set holds under its settings.
struct DatasetSummary {
  /// Name and samples; where sounds give several, before they are decoded, as many as they may.
  std::vector<std::pair<std::string, int64_t>> splits;
  int64_t n_classes = 0;
  int64_t n_targets = 0;
  std::vector<std::string> classes{};                          ///< [n_classes] names
  std::vector<std::string> target_names{};                     ///< [n_targets]
  std::map<std::string, std::vector<int64_t>> class_splits{};  ///< as Dataset has them
  std::map<std::string, std::vector<int64_t>>
      class_counts{};           ///< split -> [n_classes] samples of each class, parts of a sound as one
  int64_t parts = 1;            ///< that each of these may have at most, before they are decoded
  int64_t decoded_bytes = 0;    ///< that a node holds in memory, as the listing has it; samples of a pack may lie in it
  config::StoredShape shape{};  ///< of every sample

  /// Samples of a split, 0 if there is none of that name.
  int64_t count(const std::string& split) const;
};

DatasetSummary summary_of(const Dataset& dataset);

/// Add everything that is wrong with a data set to `problems` under `where`. A corrupt file is a problem where the
/// settings say fail; where they say leave out, files that were decoded for the check are counted without it.
/// @return what it holds; nothing if something is wrong with it
std::optional<DatasetSummary> check_dataset(const Manifest& manifest, const DatasetSettings& settings,
                                            const LoadOptions& options, CheckDepth depth, const std::string& where,
                                            config::Problems& problems);

/// Collective over the node: decode the data set once, rank r of the node doing samples r, r + size, ... of each split.
///
/// Samples come in byte order of their names, whatever the ranks, threads, disk or archive. Where the settings ask for
/// it, "validation" is cut from "train". Pictures that cannot be decoded are left out and listed in
/// record.files_left_out ("split/name"), or make every rank throw. A data set that is found packed is loaded from its
/// packs, bit-equal to itself.
/// @throws ConfigError on every rank: data missing, not as the manifest says, corrupt (naming the files), or too large
/// for memory;
///         EnvironmentError on every rank if a file cannot be read on one
Dataset load_dataset(const Manifest& manifest, const DatasetSettings& settings, const LoadOptions& options,
                     const NodeMemory& node);

}  // namespace invaria::data

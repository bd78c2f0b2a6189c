#pragma once
/// @file
/// All samples of a data set by name, label and place, before any picture is decoded, compared with the manifest.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/problems.hpp"
#include "data/file_set.hpp"
#include "data/manifest.hpp"
#include "data/settings.hpp"

namespace invaria::data {

/// One sample, not decoded yet. Of sounds that may give several samples, whether a part is there shows in decoding.
struct Sample {
  std::string name;             ///< unique in its split; of a part with its number, "a.wav#0"
  std::string class_name;       ///< image-folder and table with classes
  int64_t file = -1;            ///< index into the split's files; -1: made, not read
  int64_t record = 0;           ///< CIFAR: position in the file; synthetic: number of the sample; of a pack: its record
  int64_t part = 0;             ///< of a sound that may give several samples
  int64_t label = -1;           ///< -1: without classes
  std::vector<double> targets;  ///< in the coordinates of the stored picture
};

struct Pack;

/// Its samples are in files, in a pack, or (synthetic) in neither.
struct SplitListing {
  std::string name;
  std::string drawn_from{};  ///< name of the split as the manifest has it (validation may be cut from train)
  std::shared_ptr<const FileSet> files{};
  std::shared_ptr<const Pack> pack{};
  std::vector<int64_t> checked_files{};  ///< those that its checksums are over: indices into files, ascending
  std::string checksum{};                ///< listing_checksum() of those
  std::vector<Sample> samples{};         ///< in byte order of their names
};

struct Listing {
  std::vector<std::string> classes;  ///< in byte order (CIFAR: label order)
  std::vector<TargetColumn> targets;
  std::map<std::string, std::vector<int64_t>> class_splits;  ///< labels, ascending
  std::vector<SplitListing> splits;
  std::string checksum;  ///< SHA-256 over the lines "split TAB checksum of its files LF", in the manifest's order
};

/// Where a data set is looked for first.
enum class PreferPacks {
  kYes,  ///< in its packs
  kNo,   ///< where it is itself
};

/// List the data set, or its packs, and compare counts, classes and checksums with the manifest. What differs is added
/// to `problems` under `where`, the listing is then of no use.
/// @param data_folders  folders that may hold the data set (see locate())
/// @param threads       for reading contents, where the settings ask for it
Listing list_dataset(const Manifest& manifest, const DatasetSettings& settings,
                     const std::vector<fs::path>& data_folders, int threads, const std::string& where,
                     config::Problems& problems, PreferPacks packs = PreferPacks::kYes);

/// What the manifest alone promises, as if the data were there: so many samples a split with classes in turn, targets
/// without values. A split without `count` has as many as `per_class` allows, else none. Good for planning only.
Listing list_promised(const Manifest& manifest, const DatasetSettings& settings, const std::string& where,
                      config::Problems& problems);

/// Samples that each file of a data set may give: more than one only of sounds.
int64_t most_parts(const Manifest& manifest, const DatasetSettings& settings);

/// Bytes of memory that the decoded samples take: none for those that lie decoded in a pack.
int64_t decoded_bytes(const Listing& listing, const Manifest& manifest, const DatasetSettings& settings);

/// More than the share of this node's memory that the settings allow is a problem.
void check_memory(const Listing& listing, const Manifest& manifest, const DatasetSettings& settings,
                  const std::string& where, config::Problems& problems);

/// Memory that this process may use: the machine's, or its control group's limit where that is smaller, in bytes.
int64_t node_memory_bytes();

}  // namespace invaria::data

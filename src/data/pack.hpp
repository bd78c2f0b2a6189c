#pragma once
/// @file
/// A data set packed: one file a split that holds all that loading needs, found in place of the data set itself.
///
/// `<name>.pack/<split>.files` has the samples' files as they are, for any size; `<name>.pack/<split>.64-whole-frame`
/// the decoded pictures at one size, which are used where they lie: memory-mapped, shared by a node's ranks through the
/// page cache, and so not bound by the memory that data sets may take. Files are decoded into memory when they are
/// loaded or, where the settings say stream, each when it is asked for.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/listing.hpp"
#include "data/sample_source.hpp"
#include "io/pack.hpp"

namespace invaria::data {

/// What a pack's records are.
enum class PackContents {
  kFiles,   ///< the samples' files
  kPixels,  ///< [size, size, 3] uint8
};

/// What a pack says of itself; its index has the samples.
struct PackHeader {
  std::string dataset{};
  std::string split{};
  PackContents contents = PackContents::kFiles;
  int64_t size = 0;                             ///< kPixels
  ResizeMode resize = ResizeMode::kWholeFrame;  ///< kPixels
  std::string manifest{};                       ///< SHA-256 of what the manifest says of the samples
  std::string checksum{};                       ///< of the files that were packed, as of the listing
  std::string content_checksum{};
  std::vector<std::string> classes{};
  std::vector<TargetColumn> targets{};

  static auto settings();
};

/// One split's open file.
struct Pack {
  PackHeader header;
  io::PackFile file;

  explicit Pack(const fs::path& path);
  /// Whether its records are the decoded pictures that these settings ask for.
  bool has_pixels(const DatasetSettings& settings) const;
  /// Whether its records are used where they lie: decoded pictures, or files to stream.
  bool is_read_in_place(const DatasetSettings& settings) const { return settings.stream || has_pixels(settings); }
  std::string describe(int64_t record) const;
  /// Why a file could not be decoded; "" if it could.
  std::string reason(int64_t record) const;
  /// stored_size() of what was packed; 1 and 1 if it was made.
  std::pair<int64_t, int64_t> stored_size(int64_t record) const;
  const std::string& hash(int64_t record) const;
};

/// The packs of all splits, from the first folder that has them: the decoded pictures of the settings' size if there
/// are any, else the files; only the files where the settings say stream. Nothing if neither is complete.
/// @param data_folders  and, after them, the manifest's own folder
/// @throws ConfigError if a pack is broken, or was made with a manifest that says otherwise of the samples
std::vector<std::shared_ptr<const Pack>> find_packs(const Manifest& manifest, const DatasetSettings& settings,
                                                    const std::vector<fs::path>& data_folders);

/// The samples of a pack as they were listed; classes and targets go to `listing`.
SplitListing list_pack(std::shared_ptr<const Pack> pack, Listing& listing);

/// The samples of a pack that is read in place, of the settings' shape; place n is record n / most_parts(), and of it
/// the part that is left over. A streamed file that is not as it was packed makes asking for it throw.
std::shared_ptr<const SampleSource> samples_in_pack(std::shared_ptr<const Pack> pack, const Manifest& manifest,
                                                    const DatasetSettings& settings);

/// Write the packs of a data set into `folder`/<name>.pack, split after split, each file complete or not at all.
/// Corrupt files are packed as such: what becomes of them is decided where they are loaded.
/// @param settings   its size and resize are those of packed pixels
/// @param listing    of the data set itself; without a cut validation split
/// @param progress  told now and then, one call at a time, how many samples of the data set are done; may be empty
/// @return the files written
/// @throws ConfigError if the data set cannot be packed so; EnvironmentError (a full disk)
std::vector<fs::path> write_packs(const Manifest& manifest, const DatasetSettings& settings, const Listing& listing,
                                  PackContents contents, const fs::path& folder, int threads,
                                  const std::function<void(int64_t done, int64_t total)>& progress);

/// All packs of a data set in the folders, of any size, complete or not, in the order of their names.
std::vector<fs::path> pack_files(const Manifest& manifest, const std::vector<fs::path>& data_folders);

/// Read a pack whole. @throws ConfigError if it is broken, was made with another manifest, or a record has changed
PackHeader verify_pack(const Manifest& manifest, const fs::path& path, int threads);

}  // namespace invaria::data

template <>
struct invaria::config::EnumNames<invaria::data::PackContents> {
  using enum invaria::data::PackContents;
  static constexpr std::array<std::pair<invaria::data::PackContents, const char*>, 2> kNames{
      {{kFiles, "files"}, {kPixels, "pixels"}}};
};

namespace invaria::data {

inline auto PackHeader::settings() {
  using S = PackHeader;
  using config::setting;
  return std::tuple{setting("dataset", &S::dataset, "the data set"),
                    setting("split", &S::split, "its split"),
                    setting("contents", &S::contents, "what a record is"),
                    setting("size", &S::size, "pixels: side of a picture"),
                    setting("resize", &S::resize, "pixels: how it became a square"),
                    setting("manifest", &S::manifest, "SHA-256 of what the manifest says of the samples"),
                    setting("checksum", &S::checksum, "of the files that were packed, names and sizes"),
                    setting("content_checksum", &S::content_checksum, "of their contents"),
                    setting("classes", &S::classes, "in label order"),
                    setting("targets", &S::targets, "the targets")};
}

}  // namespace invaria::data

#pragma once
/// @file
/// Where a data set's files are (a folder, an archive, part of one, a folder of archives), listed and read the same
/// way.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/manifest.hpp"
#include "io/archive.hpp"

namespace invaria::data {

namespace fs = std::filesystem;

/// A data set on disk: its folder, or one archive with all of it.
struct Location {
  fs::path path;
  bool is_archive = false;
};

/// The folder or archive named as the manifest says, in the first of `data_folders` that holds one; else beside the
/// manifest.
std::optional<Location> locate(const Manifest& manifest, const std::vector<fs::path>& data_folders);

struct FileEntry {
  std::string name;  ///< relative to the split, '/' between its parts
  int64_t bytes = 0;
  int32_t archive = -1;  ///< which of the set's archives holds it; -1: a file of its own
};

/// The files of one split, in byte order of their names whatever order the disk or archive has them in.
class FileSet {
 public:
  /// List `path` of a data set: a folder or archive in its folder (whichever of `train` and `train.tar` is there), or
  /// the entries below `path` of its one archive. A folder's links to files are followed, an archive's are not. Not
  /// among the files: hidden ones.
  /// @param folder_names  if all of the archive but hidden files and links is in one folder with one of these names,
  ///                      that folder is passed over
  /// @param inner         kFolders: an archive among the files stands for a folder named without its extension
  /// @throws ConfigError if there is no such folder or archive, or an archive is broken; EnvironmentError
  FileSet(const Location& location, const std::string& path, const std::vector<std::string>& folder_names,
          io::InnerArchives inner = io::InnerArchives::kFiles);

  const std::vector<FileEntry>& files() const { return files_; }
  /// Index of a file by name, or -1.
  int64_t find(const std::string& name) const;
  /// Index of a file that must be there. @throws ConfigError beginning with `where` if it is not, or is a link
  int64_t need(const std::string& name, const std::string& where) const;
  /// Links and devices of an archive, in byte order: what `files()` has not.
  const std::vector<std::string>& links() const { return links_; }
  /// Where a file is, for messages: /data/cub/train/a.jpg or /data/cub.tar:train/a.jpg.
  std::string describe(int64_t index) const;
  std::string describe() const;

  /// Read the files with the given indices (ascending) and call `body(position in indices, bytes)` for each, on up to
  /// `threads` threads in any order; `body` must be safe to call at once. An archive is read once, front to back. What
  /// `body` throws passes through.
  /// @throws EnvironmentError, ConfigError if a file has gone or cannot be read
  void read(std::span<const int64_t> indices, int threads,
            const std::function<void(int64_t position, std::string_view bytes)>& body) const;
  /// One file. @throws as read()
  std::string read_one(int64_t index) const;

 private:
  /// An archive, and as what its entries are among the files.
  struct Archive {
    fs::path path;
    std::string inside;   ///< "" or "cub/train/": only entries that begin so, and without it
    std::string outside;  ///< "" or "shard-000001/": what their names begin with instead

    std::optional<std::string> name_of(const std::string& entry) const;
  };

  void list_folder();
  void add_archive(Archive archive, const std::vector<io::ArchiveEntry>& entries);
  void read_archive(const Archive& archive, std::span<const int64_t> indices, int threads,
                    const std::function<void(int64_t, std::string_view)>& body) const;
  const Archive* archive_of(int64_t index) const;

  fs::path origin_;         ///< folder or archive
  bool is_folder_ = false;  ///< `origin_` is one
  io::InnerArchives inner_;
  std::vector<Archive> archives_;  ///< that hold files; those of a folder in byte order of `outside`
  std::vector<FileEntry> files_;
  std::vector<std::string> links_;
};

/// SHA-256 over the lines "name TAB bytes LF" of `files`, which must be sorted by name.
std::string listing_checksum(std::span<const FileEntry> files);

/// SHA-256 over the lines "name TAB SHA-256 of the contents LF" of the files with the given indices. Reads them all.
std::string content_checksum(const FileSet& files, std::span<const int64_t> indices, int threads);

}  // namespace invaria::data

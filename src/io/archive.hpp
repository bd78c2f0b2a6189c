#pragma once
/// @file
/// Tar archives, plain or compressed, and zip archives, read by libarchive.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "io/files.hpp"

namespace invaria::io {

/// One entry of an archive that is no directory.
struct ArchiveEntry {
  std::string name;  ///< normalised: no leading "./", no "//", never absolute, no ".."
  int64_t bytes = 0;
  bool is_regular = true;  ///< false: a link or device, which is never followed or read
};

/// What an archive inside an archive is taken for.
enum class InnerArchives {
  kFiles,    ///< one entry, as any file
  kFolders,  ///< a folder named without the extension: "n01440764.tar" has the entries "n01440764/..."; read as a whole
             ///< into memory, one at a time
};

/// Call `callback(name, bytes)` for each regular file, in archive order; `bytes` may be moved from. All else is passed
/// over. What the callback throws passes through.
/// @throws EnvironmentError if the file cannot be opened; ConfigError naming archive, entry and reason if it is neither
///         tar (plain, or by gzip, bzip2, xz or zstd) nor zip, is truncated or corrupt, or an entry's name is absolute,
///         contains ".." or repeats
void for_each_entry(const fs::path& archive, InnerArchives inner,
                    const std::function<void(const std::string& name, std::string& bytes)>& callback);

/// All entries but directories in archive order, without keeping their data. Throws as for_each_entry().
std::vector<ArchiveEntry> list_entries(const fs::path& archive, InnerArchives inner);

/// What the names of archives that are read end in.
constexpr std::string_view kArchiveExtensions[] = {".tar", ".tar.gz", ".tgz", ".tar.zst", ".zip"};

/// Whether a file name ends in one of them.
bool has_archive_extension(std::string_view file_name);

/// "train.tar.gz" -> "train"; a name without such an ending stays.
std::string without_archive_extension(std::string_view file_name);

/// "./a//b" -> "a/b". @throws ConfigError naming `archive` if the name is empty, absolute or contains ".."
std::string normalise_entry_name(const std::string& name, const std::string& archive);

}  // namespace invaria::io

#include "io/archive.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <set>
#include <vector>

#include "core/errors.hpp"
#include "core/unique_handle.hpp"

namespace invaria::io {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 18;
/// A larger entry is no picture; a sparse or corrupt one may claim anything.
constexpr int64_t kMaxEntryBytes = int64_t{1} << 32;

struct ArchiveTraits {
  using Type = struct archive*;
  static Type invalid() { return nullptr; }
  static void close(Type handle) noexcept { archive_read_free(handle); }
};

/// One pass over a tar file.
class TarReader {
 public:
  explicit TarReader(const fs::path& path) : path_(path.string()), handle_(archive_read_new()) {
    if (!handle_) throw_environment("{}: archive_read_new failed", path_);
    archive_read_support_format_tar(handle_.get());
    archive_read_support_filter_all(handle_.get());
    // Opening it ourselves tells a file that is not there from one that is no tar.
    const Descriptor readable(open_for_reading(path));
    if (archive_read_open_filename(handle_.get(), path_.c_str(), kPieceBytes) != ARCHIVE_OK) fail("");
  }

  /// Go to the next entry that is no directory; false at the end.
  bool next(ArchiveEntry& entry) {
    struct archive_entry* header = nullptr;
    while (true) {
      const int status = archive_read_next_header(handle_.get(), &header);
      if (status == ARCHIVE_EOF) return false;
      if (status == ARCHIVE_FATAL || status == ARCHIVE_FAILED || status == ARCHIVE_RETRY) fail("");
      const char* const name = archive_entry_pathname(header);
      if (name == nullptr) throw_config("{}: an entry has a name that cannot be read", path_);
      if (archive_entry_filetype(header) == AE_IFDIR) continue;
      entry.name = normalise_entry_name(name, path_);
      entry.is_regular = archive_entry_hardlink(header) == nullptr && archive_entry_filetype(header) == AE_IFREG;
      entry.bytes = entry.is_regular ? archive_entry_size(header) : 0;
      if (entry.bytes > kMaxEntryBytes) {
        throw_config("{}: {}: {} bytes, at most {} are read", path_, entry.name, entry.bytes, kMaxEntryBytes);
      }
      if (!seen_.insert(entry.name).second) throw_config("{}: {}: this entry is there twice", path_, entry.name);
      return true;
    }
  }

  /// The data of the entry that next() went to.
  void read(const ArchiveEntry& entry, std::string& bytes) {
    bytes.clear();
    std::vector<char> piece(kPieceBytes);
    while (true) {
      const auto n = archive_read_data(handle_.get(), piece.data(), piece.size());
      if (n < 0) fail(entry.name);
      if (n == 0) break;
      bytes.append(piece.data(), static_cast<size_t>(n));
    }
    if (static_cast<int64_t>(bytes.size()) != entry.bytes) {
      throw_config("{}: {}: {} bytes, its header says {}", path_, entry.name, bytes.size(), entry.bytes);
    }
  }

  /// Pass over the data of the entry.
  void skip(const ArchiveEntry& entry) {
    if (archive_read_data_skip(handle_.get()) != ARCHIVE_OK) fail(entry.name);
  }

 private:
  [[noreturn]] void fail(const std::string& entry) {
    const char* const reason = archive_error_string(handle_.get());
    throw_config("{}: {}not a readable tar archive: {}", path_, entry.empty() ? "" : entry + ": ",
                 reason == nullptr ? "no reason given" : reason);
  }

  std::string path_;
  UniqueHandle<ArchiveTraits> handle_;
  std::set<std::string> seen_;
};

}  // namespace

void for_each_entry(const fs::path& archive,
                    const std::function<void(const std::string& name, std::string& bytes)>& callback) {
  TarReader reader(archive);
  ArchiveEntry entry;
  std::string bytes;
  while (reader.next(entry)) {
    if (!entry.is_regular) continue;
    reader.read(entry, bytes);
    callback(entry.name, bytes);
  }
}

std::vector<ArchiveEntry> list_entries(const fs::path& archive) {
  TarReader reader(archive);
  std::vector<ArchiveEntry> entries;
  ArchiveEntry entry;
  while (reader.next(entry)) {
    reader.skip(entry);
    entries.push_back(entry);
  }
  return entries;
}

bool has_archive_extension(std::string_view file_name) {
  constexpr std::string_view extensions[] = {".tar", ".tar.gz", ".tgz", ".tar.zst"};
  return std::any_of(std::begin(extensions), std::end(extensions),
                     [&](std::string_view extension) { return file_name.ends_with(extension); });
}

std::string normalise_entry_name(const std::string& name, const std::string& archive) {
  if (name.starts_with('/')) throw_config("{}: entry \"{}\": an absolute name, expected a relative one", archive, name);
  std::string normal;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    if (part == "..") throw_config("{}: entry \"{}\": its name leads out of the archive", archive, name);
    if (!part.empty() && part != ".") normal += (normal.empty() ? "" : "/") + part;
    begin = end + 1;
  }
  if (normal.empty()) throw_config("{}: entry \"{}\": an empty name", archive, name);
  return normal;
}

}  // namespace invaria::io

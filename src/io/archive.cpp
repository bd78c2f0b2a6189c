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
/// Archives in archives in an archive: data sets have one level, and some archives contain themselves.
constexpr int kMostNested = 3;

struct ArchiveTraits {
  using Type = struct archive*;
  static Type invalid() { return nullptr; }
  static void close(Type handle) noexcept { archive_read_free(handle); }
};

/// One pass over an archive: a file, or one that lies in memory.
class Reader {
 public:
  explicit Reader(const fs::path& path) : Reader(path.string()) {
    // Opening it ourselves tells a file that is not there from one that is no archive.
    const Descriptor readable(open_for_reading(path));
    if (archive_read_open_filename(handle_.get(), name_.c_str(), kPieceBytes) != ARCHIVE_OK) fail("");
  }
  /// @param bytes  outlive the reader
  Reader(const std::string& name, const std::string& bytes) : Reader(name) {
    if (archive_read_open_memory(handle_.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) fail("");
  }

  const std::string& name() const { return name_; }

  /// Go to the next entry that is no directory; false at the end.
  bool next(ArchiveEntry& entry) {
    struct archive_entry* header = nullptr;
    while (true) {
      const int status = archive_read_next_header(handle_.get(), &header);
      if (status == ARCHIVE_EOF) return false;
      if (status == ARCHIVE_FATAL || status == ARCHIVE_FAILED || status == ARCHIVE_RETRY) fail("");
      const char* name = archive_entry_pathname(header);
      // A zip may say that its names are UTF-8, which the C locale cannot show.
      if (name == nullptr) name = archive_entry_pathname_utf8(header);
      if (name == nullptr) throw_config("{}: an entry has a name that cannot be read", name_);
      if (archive_entry_filetype(header) == AE_IFDIR) continue;
      entry.name = normalise_entry_name(name, name_);
      entry.is_regular = archive_entry_hardlink(header) == nullptr && archive_entry_filetype(header) == AE_IFREG;
      entry.bytes = entry.is_regular ? archive_entry_size(header) : 0;
      if (entry.bytes > kMaxEntryBytes) {
        throw_config("{}: {}: {} bytes, at most {} are read", name_, entry.name, entry.bytes, kMaxEntryBytes);
      }
      if (!seen_.insert(entry.name).second) throw_config("{}: {}: this entry is there twice", name_, entry.name);
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
      if (static_cast<int64_t>(bytes.size()) > entry.bytes) break;  // it would go on
    }
    if (static_cast<int64_t>(bytes.size()) != entry.bytes) {
      throw_config("{}: {}: {} bytes, its header says {}", name_, entry.name, bytes.size(), entry.bytes);
    }
  }

  /// Pass over the data of the entry.
  void skip(const ArchiveEntry& entry) {
    if (archive_read_data_skip(handle_.get()) != ARCHIVE_OK) fail(entry.name);
  }

 private:
  explicit Reader(std::string name) : name_(std::move(name)), handle_(archive_read_new()) {
    if (!handle_) throw_environment("{}: archive_read_new failed", name_);
    archive_read_support_format_tar(handle_.get());
    // By its directory, which is at the end: read front to back, a zip that is cut off may seem whole.
    archive_read_support_format_zip_seekable(handle_.get());
    // One by one: some of libarchive's filters start programs.
    archive_read_support_filter_gzip(handle_.get());
    archive_read_support_filter_bzip2(handle_.get());
    archive_read_support_filter_xz(handle_.get());
    archive_read_support_filter_zstd(handle_.get());
  }

  [[noreturn]] void fail(const std::string& entry) {
    const char* const reason = archive_error_string(handle_.get());
    throw_config("{}: {}not a readable tar or zip archive: {}", name_, entry.empty() ? "" : entry + ": ",
                 reason == nullptr ? "no reason given" : reason);
  }

  std::string name_;
  UniqueHandle<ArchiveTraits> handle_;
  std::set<std::string> seen_;
};

/// "n01440764" of an entry that stands for a folder, nothing of all others.
std::string folder_of(const ArchiveEntry& entry, InnerArchives inner) {
  const bool is_folder = inner == InnerArchives::kFolders && entry.is_regular && has_archive_extension(entry.name);
  return is_folder ? without_archive_extension(entry.name) : "";
}

/// The archive in an entry. @param level  of the archive that has the entry, 0 for a file's own
Reader open_inside(const Reader& reader, const ArchiveEntry& entry, const std::string& bytes, int level) {
  const std::string name = reader.name() + ":" + entry.name;
  if (level == kMostNested) throw_config("{}: archives inside archives, expected at most {} levels", name, kMostNested);
  return {name, bytes};
}

void read_entries(Reader& reader, int level, const std::string& prefix, InnerArchives inner,
                  const std::function<void(const std::string& name, std::string& bytes)>& callback) {
  ArchiveEntry entry;
  std::string bytes;
  while (reader.next(entry)) {
    if (!entry.is_regular) continue;
    reader.read(entry, bytes);
    const std::string folder = folder_of(entry, inner);
    if (folder.empty()) {
      callback(prefix + entry.name, bytes);
    } else {
      Reader inside = open_inside(reader, entry, bytes, level);
      read_entries(inside, level + 1, prefix + folder + "/", inner, callback);
    }
  }
}

void list_entries(Reader& reader, int level, const std::string& prefix, InnerArchives inner,
                  std::vector<ArchiveEntry>& entries) {
  ArchiveEntry entry;
  std::string bytes;
  while (reader.next(entry)) {
    const std::string folder = folder_of(entry, inner);
    if (folder.empty()) {
      reader.skip(entry);
      entry.name.insert(0, prefix);
      entries.push_back(entry);
    } else {
      reader.read(entry, bytes);
      Reader inside = open_inside(reader, entry, bytes, level);
      list_entries(inside, level + 1, prefix + folder + "/", inner, entries);
    }
  }
}

}  // namespace

void for_each_entry(const fs::path& archive, InnerArchives inner,
                    const std::function<void(const std::string& name, std::string& bytes)>& callback) {
  Reader reader(archive);
  read_entries(reader, 0, "", inner, callback);
}

std::vector<ArchiveEntry> list_entries(const fs::path& archive, InnerArchives inner) {
  Reader reader(archive);
  std::vector<ArchiveEntry> entries;
  list_entries(reader, 0, "", inner, entries);
  return entries;
}

bool has_archive_extension(std::string_view file_name) {
  return std::any_of(std::begin(kArchiveExtensions), std::end(kArchiveExtensions),
                     [&](std::string_view extension) { return file_name.ends_with(extension); });
}

std::string without_archive_extension(std::string_view file_name) {
  for (const std::string_view extension : kArchiveExtensions) {
    if (file_name.ends_with(extension)) return std::string(file_name.substr(0, file_name.size() - extension.size()));
  }
  return std::string(file_name);
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

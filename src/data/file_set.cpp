#include "data/file_set.hpp"

#include <algorithm>

#include "core/errors.hpp"
#include "core/sha256.hpp"
#include "data/parallel.hpp"
#include "io/archive.hpp"
#include "io/files.hpp"

namespace invaria::data {
namespace {

constexpr const char* kArchiveExtensions[] = {".tar", ".tar.gz", ".tgz", ".tar.zst"};
/// Archive entries gathered before they are handed to the threads.
constexpr int64_t kBatchBytes = 32 << 20;

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool is_archive_file(const fs::path& path) {
  std::error_code error;
  return io::has_archive_extension(path.filename().string()) && fs::is_regular_file(path, error);
}

/// "train.tar.gz" -> "train".
std::string without_archive_extension(const std::string& name) {
  for (const std::string extension : kArchiveExtensions) {
    if (name.ends_with(extension)) return name.substr(0, name.size() - extension.size());
  }
  return name;
}

/// `stem` as a folder or, failing that, as an archive.
std::optional<Location> folder_or_archive(const fs::path& stem) {
  if (is_folder(stem)) return Location{stem, false};
  for (const char* extension : kArchiveExtensions) {
    const fs::path archive = stem.string() + extension;
    if (is_archive_file(archive)) return Location{archive, true};
  }
  return std::nullopt;
}

bool is_hidden(const std::string& name) {
  return name.starts_with('.') || name.find("/.") != std::string::npos;
}

std::vector<FileEntry> list_folder(const fs::path& folder) {
  std::vector<FileEntry> files;
  try {
    for (const auto& entry :
         fs::recursive_directory_iterator(folder, fs::directory_options::follow_directory_symlink)) {
      std::string name = entry.path().lexically_relative(folder).generic_string();
      if (is_hidden(name) || !entry.is_regular_file()) continue;
      files.push_back({std::move(name), static_cast<int64_t>(entry.file_size())});
    }
  } catch (const fs::filesystem_error& error) {
    throw_environment("cannot list {}: {}", folder.string(), error.what());
  }
  return files;
}

}  // namespace

std::optional<Location> locate(const Manifest& manifest, const std::vector<fs::path>& data_folders) {
  std::vector<fs::path> folders = data_folders;
  if (!manifest.source.empty()) folders.push_back(manifest.source.parent_path());
  for (const fs::path& folder : folders) {
    for (const std::string& name : manifest.folder_names()) {
      if (const auto found = folder_or_archive(folder / name)) return found;
    }
  }
  return std::nullopt;
}

FileSet::FileSet(const Location& location, const std::string& path, const std::vector<std::string>& folder_names) {
  if (location.is_archive) {
    origin_ = location.path;
    is_archive_ = true;
    const std::string inner = without_archive_extension(path);
    prefix_ = inner.empty() || inner == "." ? "" : inner + "/";
  } else {
    const fs::path asked = path.empty() ? location.path : location.path / path;
    auto found = is_archive_file(asked) ? Location{asked, true} : folder_or_archive(asked);
    if (!found) found = folder_or_archive(location.path / without_archive_extension(path));
    if (!found) {
      throw_config("{}: found neither a folder nor a tar named {}, expected one for the split", location.path.string(),
                   without_archive_extension(path));
    }
    origin_ = found->path;
    is_archive_ = found->is_archive;
  }
  if (is_archive_) {
    const std::vector<io::ArchiveEntry> entries = io::list_entries(origin_);
    // A tar may hold its files at the top, or all of them in one folder named as the data set or, in a split's own tar,
    // as the split.
    std::vector<std::string> leading = folder_names;
    if (!location.is_archive) leading = {without_archive_extension(fs::path(path).filename().string())};
    for (const std::string& folder : leading) {
      const auto inside = [&](const io::ArchiveEntry& entry) {
        return !entry.is_regular || is_hidden(entry.name) || entry.name.starts_with(folder + "/");
      };
      if (leading_folder_.empty() && std::all_of(entries.begin(), entries.end(), inside))
        leading_folder_ = folder + "/";
    }
    for (const io::ArchiveEntry& entry : entries) {
      auto name = name_in_split(entry.name);
      if (!name) continue;
      if (entry.is_regular) {
        files_.push_back({std::move(*name), entry.bytes});
      } else {
        links_.push_back(std::move(*name));
      }
    }
    std::sort(links_.begin(), links_.end());
  } else {
    files_ = list_folder(origin_);
  }
  std::sort(files_.begin(), files_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  const auto twice =
      std::adjacent_find(files_.begin(), files_.end(), [](auto& a, auto& b) { return a.name == b.name; });
  if (twice != files_.end()) throw_config("{}: found {} twice, expected each name once", describe(), twice->name);
}

std::optional<std::string> FileSet::name_in_split(const std::string& entry) const {
  const std::string lead = leading_folder_ + prefix_;
  if (!entry.starts_with(lead)) return std::nullopt;
  std::string name = entry.substr(lead.size());
  if (name.empty() || is_hidden(name)) return std::nullopt;
  return name;
}

int64_t FileSet::find(const std::string& name) const {
  const auto at = std::lower_bound(files_.begin(), files_.end(), name,
                                   [](const FileEntry& file, const std::string& wanted) { return file.name < wanted; });
  return at != files_.end() && at->name == name ? at - files_.begin() : -1;
}

int64_t FileSet::need(const std::string& name, const std::string& where) const {
  const int64_t index = find(name);
  if (index >= 0) return index;
  if (std::binary_search(links_.begin(), links_.end(), name)) {
    throw_config("{}: {} is a link or device in {}, expected a regular file; pack the archive with its links followed",
                 where, name, describe());
  }
  throw_config("{}: found no file {} in {}", where, name, describe());
}

std::string FileSet::describe() const {
  return prefix_.empty() ? origin_.string() : origin_.string() + ":" + prefix_.substr(0, prefix_.size() - 1);
}

std::string FileSet::describe(int64_t index) const {
  const std::string& name = files_[static_cast<size_t>(index)].name;
  return is_archive_ ? origin_.string() + ":" + leading_folder_ + prefix_ + name : (origin_ / name).string();
}

void FileSet::read(std::span<const int64_t> indices, int threads,
                   const std::function<void(int64_t, std::string_view)>& body) const {
  if (is_archive_) return read_archive(indices, threads, body);
  parallel_for(std::ssize(indices), threads, [&](int64_t position) {
    body(position, io::read_file(origin_ / files_[static_cast<size_t>(indices[static_cast<size_t>(position)])].name));
  });
}

void FileSet::read_archive(std::span<const int64_t> indices, int threads,
                           const std::function<void(int64_t, std::string_view)>& body) const {
  std::vector<std::pair<int64_t, std::string>> batch;
  int64_t batch_bytes = 0;
  int64_t n_read = 0;
  const auto flush = [&] {
    parallel_for(std::ssize(batch), threads, [&](int64_t i) {
      const auto& [position, bytes] = batch[static_cast<size_t>(i)];
      body(position, bytes);
    });
    n_read += std::ssize(batch);
    batch.clear();
    batch_bytes = 0;
  };
  io::for_each_entry(origin_, [&](const std::string& entry, std::string& bytes) {
    const auto name = name_in_split(entry);
    const int64_t index = name ? find(*name) : -1;
    const auto at = std::lower_bound(indices.begin(), indices.end(), index);
    if (index < 0 || at == indices.end() || *at != index) return;
    batch_bytes += std::ssize(bytes);
    batch.emplace_back(at - indices.begin(), std::move(bytes));
    if (batch_bytes >= kBatchBytes) flush();
  });
  flush();
  if (n_read != std::ssize(indices)) {
    throw_environment("{}: {} of {} files were there when read, although all were listed: it changed meanwhile",
                      describe(), n_read, indices.size());
  }
}

std::string FileSet::read_one(int64_t index) const {
  std::string out;
  const int64_t indices[] = {index};
  read(indices, 1, [&](int64_t, std::string_view bytes) { out = bytes; });
  return out;
}

std::string listing_checksum(std::span<const FileEntry> files) {
  Sha256 hash;
  for (const FileEntry& file : files) hash.update(fmt::format("{}\t{}\n", file.name, file.bytes));
  return hash.hex();
}

std::string content_checksum(const FileSet& files, std::span<const int64_t> indices, int threads) {
  std::vector<std::string> digests(indices.size());
  files.read(indices, threads, [&](int64_t position, std::string_view bytes) {
    digests[static_cast<size_t>(position)] = sha256_hex(bytes);
  });
  Sha256 hash;
  for (size_t i = 0; i < indices.size(); ++i) {
    hash.update(fmt::format("{}\t{}\n", files.files()[static_cast<size_t>(indices[i])].name, digests[i]));
  }
  return hash.hex();
}

}  // namespace invaria::data

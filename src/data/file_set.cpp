#include "data/file_set.hpp"

#include <algorithm>
#include <map>

#include "core/errors.hpp"
#include "core/sha256.hpp"
#include "data/parallel.hpp"
#include "io/archive.hpp"
#include "io/files.hpp"

namespace invaria::data {
namespace {

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

/// `stem` as a folder or, failing that, as an archive.
std::optional<Location> folder_or_archive(const fs::path& stem) {
  if (is_folder(stem)) return Location{stem, false};
  for (const std::string_view extension : io::kArchiveExtensions) {
    const fs::path archive = stem.string() + std::string(extension);
    if (is_archive_file(archive)) return Location{archive, true};
  }
  return std::nullopt;
}

bool is_hidden(const std::string& name) {
  return name.starts_with('.') || name.find("/.") != std::string::npos;
}

/// Of an archive whose files but hidden ones and links are all in one folder with one of these names: "that folder/".
std::string leading_folder(const std::vector<io::ArchiveEntry>& entries, const std::vector<std::string>& names) {
  for (const std::string& folder : names) {
    const auto inside = [&](const io::ArchiveEntry& entry) {
      return !entry.is_regular || is_hidden(entry.name) || entry.name.starts_with(folder + "/");
    };
    if (std::all_of(entries.begin(), entries.end(), inside)) return folder + "/";
  }
  return "";
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

FileSet::FileSet(const Location& location, const std::string& path, const std::vector<std::string>& folder_names,
                 io::InnerArchives inner)
    : origin_(location.path), is_folder_(!location.is_archive), inner_(inner) {
  const std::string wanted = io::without_archive_extension(path);
  if (is_folder_) {
    const fs::path asked = path.empty() ? location.path : location.path / path;
    auto found = is_archive_file(asked) ? Location{asked, true} : folder_or_archive(asked);
    if (!found) found = folder_or_archive(location.path / wanted);
    if (!found) {
      throw_config("{}: found neither a folder nor an archive named {}, expected one for the split",
                   location.path.string(), wanted);
    }
    origin_ = found->path;
    is_folder_ = !found->is_archive;
  }
  if (is_folder_) {
    list_folder();
  } else {
    // An archive may hold its files at the top, or all of them in one folder named as the data set or, in a split's own
    // archive, as the split.
    const std::vector<io::ArchiveEntry> entries = io::list_entries(origin_, inner_);
    const std::string prefix = !location.is_archive || wanted.empty() || wanted == "." ? "" : wanted + "/";
    const std::vector<std::string> names =
        location.is_archive ? folder_names : std::vector{fs::path(wanted).filename().string()};
    add_archive({origin_, leading_folder(entries, names) + prefix, ""}, entries);
  }
  std::sort(links_.begin(), links_.end());
  std::sort(files_.begin(), files_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  const auto twice =
      std::adjacent_find(files_.begin(), files_.end(), [](auto& a, auto& b) { return a.name == b.name; });
  if (twice != files_.end()) throw_config("{}: found {} twice, expected each name once", describe(), twice->name);
}

void FileSet::list_folder() {
  std::vector<std::string> archives;
  try {
    for (const auto& entry :
         fs::recursive_directory_iterator(origin_, fs::directory_options::follow_directory_symlink)) {
      std::string name = entry.path().lexically_relative(origin_).generic_string();
      if (is_hidden(name) || !entry.is_regular_file()) continue;
      if (inner_ == io::InnerArchives::kFolders && io::has_archive_extension(name)) {
        archives.push_back(std::move(name));
      } else {
        files_.push_back({std::move(name), static_cast<int64_t>(entry.file_size())});
      }
    }
  } catch (const fs::filesystem_error& error) {
    throw_environment("cannot list {}: {}", origin_.string(), error.what());
  }
  for (const std::string& name : archives) {
    add_archive({origin_ / name, "", io::without_archive_extension(name) + "/"},
                io::list_entries(origin_ / name, inner_));
  }
}

void FileSet::add_archive(Archive archive, const std::vector<io::ArchiveEntry>& entries) {
  const auto index = static_cast<int32_t>(archives_.size());
  for (const io::ArchiveEntry& entry : entries) {
    auto name = archive.name_of(entry.name);
    if (!name) continue;
    if (entry.is_regular) {
      files_.push_back({std::move(*name), entry.bytes, index});
    } else {
      links_.push_back(std::move(*name));
    }
  }
  archives_.push_back(std::move(archive));
}

std::optional<std::string> FileSet::Archive::name_of(const std::string& entry) const {
  if (!entry.starts_with(inside)) return std::nullopt;
  std::string name = entry.substr(inside.size());
  if (name.empty() || is_hidden(name)) return std::nullopt;
  return outside + name;
}

const FileSet::Archive* FileSet::archive_of(int64_t index) const {
  const int32_t archive = files_[static_cast<size_t>(index)].archive;
  return archive < 0 ? nullptr : &archives_[static_cast<size_t>(archive)];
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
  if (is_folder_ || archives_[0].inside.empty()) return origin_.string();
  const std::string& inside = archives_[0].inside;
  return origin_.string() + ":" + inside.substr(0, inside.size() - 1);
}

std::string FileSet::describe(int64_t index) const {
  const std::string& name = files_[static_cast<size_t>(index)].name;
  const Archive* archive = archive_of(index);
  if (archive == nullptr) return (origin_ / name).string();
  return archive->path.string() + ":" + archive->inside + name.substr(archive->outside.size());
}

void FileSet::read(std::span<const int64_t> indices, int threads,
                   const std::function<void(int64_t, std::string_view)>& body) const {
  std::vector<int64_t> loose;  // positions
  std::map<const Archive*, std::vector<int64_t>> positions_in;
  for (int64_t position = 0; position < std::ssize(indices); ++position) {
    const Archive* archive = archive_of(indices[static_cast<size_t>(position)]);
    (archive == nullptr ? loose : positions_in[archive]).push_back(position);
  }
  parallel_for(std::ssize(loose), threads, [&](int64_t i) {
    const int64_t position = loose[static_cast<size_t>(i)];
    const int64_t index = indices[static_cast<size_t>(position)];
    body(position, io::read_file(origin_ / files_[static_cast<size_t>(index)].name));
  });
  for (const auto& [archive, positions] : positions_in) {
    std::vector<int64_t> wanted;
    for (const int64_t position : positions) wanted.push_back(indices[static_cast<size_t>(position)]);
    read_archive(*archive, wanted, threads, [&, &positions = positions](int64_t i, std::string_view bytes) {
      body(positions[static_cast<size_t>(i)], bytes);
    });
  }
}

void FileSet::read_archive(const Archive& archive, std::span<const int64_t> indices, int threads,
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
  io::for_each_entry(archive.path, inner_, [&](const std::string& entry, std::string& bytes) {
    const auto name = archive.name_of(entry);
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
                      archive.path.string(), n_read, indices.size());
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

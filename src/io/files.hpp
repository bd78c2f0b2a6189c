#pragma once
/// @file
/// Whole files: read at once, written so that a reader sees either the old file or the complete new one.
///
/// The order that makes this hold on a crash: write to a temporary name in the same directory, fsync the file, rename,
/// fsync the directory. A temporary name is `.<name>.<host>-<process>-<n>.tmp`.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "core/unique_handle.hpp"

namespace invaria::io {

namespace fs = std::filesystem;

/// The whole file as bytes. @throws EnvironmentError naming path, call and error text
std::string read_file(const fs::path& path);

/// Replace `path` by a file that holds exactly `bytes`, or leave everything as it was (a full disk included).
/// @throws EnvironmentError naming path, call and error text. (Where the directory's fsync fails the new file is there,
/// and
///         may not outlive a crash of the machine.)
void write_file_atomically(const fs::path& path, std::string_view bytes);
void write_file_atomically(const fs::path& path, std::span<const std::byte> bytes);

/// Make an empty file beside `path` under a temporary name that nobody else uses, and return that name.
/// @throws EnvironmentError naming path, call and error text
fs::path temporary_beside(const fs::path& path);

/// Make a finished and closed temporary file visible under its final name: fsync, rename, fsync of the directory. If a
/// step before the rename fails the temporary file is removed. @throws EnvironmentError naming path, call and error
/// text
void publish(const fs::path& temporary, const fs::path& final_path);

/// Make a directory and its parents; one that exists is fine. @throws EnvironmentError
void make_directories(const fs::path& directory);

/// Remove temporary files that a killed process left in `directory` (not in folders below it; none is there if the
/// directory is not). Only call it while no other process writes there.
/// @param of  only those beside a file of this name; empty: all
/// @return how many were removed. @throws EnvironmentError
int64_t remove_stale_temporaries(const fs::path& directory, std::string_view of = "");

/// The same beside other processes: only what a process of this host left that is gone.
int64_t remove_abandoned_temporaries(const fs::path& directory, std::string_view of);

/// Whether `path` is named as temporary_beside() names files.
bool is_temporary(const fs::path& path);

/// The hex SHA-256 of a file's bytes, read in pieces. @throws EnvironmentError
std::string sha256_file(const fs::path& path);

/// An owned file descriptor.
struct DescriptorTraits {
  using Type = int;
  static Type invalid() { return -1; }
  static void close(Type descriptor) noexcept;
};
using Descriptor = UniqueHandle<DescriptorTraits>;

/// @throws EnvironmentError naming path, call and error text
Descriptor open_for_reading(const fs::path& path);

/// A file being written under a temporary name; visible only after `publish()`. Destroyed before that, it leaves
/// nothing behind.
class AtomicFile {
 public:
  /// @throws EnvironmentError if the temporary file cannot be made
  explicit AtomicFile(fs::path final_path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Append. @throws EnvironmentError (full disk, ...)
  void write(std::span<const std::byte> bytes);
  void write(std::string_view bytes);
  /// Put bytes at a place of their own, past the end if need be. Safe to call at once for places that do not overlap;
  /// does not move where write() appends. @throws EnvironmentError
  void write_at(int64_t offset, std::string_view bytes);
  /// fsync, close, rename, fsync of the directory. Call once, last. @throws EnvironmentError
  void publish();

 private:
  fs::path final_path_;
  fs::path temporary_;
  Descriptor descriptor_;
};

}  // namespace invaria::io

#pragma once
/// @file
/// Many records in one file: written at once or not at all, read through a memory map that all processes of a node
/// share.
///
/// Layout: "INVPACK1", the length of the header (64-bit, little-endian), the header (JSON); from byte `records_at` on,
/// a multiple of 4096, the records one after the other; the index (an HDF5 file with one column a data set of group
/// `records`); a footer of fixed length with places, lengths and the SHA-256 of header and index. The index has the
/// SHA-256 of each record.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/files.hpp"
#include "io/table.hpp"

namespace invaria::io {

/// Columns of the index that the pack itself reads; the others are the caller's.
constexpr const char* kPackOffset = "offset";  ///< of the record's first byte behind `records_at`
constexpr const char* kPackBytes = "bytes";    ///< its length
constexpr const char* kPackHash = "sha256";    ///< of its bytes, hex

class PackWriter {
 public:
  /// @param header  JSON, as the reader gets it back
  /// @throws EnvironmentError if the file cannot be made
  PackWriter(const fs::path& path, std::string header);

  /// Put a record at its place. Safe to call at once for records that do not overlap. @throws EnvironmentError
  void write_record(int64_t offset, std::string_view bytes);
  /// Write the index and make the file visible. Call once, last.
  /// @param index  a row a record, with the columns above
  void finish(const Table& index);

 private:
  AtomicFile file_;
  std::string header_;
  int64_t records_at_;
};

class PackFile {
 public:
  /// Map the file; reads header and index, not the records.
  /// @throws EnvironmentError if it cannot be read; ConfigError naming the file if it is no pack, cut off, header or
  ///         index are not as they were written, or the index names bytes that are not there
  explicit PackFile(fs::path path);

  const fs::path& path() const { return path_; }
  const std::string& header() const { return header_; }
  const Table& index() const { return index_; }
  int64_t n() const { return index_.rows(); }
  std::string_view record(int64_t i) const;
  /// All records, as long as somebody holds this.
  std::shared_ptr<const std::byte> records() const;
  /// Numbers of the records that are not as they were written, ascending. Reads them all, on up to `threads` threads.
  std::vector<int64_t> changed_records(int threads) const;

 private:
  /// @param extent  bytes of all records
  void check_records(int64_t extent) const;

  fs::path path_;
  std::shared_ptr<const std::byte> map_;
  int64_t records_at_ = 0;
  std::string header_;
  Table index_;
};

}  // namespace invaria::io

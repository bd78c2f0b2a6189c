#pragma once
/// @file
/// Named tensors in one file: the safetensors format (https://huggingface.co/docs/safetensors): 8 bytes little-endian
/// header length N, N bytes of JSON {name: {"dtype", "shape", "data_offsets": [begin, end]}, "__metadata__": {text:
/// text}}, then the data. Plain buffers: no LibTorch here.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/files.hpp"

namespace invaria::io {

/// Element types that Invaria stores.
enum class DType { kF64, kF32, kF16, kBF16, kI64, kU8 };

/// Bytes an element.
int64_t size_of(DType dtype);
/// "F64", "F32", "F16", "BF16", "I64", "U8".
const char* name_of(DType dtype);

/// A tensor in row-major order that lives elsewhere.
struct TensorView {
  std::string name;            ///< not empty, unique in its file, not "__metadata__"
  std::vector<int64_t> shape;  ///< empty for a scalar
  DType dtype = DType::kF32;
  std::span<const std::byte> bytes;  ///< product of `shape` x size_of(dtype) bytes
};

/// Write the tensors, streaming to a temporary file: afterwards the file is complete, or it was not touched. Data lie
/// with larger elements first, otherwise in the order given, and begin at a multiple of 64 bytes: every tensor is
/// aligned to its element.
/// @throws PreconditionError if a name repeats or a shape disagrees with its bytes; EnvironmentError from the file
/// system
void write_safetensors(const fs::path& path, std::span<const TensorView> tensors,
                       const std::map<std::string, std::string>& metadata = {});

/// A safetensors file, read into memory and checked whole before anything is handed out. (Mapped, a disk that fails
/// would end the process instead of being named.)
///
/// Checked: header length, JSON, known dtypes, shape x dtype = bytes, ranges inside the file, no overlap and no gap (as
/// the format asks). The data itself is not hashed: see sha256_file().
class SafetensorsFile {
 public:
  /// @throws EnvironmentError if it cannot be read; ConfigError naming the file and what is wrong with it
  explicit SafetensorsFile(fs::path path);

  const fs::path& path() const { return path_; }
  /// In the order of their data.
  std::vector<std::string> names() const;
  bool contains(const std::string& name) const { return tensors_.contains(name); }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// Valid while this object lives. Bytes may be unaligned if the writer was another program: copy, do not cast.
  /// @throws ConfigError naming the file if there is no such tensor
  const TensorView& view(const std::string& name) const;

 private:
  void parse(std::span<const std::byte> file);

  fs::path path_;
  std::shared_ptr<const std::string> bytes_;
  std::map<std::string, TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace invaria::io

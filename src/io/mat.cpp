#include "io/mat.hpp"

#include <fmt/ranges.h>
#include <matio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>

#include "core/errors.hpp"
#include "core/unique_handle.hpp"
#include "io/files.hpp"

namespace invaria::io {
namespace {

struct MatFileTraits {
  using Type = mat_t*;
  static Type invalid() { return nullptr; }
  static void close(Type file) noexcept { Mat_Close(file); }
};
struct MatVariableTraits {
  using Type = matvar_t*;
  static Type invalid() { return nullptr; }
  static void close(Type variable) noexcept { Mat_VarFree(variable); }
};

constexpr size_t kMostCompressed = 1032;  // zlib's bound

/// An element of a version 5 file, or of a matrix in it: a type and a length, then the bytes (MATLAB, "MAT-File
/// Format", 2006).
struct MatElement {
  uint32_t type = 0;
  size_t length = 0;       ///< as it claims
  std::string_view bytes;  ///< of which there are fewer if the file is cut off

  static constexpr uint32_t kInt32 = 5, kUint32 = 6, kMatrix = 14, kCompressed = 15;

  bool is_whole() const { return bytes.size() == length; }

  /// Take the first element off those of a file. @return false if there is not even its tag
  bool take_from_file(std::string_view& from) { return take(from, false); }
  /// The same within a matrix, where elements fill multiples of eight bytes, and a length of at most four may share the
  /// type's word.
  bool take_from_matrix(std::string_view& from) { return take(from, true); }

 private:
  bool take(std::string_view& from, bool in_matrix) {
    uint32_t words[2];
    if (from.size() < sizeof(words)) return false;
    std::memcpy(words, from.data(), sizeof(words));
    const bool is_small = in_matrix && (words[0] >> 16) != 0;
    type = is_small ? words[0] & 0xffff : words[0];
    length = is_small ? words[0] >> 16 : words[1];
    bytes = is_small ? from.substr(sizeof(words[0]), std::min(length, sizeof(words[1])))
                     : from.substr(sizeof(words), length);
    const size_t filled = in_matrix ? (length + 7) / 8 * 8 : length;
    from.remove_prefix(std::min(from.size(), sizeof(words) + (is_small ? 0 : filled)));
    return true;
  }
};

/// matio makes room for all that a matrix claims to have, dimensions, elements, names, before it looks for it, in
/// matrices within matrices too.
/// @param matrix  its elements: flags, dimensions, a name, then what it holds
/// @param is_all  whether these are all of its bytes, or only the first
/// @param most    elements that anything in the file can have
void check_claims(std::string_view matrix, bool is_all, size_t most, const std::string& name, int depth = 0) {
  constexpr int kMostDepth = 32;
  constexpr size_t kMostDimensions = 32, kLongestName = 4096, kFlags = 8;
  constexpr uint32_t kSparse = 5, kOpaque = 17;
  if (depth == kMostDepth) throw_config("{}: MATLAB matrices in matrices to a depth of {}", name, kMostDepth);
  uint32_t kind = 0;
  MatElement element;
  for (int place = 0; element.take_from_matrix(matrix); ++place) {
    if (place == 0) {
      if (element.type != MatElement::kUint32 || element.length != kFlags)
        throw_config("{}: a matrix without flags", name);
      uint32_t flags = 0;
      std::memcpy(&flags, element.bytes.data(), std::min(sizeof(flags), element.bytes.size()));
      kind = flags & 0xff;
    } else if (place == 1) {
      if (kind == kOpaque && element.type != MatElement::kInt32) return;  // an object has a name here; nobody reads it
      const size_t n_dimensions = element.length / sizeof(int32_t);
      if (element.type != MatElement::kInt32 || n_dimensions < 2 || element.length > kMostDimensions * sizeof(int32_t))
        throw_config("{}: a matrix claims {} dimensions", name, n_dimensions);
      std::array<int32_t, kMostDimensions> extents{};
      std::memcpy(extents.data(), element.bytes.data(), element.bytes.size());
      size_t n = 1;
      for (const int32_t extent : std::span(extents).first(element.bytes.size() / sizeof(int32_t))) {
        if (kind == kSparse) break;  // most of its elements are in no file
        if (extent < 0 || __builtin_mul_overflow(n, static_cast<size_t>(extent), &n) || n > most) {
          throw_config("{}: a matrix claims {} elements, more than the file can hold", name,
                       fmt::join(std::span(extents).first(n_dimensions), " x "));
        }
      }
    } else if (place == 2) {
      if (element.length > kLongestName) throw_config("{}: a matrix with a name of {} bytes", name, element.length);
    } else if (element.type == MatElement::kMatrix) {
      check_claims(element.bytes, element.is_whole(), most, name, depth + 1);
    }
    if (is_all && !element.is_whole()) throw_config("{}: a matrix that is cut off", name);
  }
}

/// The first bytes of what zlib has compressed; less if it is broken.
std::string inflated(std::string_view bytes, size_t most) {
  std::string out(std::min(most, kMostCompressed * bytes.size()), '\0');
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return {};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  inflate(&stream, Z_SYNC_FLUSH);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

/// matio takes what a file cut off lacks for zeros: a version 5 file must end where its last element does. What is
/// compressed is looked at as far as lists of pictures go.
void check_elements(std::string_view bytes, const std::string& name) {
  constexpr size_t kHeader = 128, kLookedAt = size_t{1} << 20;
  const std::string_view version = bytes.substr(std::min(bytes.size(), kHeader - 4), 4);
  if (version == std::string_view("\x01\x00MI", 4))
    throw_config("{}: a MATLAB file of a big-endian machine; load it and save it again", name);
  if (bytes.size() < kHeader || version != std::string_view("\x00\x01IM", 4)) return;
  const size_t most = kMostCompressed * bytes.size();
  bytes.remove_prefix(kHeader);
  for (MatElement element; !bytes.empty();) {
    if (!element.take_from_file(bytes) || !element.is_whole()) throw_config("{}: a MATLAB file that is cut off", name);
    if (element.type == MatElement::kMatrix) check_claims(element.bytes, true, most, name);
    if (element.type != MatElement::kCompressed) continue;
    const std::string beginning = inflated(element.bytes, kLookedAt);
    std::string_view left = beginning;
    if (MatElement inner; inner.take_from_file(left) && inner.type == MatElement::kMatrix)
      check_claims(inner.bytes, inner.is_whole(), most, name);
  }
}

/// matio only reads files by name: one in memory, gone when closed.
Descriptor memory_file(std::string_view bytes) {
  Descriptor file(memfd_create("mat", MFD_CLOEXEC));
  if (!file) throw_environment("memfd_create: {}", std::strerror(errno));
  while (!bytes.empty()) {
    const ssize_t written = write(file.get(), bytes.data(), bytes.size());
    if (written < 0) throw_environment("write to memory: {}", std::strerror(errno));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return file;
}

template <class T>
void append(const matvar_t& variable, std::vector<double>& values) {
  const std::span<const T> numbers(static_cast<const T*>(variable.data), variable.nbytes / sizeof(T));
  values.insert(values.end(), numbers.begin(), numbers.end());
}

/// All entries in storage order. @return false if the variable is not numeric and real
bool read_numbers(const matvar_t& variable, std::vector<double>& values) {
  if (variable.isComplex != 0 || variable.data == nullptr) return false;
  switch (variable.class_type) {
    case MAT_C_DOUBLE:
      return append<double>(variable, values), true;
    case MAT_C_SINGLE:
      return append<float>(variable, values), true;
    case MAT_C_INT8:
      return append<int8_t>(variable, values), true;
    case MAT_C_UINT8:
      return append<uint8_t>(variable, values), true;
    case MAT_C_INT16:
      return append<int16_t>(variable, values), true;
    case MAT_C_UINT16:
      return append<uint16_t>(variable, values), true;
    case MAT_C_INT32:
      return append<int32_t>(variable, values), true;
    case MAT_C_UINT32:
      return append<uint32_t>(variable, values), true;
    default:
      return false;
  }
}

std::string dimensions(const matvar_t& variable) {
  return fmt::format("{}", fmt::join(std::span(variable.dims, static_cast<size_t>(variable.rank)), " x "));
}

/// The same of what matio has read of a header, for the other versions.
void check_header(const matvar_t& variable, size_t most, const std::string& where) {
  size_t n = 1;
  for (const size_t extent : std::span(variable.dims, static_cast<size_t>(variable.rank))) {
    if (__builtin_mul_overflow(n, extent, &n) || n > most)
      throw_config("{}: claims {} elements, more than the file can hold", where, dimensions(variable));
  }
  if (variable.data == nullptr || (variable.class_type != MAT_C_STRUCT && variable.class_type != MAT_C_CELL)) return;
  for (const matvar_t* inner :
       std::span(static_cast<matvar_t* const*>(variable.data), variable.nbytes / sizeof(matvar_t*))) {
    if (inner != nullptr) check_header(*inner, most, where);
  }
}

std::string number_text(double value) {
  // Whole numbers without an exponent: they are ids.
  if (value == std::floor(value) && std::abs(value) < 1e15) return fmt::to_string(static_cast<int64_t>(value));
  return fmt::to_string(value);
}

MatRows numeric_rows(const matvar_t& variable, const std::string& where) {
  std::vector<double> values;
  if (!read_numbers(variable, values)) {
    throw_config("{}: found a variable of class {}, expected real numbers", where,
                 static_cast<int>(variable.class_type));
  }
  size_t n = 1;
  for (int d = 0; d < variable.rank; ++d) {
    if (variable.dims[d] != 1) n = variable.dims[d];
  }
  if (n == 0 || n > values.size() || values.size() % n != 0) {
    throw_config("{}: found {} numbers of {}, expected a full array", where, values.size(), dimensions(variable));
  }
  MatRows rows(n);
  const size_t length = values.size() / n;
  for (size_t i = 0; i < values.size(); ++i) rows[i / length].push_back(number_text(values[i]));
  return rows;
}

/// One field of one element: a number, or a text.
std::string field_text(const matvar_t* field, const std::string& where) {
  if (field == nullptr) throw_config("{}: found no such field", where);
  if (field->class_type == MAT_C_CHAR && field->data_type != MAT_T_UTF16 && field->data_type != MAT_T_UINT16) {
    return {static_cast<const char*>(field->data), field->nbytes};
  }
  if (field->class_type == MAT_C_CHAR) {
    std::string text;
    for (const uint16_t unit : std::span(static_cast<const uint16_t*>(field->data), field->nbytes / 2)) {
      if (unit > 127) throw_config("{}: found a character outside ASCII, expected an identifier", where);
      text += static_cast<char>(unit);
    }
    return text;
  }
  std::vector<double> values;
  if (!read_numbers(*field, values) || values.size() != 1) throw_config("{}: expected one number or a text", where);
  return number_text(values[0]);
}

}  // namespace

MatRows read_mat(std::string_view bytes, const std::string& variable, const std::vector<std::string>& fields,
                 const std::string& name) {
  check_elements(bytes, name);
  const Descriptor memory = memory_file(bytes);
  const UniqueHandle<MatFileTraits> file(
      Mat_Open(fmt::format("/proc/self/fd/{}", memory.get()).c_str(), MAT_ACC_RDONLY));
  if (!file) throw_config("{}: not a readable MATLAB file", name);
  const std::string where = fmt::format("{}, variable {}", name, variable);
  const UniqueHandle<MatVariableTraits> header(Mat_VarReadInfo(file.get(), variable.c_str()));
  if (header) check_header(*header.get(), kMostCompressed * bytes.size(), where);
  const UniqueHandle<MatVariableTraits> found(Mat_VarRead(file.get(), variable.c_str()));
  if (!found) {
    size_t n = 0;
    char** const names = Mat_GetDir(file.get(), &n);
    throw_config("{}: found no such variable, or a broken one; there are {}", where,
                 fmt::join(std::span(names, names == nullptr ? 0 : n), ", "));
  }
  if (fields.empty()) return numeric_rows(*found.get(), where);
  if (found.get()->class_type != MAT_C_STRUCT) {
    throw_config("{}: found {} numbers, expected a struct array", where, dimensions(*found.get()));
  }
  const std::span dims(found.get()->dims, static_cast<size_t>(found.get()->rank));
  // A broken file may leave matio with fields that have no name, over which its own search by name falls.
  const unsigned n_fields = Mat_VarGetNumberOfFields(found.get());
  char* const* const names = Mat_VarGetStructFieldnames(found.get());
  const bool is_named =
      names != nullptr && std::none_of(names, names + n_fields, [](const char* each) { return each == nullptr; });
  if (found.get()->data == nullptr || !is_named) throw_config("{}: a struct array without fields", where);
  // A file may claim any dimensions; each element has a pointer to each of its fields.
  size_t n = 1;
  for (const size_t extent : dims) {
    if (__builtin_mul_overflow(n, extent, &n) || n > found.get()->nbytes / sizeof(matvar_t*))
      throw_config("{}: found a struct array of {}, and elements of fewer", where, dimensions(*found.get()));
  }
  MatRows rows(n);
  for (size_t i = 0; i < n; ++i) {
    for (const std::string& field : fields) {
      rows[i].push_back(field_text(Mat_VarGetStructFieldByName(found.get(), field.c_str(), i),
                                   fmt::format("{}({}).{}", where, i + 1, field)));
    }
  }
  return rows;
}

}  // namespace invaria::io

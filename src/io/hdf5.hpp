#pragma once
/// @file
/// HDF5 for this room: owners of its identifiers and one checked wrapper for each call that Invaria needs (C API, 1.10
/// to 1.14).
///
/// Files are built and read in memory (the core driver): the bytes reach the disk through files.hpp alone, so that a
/// full disk, a kill or a lock of the file system never meets a half-written HDF5 file. Every failure is an
/// EnvironmentError with file, object, call and HDF5's own error stack. Not for several threads at once.

#include <hdf5.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/unique_handle.hpp"
#include "io/files.hpp"

namespace invaria::io {

/// How an identifier of one kind is closed.
template <herr_t (*Close)(hid_t)>
struct Hdf5Traits {
  using Type = hid_t;
  static Type invalid() { return H5I_INVALID_HID; }
  static void close(Type id) noexcept { Close(id); }
};
using FileHandle = UniqueHandle<Hdf5Traits<H5Fclose>>;
using GroupHandle = UniqueHandle<Hdf5Traits<H5Gclose>>;
using DataSetHandle = UniqueHandle<Hdf5Traits<H5Dclose>>;
using AttributeHandle = UniqueHandle<Hdf5Traits<H5Aclose>>;
using SpaceHandle = UniqueHandle<Hdf5Traits<H5Sclose>>;
using TypeHandle = UniqueHandle<Hdf5Traits<H5Tclose>>;
using ListHandle = UniqueHandle<Hdf5Traits<H5Pclose>>;
using ObjectHandle = UniqueHandle<Hdf5Traits<H5Oclose>>;

/// A new file in memory. `path` only names it in messages.
FileHandle create_file(const fs::path& path);
/// Flush and close with every failure reported. All other handles into the file must be closed.
/// @return the file's bytes
std::string close_file(FileHandle file, const fs::path& path);
/// close_file(), and put the bytes in place of `path` by temporary file, fsync and rename.
/// @throws EnvironmentError as write_file_atomically()
void publish_file(FileHandle file, const fs::path& path);
/// Read a file into memory and open it for reading. @throws EnvironmentError naming the file if it is missing,
/// truncated or not HDF5
FileHandle open_file(const fs::path& path);
/// The same for bytes that are in memory already; `path` names them in messages.
FileHandle open_bytes(std::string bytes, const fs::path& path);

/// Groups keep the order in which their members were made.
GroupHandle create_group(hid_t parent, const std::string& name);
GroupHandle open_group(hid_t parent, const std::string& name);
DataSetHandle open_dataset(hid_t parent, const std::string& name);
bool exists(hid_t parent, const std::string& name);
bool is_group(hid_t parent, const std::string& name);
/// The names of a group's members, in the order they were made.
std::vector<std::string> members(hid_t group);
/// How many data sets of a file or its groups are open; for messages and tests.
int64_t open_objects(hid_t file);

/// Scalar attributes. Text is UTF-8 of variable length; bytes that are not valid UTF-8, and NUL, become U+FFFD, so that
/// every reader can open the file.
void write_attribute(hid_t object, const std::string& name, std::string_view text);
void write_attribute(hid_t object, const std::string& name, double number);
void write_attribute(hid_t object, const std::string& name, int64_t number);
bool has_attribute(hid_t object, const std::string& name);
std::string read_text_attribute(hid_t object, const std::string& name);
double read_double_attribute(hid_t object, const std::string& name);
int64_t read_integer_attribute(hid_t object, const std::string& name);

/// Data sets of one to four dimensions in row-major order; `shape` multiplies to the number of values. Those of two
/// dimensions and more are compressed where the library can. Text as in write_attribute(), one dimension.
/// @throws PreconditionError if shape and values disagree
DataSetHandle write_dataset(hid_t parent, const std::string& name, std::span<const double> values,
                            const std::vector<int64_t>& shape);
DataSetHandle write_dataset(hid_t parent, const std::string& name, std::span<const int64_t> values,
                            const std::vector<int64_t>& shape);
DataSetHandle write_dataset(hid_t parent, const std::string& name, std::span<const std::string> values);

/// What a data set holds, told apart by its class.
enum class ElementKind { kDouble, kInteger, kText };
ElementKind element_kind(hid_t dataset);
std::vector<int64_t> shape_of(hid_t dataset);
/// All values, row-major. @throws EnvironmentError if the elements are of another kind
std::vector<double> read_doubles(hid_t dataset);
std::vector<int64_t> read_integers(hid_t dataset);
std::vector<std::string> read_texts(hid_t dataset);

/// Make a data set the dimension scale called `name` (H5DS).
void make_scale(hid_t dataset, const std::string& name);
/// Attach a scale to dimension `axis` of a data set.
void attach_scale(hid_t dataset, hid_t scale, int64_t axis);
/// The names of the scales attached to a data set, one a dimension; "" where there is none.
std::vector<std::string> attached_scales(hid_t dataset);

/// `text` with every NUL and every byte outside a valid UTF-8 sequence replaced by U+FFFD.
std::string valid_utf8(std::string_view text);

}  // namespace invaria::io

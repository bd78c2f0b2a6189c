#pragma once
/// @file
/// The check behind every HDF5 call of this room.

#include <string>

#include "io/hdf5.hpp"

namespace invaria::io::hdf5 {

/// What HDF5 sees behind the path of a file that was read into memory; messages leave it out.
constexpr const char* kImageSuffix = " (image)";

/// Stop HDF5 from printing its errors itself.
void silence();

/// `file:/path/of/object`, as far as HDF5 can tell.
std::string describe(hid_t object);

/// @throws EnvironmentError: where, call and HDF5's error stack
[[noreturn]] void fail(const char* call, hid_t where, const std::string& name);

/// Pass a result on, or fail if it is negative.
/// @param where  the object the call was about, or H5I_INVALID_HID
/// @param name   a member of `where`, or a path if there is no object yet
template <class T>
T check(T result, const char* call, hid_t where, const std::string& name = {}) {
  if (result < 0) fail(call, where, name);
  return result;
}

/// UTF-8 text of variable length.
TypeHandle text_type();

}  // namespace invaria::io::hdf5

#pragma once
/// @file
/// A checksum behind a file's bytes, where HDF5's readers do not look: HDF5 itself reads altered numbers as if nothing
/// were wrong, and altered structure at the program's peril.

#include <string>

#include "io/files.hpp"

namespace invaria::io {

/// The bytes, and behind them their seal: a mark and their SHA-256 in hexadecimal digits.
std::string sealed(std::string bytes);

/// Take the seal off, if there is one. HDF5 drops it when another program opens the file for writing, so that a file
/// without is one that was edited, or that an earlier version wrote.
/// @param path  for messages @throws EnvironmentError if the bytes are not those that were sealed
std::string unsealed(std::string bytes, const fs::path& path);

}  // namespace invaria::io

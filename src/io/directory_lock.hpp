#pragma once
/// @file
/// One run at a time in a directory.

#include "io/files.hpp"

namespace invaria::io {

/// Holds `<directory>/lock` (flock) until destroyed; the system lets go of it when a process dies. Where the file
/// system knows no locks it holds nothing: is_held() says so.
class DirectoryLock {
 public:
  /// @throws EnvironmentError naming the host and process that hold it, or path, call and error text
  explicit DirectoryLock(const fs::path& directory);

  bool is_held() const { return is_held_; }

 private:
  Descriptor file_;
  bool is_held_ = false;
};

}  // namespace invaria::io

#pragma once
/// @file
/// One run at a time in a directory; the shares of one run side by side.

#include <string>

#include "io/files.hpp"

namespace invaria::io {

/// A run that several processes do at once, each its share: what they must have in common, and which one this is.
struct LockedShare {
  std::string run;  ///< equal for all shares of a run, and for no other run
  int64_t index = 0;
  int64_t count = 1;
};

/// Holds `<directory>/lock` (flock) until destroyed; the system lets go of it when a process dies. Where the file
/// system knows no locks it holds nothing: is_held() says so.
///
/// Shares of one run hold it together, and each its place in `<directory>/lock.shares`, so that no share is done twice
/// at once.
class DirectoryLock {
 public:
  /// For a whole run, alone in the directory.
  /// @throws EnvironmentError naming the host and process that hold it, or path, call and error text
  explicit DirectoryLock(const fs::path& directory);
  /// For a share. @throws EnvironmentError the same, if a whole run, shares of another run, or the same share is at
  /// work
  DirectoryLock(const fs::path& directory, const LockedShare& share);

  bool is_held() const { return is_held_; }

 private:
  bool hold_place(const fs::path& directory, const LockedShare& share);

  Descriptor file_, places_;
  bool is_held_ = false;
};

}  // namespace invaria::io

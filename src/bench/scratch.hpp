#pragma once
/// @file
/// A folder for what stages and adapters hand each other.

#include <filesystem>

namespace invaria::bench {

/// Made with a name of its own where temporary files go, removed with the files in it.
class Scratch {
 public:
  /// @throws EnvironmentError if it cannot be made
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace invaria::bench

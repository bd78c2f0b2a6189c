/// @file
/// Calls a fuzz target with every file of the folders that are named.

#include <fmt/format.h>

#include <filesystem>

#include "tests/fuzz/target.hpp"

int main(int argc, char** argv) {
  int n_files = 0;
  for (int n = 1; n < argc; ++n) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[n])) {
      const std::string bytes = invaria::io::read_file(entry.path());
      fmt::print("{}\n", entry.path().string());
      std::fflush(stdout);  // a crash names its file
      LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
      ++n_files;
    }
  }
  fmt::print("{} files\n", n_files);
  return n_files > 0 ? 0 : 1;
}

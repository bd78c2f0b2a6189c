#include "bench/scratch.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "core/errors.hpp"

namespace invaria::bench {

Scratch::Scratch() {
  std::string name = (std::filesystem::temp_directory_path() / "invaria-bench-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw_environment("{}: {}", name, std::strerror(errno));
  path_ = name;
}

Scratch::~Scratch() {
  // Not remove_all(): LibTorch's library exports one that calls what it lacks.
  std::error_code ignored;
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path_, ignored)) found.push_back(entry.path());
  for (auto path = found.rbegin(); path != found.rend(); ++path) std::filesystem::remove(*path, ignored);
  std::filesystem::remove(path_, ignored);
}

}  // namespace invaria::bench

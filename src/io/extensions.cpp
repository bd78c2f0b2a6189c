#include "io/extensions.hpp"

#include <algorithm>
#include <cctype>
#include <string>

namespace invaria::io {

bool has_extension(std::string_view file_name, std::initializer_list<std::string_view> endings) {
  std::string lower(file_name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::any_of(endings.begin(), endings.end(), [&](std::string_view ending) { return lower.ends_with(ending); });
}

}  // namespace invaria::io

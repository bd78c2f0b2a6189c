#include "config/differences.hpp"

#include <fmt/format.h>

namespace invaria::config {
namespace {

void difference_paths(const json::value& there, const json::value& here, const std::string& path,
                      std::vector<std::string>& out) {
  if (there == here) return;
  if (there.is_object() && here.is_object()) {
    for (const auto& member : there.get_object()) {
      const std::string key(member.key());
      const json::value* other = here.get_object().if_contains(member.key());
      difference_paths(member.value(), other != nullptr ? *other : json::value(), join_path(path, key), out);
    }
    for (const auto& member : here.get_object()) {
      if (!there.get_object().contains(member.key())) {
        out.push_back(fmt::format("{}: absent there, {} here", join_path(path, std::string(member.key())),
                                  excerpt(member.value())));
      }
    }
    return;
  }
  if (there.is_array() && here.is_array() && there.get_array().size() == here.get_array().size()) {
    for (size_t index = 0; index < there.get_array().size(); ++index) {
      difference_paths(there.get_array()[index], here.get_array()[index], fmt::format("{}[{}]", path, index), out);
    }
    return;
  }
  out.push_back(fmt::format("{}: {} there, {} here", path, excerpt(there), excerpt(here)));
}

}  // namespace

std::vector<std::string> differences(const json::value& there, const json::value& here) {
  std::vector<std::string> out;
  difference_paths(there, here, "", out);
  return out;
}

}  // namespace invaria::config

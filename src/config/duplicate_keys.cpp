#include "config/duplicate_keys.hpp"

#include <fmt/format.h>

#include <boost/json/basic_parser_impl.hpp>
#include <cstdint>
#include <limits>
#include <set>
#include <string_view>
#include <vector>

#include "config/setting.hpp"

namespace invaria::config {
namespace {

/// Where the parser stands: one level an open object or list.
struct Level {
  bool is_object;
  std::set<std::string> keys;
  std::string key;   ///< of the present member
  size_t index = 0;  ///< of the present element
};

std::string path_of(const std::vector<Level>& levels) {
  std::string path;
  for (const Level& level : levels) {
    path = level.is_object ? join_path(path, level.key) : fmt::format("{}[{}]", path, level.index);
  }
  return path;
}

/// The events that Boost.JSON's basic_parser calls. All return true: go on.
class KeyHandler {
 public:
  static constexpr size_t max_object_size = std::numeric_limits<size_t>::max();
  static constexpr size_t max_array_size = std::numeric_limits<size_t>::max();
  static constexpr size_t max_key_size = std::numeric_limits<size_t>::max();
  static constexpr size_t max_string_size = std::numeric_limits<size_t>::max();
  using Error = boost::system::error_code;
  using Text = std::string_view;

  std::optional<std::string> found;

  bool on_document_begin(Error&) { return true; }
  bool on_document_end(Error&) { return true; }
  bool on_object_begin(Error&) { return open(true); }
  bool on_object_end(size_t, Error&) { return close(); }
  bool on_array_begin(Error&) { return open(false); }
  bool on_array_end(size_t, Error&) { return close(); }
  bool on_key_part(Text part, size_t, Error&) {
    part_ += part;
    return true;
  }
  bool on_key(Text rest, size_t, Error&) {
    Level& level = levels_.back();
    level.key = part_ + std::string(rest);
    part_.clear();
    if (!level.keys.insert(level.key).second && !found) found = path_of(levels_);
    return true;
  }
  bool on_string_part(Text, size_t, Error&) { return true; }
  bool on_string(Text, size_t, Error&) { return value(); }
  bool on_number_part(Text, Error&) { return true; }
  bool on_int64(int64_t, Text, Error&) { return value(); }
  bool on_uint64(uint64_t, Text, Error&) { return value(); }
  bool on_double(double, Text, Error&) { return value(); }
  bool on_bool(bool, Error&) { return value(); }
  bool on_null(Error&) { return value(); }
  bool on_comment_part(Text, Error&) { return true; }
  bool on_comment(Text, Error&) { return true; }

 private:
  bool open(bool is_object) {
    levels_.push_back({is_object, {}, "", 0});
    return true;
  }
  bool close() {
    levels_.pop_back();
    return value();
  }
  bool value() {
    if (!levels_.empty() && !levels_.back().is_object) ++levels_.back().index;
    return true;
  }

  std::vector<Level> levels_;
  std::string part_;
};

}  // namespace

std::optional<std::string> first_duplicate_key(const std::string& text) {
  json::basic_parser<KeyHandler> parser{json::parse_options()};
  boost::system::error_code error;
  parser.write_some(false, text.data(), text.size(), error);
  return parser.handler().found;
}

}  // namespace invaria::config

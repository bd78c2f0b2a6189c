#include "config/setting.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/stream_parser.hpp>
#include <string_view>

#include "config/duplicate_keys.hpp"
#include "core/errors.hpp"

namespace invaria::config {
namespace {

constexpr size_t kExcerptLength = 80;
constexpr size_t kLineLength = 120;
constexpr const char* kNamePattern = "^[A-Za-z0-9][A-Za-z0-9_.+-]*$";  // is_name() in words

void pretty_to(std::string& out, const json::value& value, size_t indent) {
  const std::string flat = json::serialize(value);
  const bool is_container = value.is_object() || value.is_array();
  if (!is_container || indent + flat.size() <= kLineLength) {
    // One line, with the spaces that people expect after commas and colons.
    if (const json::object* object = value.if_object()) {
      out += '{';
      bool first = true;
      for (const auto& member : *object) {
        out += fmt::format("{}{}: ", first ? "" : ", ", json::serialize(json::value(member.key())));
        pretty_to(out, member.value(), 0);
        first = false;
      }
      out += '}';
    } else if (const json::array* array = value.if_array()) {
      out += '[';
      for (size_t i = 0; i < array->size(); ++i) {
        if (i > 0) out += ", ";
        pretty_to(out, (*array)[i], 0);
      }
      out += ']';
    } else {
      out += flat;
    }
    return;
  }
  const std::string pad(indent + 2, ' ');
  if (const json::object* object = value.if_object()) {
    out += "{\n";
    size_t index = 0;
    for (const auto& member : *object) {
      out += fmt::format("{}{}: ", pad, json::serialize(json::value(member.key())));
      pretty_to(out, member.value(), indent + 2);
      out += ++index < object->size() ? ",\n" : "\n";
    }
    out += std::string(indent, ' ') + "}";
  } else {
    const json::array& array = value.get_array();
    out += "[\n";
    for (size_t i = 0; i < array.size(); ++i) {
      out += pad;
      pretty_to(out, array[i], indent + 2);
      out += i + 1 < array.size() ? ",\n" : "\n";
    }
    out += std::string(indent, ' ') + "]";
  }
}

/// One step of a path: a key, or an index in brackets.
struct PathStep {
  std::string key;
  std::optional<size_t> index;
};

std::vector<PathStep> split_path(const std::string& path) {
  std::vector<PathStep> steps;
  std::string key;
  const auto flush = [&] {
    if (!key.empty()) steps.push_back({key, std::nullopt});
    key.clear();
  };
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '.') {
      flush();
    } else if (path[i] == '[') {
      flush();
      const size_t close = path.find(']', i);
      const std::string digits = path.substr(i + 1, close == std::string::npos ? close : close - i - 1);
      if (close == std::string::npos || digits.empty() || digits.size() > 9 ||
          !std::all_of(digits.begin(), digits.end(), [](unsigned char c) { return std::isdigit(c) != 0; })) {
        throw_config("--set {}: found \"[{}\", expected an index like [0]", path, digits);
      }
      steps.push_back({"", std::stoul(digits)});
      i = close;
    } else {
      key += path[i];
    }
  }
  flush();
  return steps;
}

}  // namespace

bool is_name(const std::string& text) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !text.empty() && is_plain(text.front()) && std::all_of(text.begin(), text.end(), [&](char c) {
    return is_plain(c) || std::string_view("_.+-").find(c) != std::string_view::npos;
  });
}

std::string rule_in_words(const Rule& rule) {
  const bool has_minimum = std::isfinite(rule.minimum);
  const bool has_maximum = std::isfinite(rule.maximum);
  if (has_minimum && has_maximum)
    return fmt::format("in {}{}, {}]", rule.exclusive_minimum ? "(" : "[", rule.minimum, rule.maximum);
  if (has_minimum) return fmt::format("{} {}", rule.exclusive_minimum ? "above" : "at least", rule.minimum);
  if (has_maximum) return fmt::format("at most {}", rule.maximum);
  return "of any size";
}

std::string excerpt(const json::value& value) {
  std::string text = json::serialize(value);
  if (text.size() > kExcerptLength) text = text.substr(0, kExcerptLength) + "...";
  return text;
}

std::string join_path(const std::string& parent, const std::string& key) {
  return parent.empty() ? key : parent + "." + key;
}

namespace detail {

void read_number(const json::value& value, const std::string& path, const Rule& rule, double& out, Problems& problems) {
  // Boost.JSON reads 1e999 as infinity.
  if (!value.is_number() || !std::isfinite(value.to_number<double>()) || !obeys(value.to_number<double>(), rule)) {
    problems.add(path, excerpt(value), fmt::format("a number {}", rule_in_words(rule)));
    return;
  }
  out = value.to_number<double>();
}

void read_integer(const json::value& value, const std::string& path, const Rule& rule, int64_t& out,
                  Problems& problems) {
  boost::system::error_code error;
  const auto number = value.is_number() ? value.to_number<int64_t>(error) : 0;
  if (!value.is_number() || error || !obeys(static_cast<double>(number), rule)) {
    problems.add(path, excerpt(value), fmt::format("a whole number {}", rule_in_words(rule)));
    return;
  }
  out = number;
}

void read_text(const json::value& value, const std::string& path, const Rule& rule, std::string& out,
               Problems& problems) {
  const json::string* text = value.if_string();
  if (text == nullptr || (rule.required && text->empty())) {
    problems.add(path, excerpt(value), text == nullptr ? "a text" : "a text that is not empty");
    return;
  }
  if (rule.is_name && !is_name(std::string(*text))) {
    problems.add(path, excerpt(value), "a name: letters, digits and _ . + -, first a letter or digit");
    return;
  }
  out = std::string(*text);
}

void read_flag(const json::value& value, const std::string& path, bool& out, Problems& problems) {
  if (!value.is_bool()) {
    problems.add(path, excerpt(value), "true or false");
    return;
  }
  out = value.get_bool();
}

json::object text_schema(const Rule& rule) {
  json::object object{{"type", "string"}};
  if (rule.is_name) object["pattern"] = kNamePattern;
  return object;
}

json::object number_schema(const char* type, const Rule& rule) {
  json::object object{{"type", type}};
  if (std::isfinite(rule.minimum)) object[rule.exclusive_minimum ? "exclusiveMinimum" : "minimum"] = rule.minimum;
  if (std::isfinite(rule.maximum)) object["maximum"] = rule.maximum;
  return object;
}

}  // namespace detail

json::value parse_text(const std::string& whole, const std::string& source) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  const std::string text = whole.starts_with(kByteOrderMark) ? whole.substr(kByteOrderMark.size()) : whole;
  boost::json::stream_parser parser;
  boost::system::error_code error;
  const size_t consumed = parser.write_some(text, error);
  if (!error && consumed < text.size()) {
    const bool only_space = text.find_first_not_of(" \t\r\n", consumed) == std::string::npos;
    if (!only_space) error = json::error::extra_data;
  }
  if (!error) parser.finish(error);
  if (error) {
    const auto until = text.begin() + static_cast<std::ptrdiff_t>(std::min(consumed, text.size()));
    const auto line = std::count(text.begin(), until, '\n') + 1;
    const auto line_start = std::find(std::make_reverse_iterator(until), text.rend(), '\n').base();
    throw_config("{}, line {}, column {}: not JSON: {}", source, line, until - line_start + 1, error.message());
  }
  if (const auto duplicate = first_duplicate_key(text)) {
    throw_config("{}: {} is there twice; leave one", source, *duplicate);
  }
  return parser.release();
}

std::string pretty(const json::value& value) {
  std::string out;
  pretty_to(out, value, 0);
  return out + "\n";
}

void apply_override(json::value& root, const std::string& assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw_config("--set {}: expected json.path=value, for example --set repeats=1", assignment);
  }
  const std::string path = assignment.substr(0, equals);
  const std::string right = assignment.substr(equals + 1);
  boost::system::error_code not_json;
  json::value value = json::parse(right, not_json);
  if (not_json) value = json::string(right);

  json::value* at = &root;
  for (const PathStep& step : split_path(path)) {
    if (step.index) {
      json::array* array = at->if_array();
      if (array == nullptr) {
        throw_config("--set {}: there is no list at [{}] in the file; set the whole list", path, *step.index);
      }
      if (*step.index >= array->size()) {
        throw_config("--set {}: index {} is outside the list, which has {} elements", path, *step.index, array->size());
      }
      at = &(*array)[*step.index];
    } else {
      if (at->is_null()) at->emplace_object();
      json::object* object = at->if_object();
      if (object == nullptr)
        throw_config("--set {}: \"{}\" is looked for in something that is no object", path, step.key);
      at = &(*object)[step.key];
    }
  }
  // `known.marks=11` means the text that it replaces, not a number.
  const bool is_text_in_place = at->is_string() && (value.is_number() || value.is_bool());
  *at = is_text_in_place ? json::value(json::string(right)) : std::move(value);
}

}  // namespace invaria::config

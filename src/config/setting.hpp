#pragma once
/// @file
/// A setting is declared once, in the struct that uses it; parsing, bounds, JSON schema, help and the record follow
/// from that.
///
///     struct NtXentSettings {
///       double temperature = 0.2;
///       static auto settings() {
///         return std::tuple{setting("temperature", &NtXentSettings::temperature, "divides the cosines", between(1e-3,
///         10))};
///       }
///     };
///
/// A member may be bool, int64_t, double, std::string, an enum with EnumNames, another settings struct, or std::vector
/// or std::optional of one of these. A struct may also have `void validate(const std::string& path, Problems&) const`
/// for rules that span members; it is called after its members were read without a problem. And it may have
/// `void start_from(const json::object& given)`, called before its members are read: it sets what members that `given`
/// lacks are to be (a named preset), and says nothing of values that are wrong, which their own reading reports.

#include <array>
#include <boost/json/value.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "config/problems.hpp"

namespace invaria::config {

namespace json = boost::json;

/// The names of an enum in JSON. Specialise with `static constexpr std::array<std::pair<E, const char*>, N> kNames`.
template <class E>
struct EnumNames;

/// What a value must satisfy. For a number its range; for a text or list, the range of its length; for a list of
/// numbers each element obeys `minimum` and `maximum` and the length is free.
struct Rule {
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  bool exclusive_minimum = false;
  bool required = false;
  bool is_name = false;  ///< a text that names a file, a column or an attribute: see is_name()
};

constexpr Rule anything() {
  return {};
}
constexpr Rule required() {
  return {.required = true};
}
constexpr Rule required_name() {
  return {.required = true, .is_name = true};
}
constexpr Rule between(double minimum, double maximum) {
  return {.minimum = minimum, .maximum = maximum};
}
constexpr Rule at_least(double minimum) {
  return {.minimum = minimum};
}
constexpr Rule above(double minimum) {
  return {.minimum = minimum, .exclusive_minimum = true};
}

/// One declared setting of struct S.
template <class S, class T>
struct Setting {
  const char* name;
  T S::*member;
  const char* help;
  Rule rule;
};

template <class S, class T>
constexpr Setting<S, T> setting(const char* name, T S::*member, const char* help, Rule rule = {}) {
  return {name, member, help, rule};
}

template <class T>
concept SettingsStruct = requires { T::settings(); };

/// Letters, digits and `_ . + -`, the first a letter or digit: fit for a file, a column and a table.
bool is_name(const std::string& text);
/// "in [0, 1]", "above 0", "at least 1": the rule in words.
std::string rule_in_words(const Rule& rule);
/// A JSON value cut to a readable length for a message.
std::string excerpt(const json::value& value);
/// `parent.key`, or `key` at the top level.
std::string join_path(const std::string& parent, const std::string& key);

/// Read `value` into `out`; what does not fit is added to `problems` with its JSON path and `out` keeps its default.
template <class T>
void read(const json::value& value, const std::string& path, const Rule& rule, T& out, Problems& problems);

/// The value as JSON, defaults included: the record in the results file.
template <class T>
json::value write(const T& value);

/// The JSON name of an enum's value.
template <class E>
std::string name_of(E value);

/// The JSON schema (draft 2020-12) of a type.
template <class T>
json::object schema(const Rule& rule = {});

/// Parse `value` as a T.
template <class T>
T parse(const json::value& value, const std::string& path, Problems& problems) {
  T out{};
  read(value, path, Rule{}, out, problems);
  return out;
}

/// Parse JSON text; a byte order mark is skipped. @throws ConfigError naming `source`, and line and column, or the path
/// of a member that is there twice
json::value parse_text(const std::string& whole, const std::string& source);

/// Serialise with two-space indentation; objects and lists that fit in 120 columns stay on one line.
std::string pretty(const json::value& value);

/// Set one value by its path: `apply_override(v, "repeats=1")`; `a[2].b` indexes lists; the right side is JSON,
/// or text if it is none, or a number that replaces a text. Missing members on the way are made. @throws ConfigError if
/// the text has no `=` or an index is out of range
void apply_override(json::value& root, const std::string& assignment);

}  // namespace invaria::config

#include "config/setting_impl.hpp"

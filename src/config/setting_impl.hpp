#pragma once
/// @file
/// The templates behind setting.hpp: one overload set a direction (read, write, schema) over the kinds of member.

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cmath>

#include "config/setting.hpp"
#include "core/errors.hpp"

namespace invaria::config {
namespace detail {

template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};

template <class E>
std::vector<std::string> enum_names() {
  std::vector<std::string> names;
  for (const auto& [value, name] : EnumNames<E>::kNames) names.emplace_back(name);
  return names;
}

inline bool obeys(double value, const Rule& rule) {
  return rule.exclusive_minimum ? value > rule.minimum && value <= rule.maximum
                                : value >= rule.minimum && value <= rule.maximum;
}

void read_number(const json::value& value, const std::string& path, const Rule& rule, double& out, Problems& problems);
void read_integer(const json::value& value, const std::string& path, const Rule& rule, int64_t& out,
                  Problems& problems);
void read_text(const json::value& value, const std::string& path, const Rule& rule, std::string& out,
               Problems& problems);
void read_flag(const json::value& value, const std::string& path, bool& out, Problems& problems);
json::object text_schema(const Rule& rule);
json::object number_schema(const char* type, const Rule& rule);

template <class S>
void read_struct(const json::value& value, const std::string& path, S& out, Problems& problems) {
  const json::object* object = value.if_object();
  if (object == nullptr) {
    problems.add(path, excerpt(value), "an object");
    return;
  }
  const size_t problems_before = problems.list().size();
  if constexpr (requires { out.start_from(*object); }) out.start_from(*object);
  std::vector<std::string> known;
  std::apply(
      [&](const auto&... settings) {
        const auto one = [&](const auto& setting) {
          known.emplace_back(setting.name);
          const json::value* member = object->if_contains(setting.name);
          const std::string member_path = join_path(path, setting.name);
          if (member != nullptr) {
            read(*member, member_path, setting.rule, out.*(setting.member), problems);
          } else if (setting.rule.required) {
            problems.add(member_path, "", fmt::format("a value: {}", setting.help));
          }
        };
        (one(settings), ...);
      },
      S::settings());
  for (const auto& member : *object) {
    const std::string key(member.key());
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      problems.add(join_path(path, key), excerpt(member.value()), "a known key", name_hint(key, known));
    }
  }
  if constexpr (requires { out.validate(path, problems); }) {
    if (problems.list().size() == problems_before) out.validate(path, problems);
  }
}

}  // namespace detail

template <class T>
void read(const json::value& value, const std::string& path, const Rule& rule, T& out, Problems& problems) {
  if constexpr (std::is_same_v<T, bool>) {
    detail::read_flag(value, path, out, problems);
  } else if constexpr (std::is_same_v<T, int64_t>) {
    detail::read_integer(value, path, rule, out, problems);
  } else if constexpr (std::is_same_v<T, double>) {
    detail::read_number(value, path, rule, out, problems);
  } else if constexpr (std::is_same_v<T, std::string>) {
    detail::read_text(value, path, rule, out, problems);
  } else if constexpr (std::is_enum_v<T>) {
    const json::string* text = value.if_string();
    const std::string name = text != nullptr ? std::string(*text) : std::string();
    for (const auto& [candidate, known] : EnumNames<T>::kNames) {
      if (text != nullptr && name == known) {
        out = candidate;
        return;
      }
    }
    problems.add(path, excerpt(value), "a known name", name_hint(name, detail::enum_names<T>()));
  } else if constexpr (detail::is_optional<T>::value) {
    if (value.is_null()) {
      out.reset();
      return;
    }
    const size_t problems_before = problems.list().size();
    typename T::value_type inner{};
    read(value, path, rule, inner, problems);
    if (problems.list().size() == problems_before) out = std::move(inner);
  } else if constexpr (detail::is_vector<T>::value) {
    const json::array* array = value.if_array();
    if (array == nullptr) {
      problems.add(path, excerpt(value), "a list");
      return;
    }
    out.clear();
    for (size_t index = 0; index < array->size(); ++index) {
      typename T::value_type element{};
      read((*array)[index], fmt::format("{}[{}]", path, index), rule, element, problems);
      out.push_back(std::move(element));
    }
  } else {
    static_assert(SettingsStruct<T>, "not a type that a setting can have");
    detail::read_struct(value, path, out, problems);
  }
}

template <class E>
std::string name_of(E value) {
  for (const auto& [candidate, name] : EnumNames<E>::kNames) {
    if (candidate == value) return name;
  }
  throw PreconditionError("name_of: a value without a name");
}

template <class T>
json::value write(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return json::string(name_of(value));
  } else if constexpr (detail::is_optional<T>::value) {
    if (!value) return nullptr;
    return write(*value);
  } else if constexpr (detail::is_vector<T>::value) {
    json::array array;
    for (const auto& element : value) array.push_back(write(static_cast<const typename T::value_type&>(element)));
    return array;
  } else if constexpr (SettingsStruct<T>) {
    json::object object;
    std::apply([&](const auto&... settings) { ((object[settings.name] = write(value.*(settings.member))), ...); },
               T::settings());
    return object;
  } else {
    return json::value(value);
  }
}

template <class T>
json::object schema(const Rule& rule) {
  if constexpr (std::is_same_v<T, bool>) {
    return {{"type", "boolean"}};
  } else if constexpr (std::is_same_v<T, int64_t>) {
    return detail::number_schema("integer", rule);
  } else if constexpr (std::is_same_v<T, double>) {
    return detail::number_schema("number", rule);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return detail::text_schema(rule);
  } else if constexpr (std::is_enum_v<T>) {
    json::array names;
    for (const std::string& name : detail::enum_names<T>()) names.emplace_back(name);
    return {{"enum", names}};
  } else if constexpr (detail::is_optional<T>::value) {
    return {{"anyOf", json::array{schema<typename T::value_type>(rule), json::object{{"type", "null"}}}}};
  } else if constexpr (detail::is_vector<T>::value) {
    return {{"type", "array"}, {"items", schema<typename T::value_type>(rule)}};
  } else {
    static_assert(SettingsStruct<T>, "not a type that a setting can have");
    json::object properties;
    json::array required;
    const T defaults{};
    std::apply(
        [&](const auto&... settings) {
          const auto one = [&](const auto& setting) {
            using Member = std::remove_cvref_t<decltype(defaults.*(setting.member))>;
            json::object property = schema<Member>(setting.rule);
            property["description"] = setting.help;
            if (setting.rule.required) {
              required.emplace_back(setting.name);
            } else {
              property["default"] = write(defaults.*(setting.member));
            }
            properties[setting.name] = property;
          };
          (one(settings), ...);
        },
        T::settings());
    json::object object{{"type", "object"}, {"properties", properties}, {"additionalProperties", false}};
    if (!required.empty()) object["required"] = required;
    return object;
  }
}

}  // namespace invaria::config

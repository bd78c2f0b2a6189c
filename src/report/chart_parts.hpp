#pragma once
/// @file
/// What the charts are put together from.

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>
#include <string>
#include <string_view>

#include "report/charts.hpp"

namespace invaria::report {

namespace json = boost::json;

/// A number with six digits (a chart has no pixels for more); null if it is not finite.
inline json::value number(double value) {
  if (!std::isfinite(value)) return nullptr;
  return std::stod(fmt::format("{:.6g}", value));
}

/// A specification: `text` is JSON, `rows` its data.
inline json::object specification(std::string_view text, json::array rows, const std::string& description) {
  json::object spec = json::parse(text).as_object();
  spec["$schema"] = "https://vega.github.io/schema/vega-lite/v4.17.0.json";  // a name; nothing is fetched
  spec["description"] = description;
  spec["width"] = "container";
  spec["data"] = json::object{{"values", std::move(rows)}};
  return spec;
}

/// Put a value at a place of a specification: "/encoding/x/title".
template <class T>
void set(json::object& spec, std::string_view pointer, T&& value) {
  json::value whole = std::move(spec);
  whole.set_at_pointer(pointer, json::value_from(std::forward<T>(value)));
  spec = std::move(whole.as_object());
}

/// A chart of lines, a colour a name: line_point()s over `x`, drawn from the least to the greatest.
struct LineAxes {
  std::string x;  ///< titles
  std::string y;
};
json::object line_point(const std::string& name, double x, double y);
Chart line_chart(const std::string& id, const std::string& title, json::array points, const LineAxes& axes);

}  // namespace invaria::report

#include <fmt/format.h>

#include "report/numbers.hpp"
#include "report/writers.hpp"

namespace invaria::report {

namespace {

/// "92.0 ± 25.4", the interval fainter than the value.
std::string content_of(const Cell& cell) {
  const size_t at = cell.has_interval() ? cell.text.find(" ± ") : std::string::npos;
  if (at == std::string::npos) return html_escaped(cell.text);
  return fmt::format("{}<span class=\"interval\">{}</span>", html_escaped(cell.text.substr(0, at)),
                     html_escaped(cell.text.substr(at)));
}

std::string html_of(const Cell& cell, const Column& column) {
  std::string classes = column.align == Align::kRight ? "number" : "";
  if (cell.emphasis == Emphasis::kBest) classes += classes.empty() ? "best" : " best";
  if (cell.text == kNotAvailable) classes += classes.empty() ? "absent" : " absent";
  std::string attributes = column.is_key ? " scope=\"row\"" : "";
  if (!classes.empty()) attributes += fmt::format(" class=\"{}\"", classes);
  if (cell.has_value()) attributes += fmt::format(" data-value=\"{:.12g}\"", cell.value);
  const char* element = column.is_key ? "th" : "td";
  return fmt::format("<{0}{1}>{2}</{0}>", element, attributes, content_of(cell));
}

}  // namespace

std::string html_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string html(const Table& table) {
  std::string out = "<table>\n<thead><tr>";
  for (const Column& column : table.columns()) {
    const std::string units =
        column.units.empty() ? "" : fmt::format(" <span class=\"units\">{}</span>", html_escaped(column.units));
    out += fmt::format("<th scope=\"col\"{}>{}{}</th>", column.align == Align::kRight ? " class=\"number\"" : "",
                       html_escaped(column.heading), units);
  }
  out += "</tr></thead>\n<tbody>\n";
  for (const std::vector<Cell>& row : table.rows()) {
    out += "<tr>";
    for (size_t k = 0; k < row.size(); ++k) out += html_of(row[k], table.columns()[k]);
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table>\n";
}

}  // namespace invaria::report

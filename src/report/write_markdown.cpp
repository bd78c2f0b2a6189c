#include "report/writers.hpp"

namespace invaria::report {

std::string markdown_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("\\`*_{}[]<>#|~$&").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string markdown(const Table& table) {
  std::string out = "|", rule = "|";
  for (const Column& column : table.columns()) {
    const std::string units = column.units.empty() ? "" : " (" + markdown_escaped(column.units) + ")";
    out += " " + markdown_escaped(column.heading) + units + " |";
    rule += column.align == Align::kLeft ? " :--- |" : " ---: |";
  }
  out += "\n" + rule + "\n";
  for (const std::vector<Cell>& row : table.rows()) {
    out += "|";
    for (const Cell& cell : row) {
      const std::string text = markdown_escaped(cell.text);
      out += cell.emphasis == Emphasis::kBest ? " **" + text + "** |" : " " + text + " |";
    }
    out += "\n";
  }
  return out;
}

}  // namespace invaria::report

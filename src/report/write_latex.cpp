#include <utility>

#include "report/writers.hpp"

namespace invaria::report {

namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

std::string latex_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\\':
        out += "\\textbackslash{}";
        break;
      case '~':
        out += "\\textasciitilde{}";
        break;
      case '^':
        out += "\\textasciicircum{}";
        break;
      case '<':
        out += "\\textless{}";
        break;
      case '>':
        out += "\\textgreater{}";
        break;
      case '|':
        out += "\\textbar{}";
        break;
      case '&':
      case '%':
      case '$':
      case '#':
      case '_':
      case '{':
      case '}':
        out += '\\';
        [[fallthrough]];
      default:
        out += c;
    }
  }
  replace_all(out, "±", "$\\pm$");
  replace_all(out, "×", "$\\times$");
  replace_all(out, "−", "$-$");
  replace_all(out, "†", "$\\dagger$");
  return out;
}

std::string latex(const Table& table) {
  std::string out = "\\begin{tabular}{";
  for (const Column& column : table.columns()) out += column.align == Align::kLeft ? 'l' : 'r';
  out += "}\n\\toprule\n";
  const auto add_row = [&](const auto& cell_of) {
    for (size_t k = 0; k < table.columns().size(); ++k) out += (k > 0 ? " & " : "") + cell_of(k);
    out += " \\\\\n";
  };
  add_row([&](size_t k) { return latex_escaped(table.columns()[k].heading); });
  bool has_units = false;
  for (const Column& column : table.columns()) has_units |= !column.units.empty();
  if (has_units) add_row([&](size_t k) { return latex_escaped(table.columns()[k].units); });
  out += "\\midrule\n";
  for (const std::vector<Cell>& row : table.rows()) {
    add_row([&](size_t k) {
      const std::string text = latex_escaped(row[k].text);
      return row[k].emphasis == Emphasis::kBest ? "\\textbf{" + text + "}" : text;
    });
  }
  return out + "\\bottomrule\n\\end{tabular}\n";
}

}  // namespace invaria::report

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "report/writers.hpp"

namespace invaria::report {

namespace {

constexpr char32_t kNoCharacter = 0xFFFFFFFF;

/// The character that begins at `text[at]`, and how many bytes it takes; kNoCharacter and 1 if the bytes are no UTF-8.
std::pair<char32_t, size_t> decode(std::string_view text, size_t at) {
  const auto byte = [&](size_t k) { return static_cast<unsigned char>(text[k]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return {lead, 1};
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || at + length > text.size()) return {kNoCharacter, 1};
  char32_t code = lead & (0xFF >> (length + 1));
  for (size_t k = 1; k < length; ++k) {
    if ((byte(at + k) & 0xC0) != 0x80) return {kNoCharacter, 1};
    code = code << 6 | (byte(at + k) & 0x3F);
  }
  return {code, length};
}

using Range = std::pair<char32_t, char32_t>;

// Unicode 15: the blocks of combining marks, zero-width characters and variation selectors that occur in names.
constexpr std::array<Range, 7> kZeroWidth{{{0x0300, 0x036F},
                                           {0x0483, 0x0489},
                                           {0x200B, 0x200F},
                                           {0x20D0, 0x20FF},
                                           {0x3099, 0x309A},
                                           {0xFE00, 0xFE0F},
                                           {0xFE20, 0xFE2F}}};
// Unicode Standard Annex #11, East Asian wide and full-width blocks, and the emoji blocks.
constexpr std::array<Range, 9> kWide{{{0x1100, 0x115F},
                                      {0x2E80, 0x303E},
                                      {0x3041, 0xA4CF},
                                      {0xAC00, 0xD7A3},
                                      {0xF900, 0xFAFF},
                                      {0xFF01, 0xFF60},
                                      {0x1F300, 0x1F64F},
                                      {0x1F900, 0x1F9FF},
                                      {0x20000, 0x3FFFD}}};

template <size_t N>
bool within(char32_t code, const std::array<Range, N>& ranges) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const Range& range) { return code >= range.first && code <= range.second; });
}

std::string padded(const Cell& cell, int64_t width, Align align, Style style) {
  const std::string space(static_cast<size_t>(width - display_width(cell.text)), ' ');
  const std::string text = cell.emphasis == Emphasis::kBest ? bold(cell.text, style) : cell.text;
  return align == Align::kLeft ? text + space : space + text;
}

}  // namespace

std::string text(const Table& table, Style style) {
  const std::vector<Column>& columns = table.columns();
  std::vector<int64_t> widths;
  for (size_t k = 0; k < columns.size(); ++k) {
    widths.push_back(std::max(display_width(columns[k].heading), display_width(columns[k].units)));
    for (const auto& row : table.rows()) widths[k] = std::max(widths[k], display_width(row[k].text));
  }

  std::string out;
  const auto add_line = [&](const auto& cell_of) {
    std::string line;
    for (size_t k = 0; k < columns.size(); ++k) {
      if (k > 0) line += "  ";
      line += padded(cell_of(k), widths[k], columns[k].align, style);
    }
    out += line.erase(line.find_last_not_of(' ') + 1) + '\n';
  };

  add_line([&](size_t k) { return Cell{columns[k].heading}; });
  if (std::any_of(columns.begin(), columns.end(), [](const Column& column) { return !column.units.empty(); })) {
    add_line([&](size_t k) { return Cell{columns[k].units}; });
  }
  add_line([&](size_t k) { return Cell{std::string(static_cast<size_t>(widths[k]), '-')}; });
  for (const auto& row : table.rows()) add_line([&](size_t k) { return row[k]; });
  return out;
}

int64_t display_width(std::string_view text) {
  int64_t width = 0;
  for (size_t at = 0; at < text.size();) {
    const auto [code, length] = decode(text, at);
    at += length;
    if (code == kNoCharacter || !within(code, kZeroWidth)) width += code != kNoCharacter && within(code, kWide) ? 2 : 1;
  }
  return width;
}

std::string bold(std::string_view text, Style style) {
  return style == Style::kTerminal ? fmt::format("\x1b[1m{}\x1b[0m", text) : std::string(text);
}

}  // namespace invaria::report

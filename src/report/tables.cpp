#include "report/tables.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/errors.hpp"

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

std::string on_one_line(std::string text) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  std::replace_if(text.begin(), text.end(), control, ' ');
  return text;
}

std::string padded(const TextCell& cell, int64_t width, Align align, Style style) {
  const std::string space(static_cast<size_t>(width - display_width(cell.text)), ' ');
  const std::string text = cell.emphasis == Emphasis::kBest ? bold(cell.text, style) : cell.text;
  return align == Align::kLeft ? text + space : space + text;
}

}  // namespace

TextTable::TextTable(std::vector<TextColumn> columns) : columns_(std::move(columns)) {}

void TextTable::add_row(std::vector<TextCell> cells) {
  require(cells.size() == columns_.size(), "TextTable: {} cells for {} columns", cells.size(), columns_.size());
  for (TextCell& cell : cells) cell.text = on_one_line(std::move(cell.text));
  rows_.push_back(std::move(cells));
}

std::string TextTable::render(Style style) const {
  std::vector<int64_t> widths;
  for (size_t k = 0; k < columns_.size(); ++k) {
    widths.push_back(std::max(display_width(columns_[k].heading), display_width(columns_[k].units)));
    for (const auto& row : rows_) widths[k] = std::max(widths[k], display_width(row[k].text));
  }

  std::string out;
  const auto add_line = [&](const auto& cell_of) {
    std::string line;
    for (size_t k = 0; k < columns_.size(); ++k) {
      if (k > 0) line += "  ";
      line += padded(cell_of(k), widths[k], columns_[k].align, style);
    }
    out += line.erase(line.find_last_not_of(' ') + 1) + '\n';
  };

  add_line([&](size_t k) { return TextCell{columns_[k].heading}; });
  if (std::any_of(columns_.begin(), columns_.end(), [](const TextColumn& column) { return !column.units.empty(); })) {
    add_line([&](size_t k) { return TextCell{columns_[k].units}; });
  }
  add_line([&](size_t k) { return TextCell{std::string(static_cast<size_t>(widths[k]), '-')}; });
  for (const auto& row : rows_) add_line([&](size_t k) { return row[k]; });
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

std::string percent(double fraction) {
  return decimal(100.0 * fraction, 1);
}

std::string percent(double fraction, double half_width) {
  if (std::isnan(fraction) || std::isnan(half_width)) return percent(fraction);
  return fmt::format("{} ± {}", percent(fraction), percent(half_width));
}

std::string duration(double seconds) {
  if (std::isnan(seconds)) return kNotAvailable;
  if (seconds < 9.995) return fmt::format("{:.2f} s", seconds);
  if (seconds < 99.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  const int64_t minutes = (whole + 30) / 60;
  return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

std::string quantity(double number) {
  if (std::isnan(number)) return kNotAvailable;
  constexpr std::array<const char*, 6> kFactors{"", " k", " M", " G", " T", " P"};
  size_t factor = 0;
  // 999.5 would be shown with four digits.
  for (; std::abs(number) >= 999.5 && factor + 1 < kFactors.size(); ++factor) number /= 1000.0;
  const double size = std::abs(number);
  const int decimals = size >= 99.95 || (factor == 0 && number == std::floor(number)) ? 0 : size >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f}{}", number, decimals, kFactors[factor]);
}

std::string decimal(double number, int decimals) {
  if (std::isnan(number)) return kNotAvailable;
  const std::string text = fmt::format("{:.{}f}", number, decimals);
  // A value that rounds to zero has no sign.
  return text.find_first_not_of("-0.") == std::string::npos && text.front() == '-' ? text.substr(1) : text;
}

}  // namespace invaria::report

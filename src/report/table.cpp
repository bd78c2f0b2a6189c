#include "report/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "core/errors.hpp"
#include "report/numbers.hpp"

namespace invaria::report {

namespace {

std::string on_one_line(std::string text) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  std::replace_if(text.begin(), text.end(), control, ' ');
  return text;
}

}  // namespace

Table::Table(std::string name, std::vector<Column> columns, size_t n_across)
    : name_(std::move(name)), columns_(std::move(columns)), n_across_(n_across) {}

void Table::add_row(std::vector<Cell> cells) {
  require(cells.size() == columns_.size(), "table {}: {} cells for {} columns", name_, cells.size(), columns_.size());
  for (Cell& cell : cells) cell.text = on_one_line(std::move(cell.text));
  rows_.push_back(std::move(cells));
}

std::vector<Table> pieces(const Table& table) {
  const size_t n_across = table.n_across();
  std::vector<size_t> keys, others;
  for (size_t k = 0; k < table.columns().size(); ++k) (table.columns()[k].is_key ? keys : others).push_back(k);
  if (n_across == 0 || others.size() <= n_across || keys.empty()) return {table};

  std::vector<Table> out;
  for (size_t first = 0; first < others.size(); first += n_across) {
    const size_t last = std::min(others.size(), first + n_across);
    std::vector<size_t> chosen = keys;
    chosen.insert(chosen.end(), others.begin() + static_cast<ptrdiff_t>(first),
                  others.begin() + static_cast<ptrdiff_t>(last));
    std::vector<Column> columns;
    for (const size_t k : chosen) columns.push_back(table.columns()[k]);
    Table& piece = out.emplace_back(table.name(), std::move(columns));
    for (const std::vector<Cell>& row : table.rows()) {
      const bool is_empty = std::all_of(chosen.begin() + static_cast<ptrdiff_t>(keys.size()), chosen.end(),
                                        [&](size_t k) { return row[k].text == kNotAvailable; });
      if (is_empty) continue;
      std::vector<Cell> cells;
      for (const size_t k : chosen) cells.push_back(row[k]);
      piece.add_row(std::move(cells));
    }
  }
  return out;
}

std::string slug(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool kept = byte < 0x80 && (std::isalnum(byte) != 0 || c == '.');
    if (kept) {
      out += static_cast<char>(std::tolower(byte));
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out;
}

std::string Slugs::unlike(const std::string& text) {
  const std::string first = slug(text);
  std::string out = first;
  for (int number = 2; !taken_.insert(out).second; ++number) out = fmt::format("{}-{}", first, number);
  return out;
}

}  // namespace invaria::report

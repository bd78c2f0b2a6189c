#include "data/pattern.hpp"

#include <algorithm>
#include <charconv>

#include "core/errors.hpp"

namespace invaria::data {
namespace {

/// A stretch of text, or what stands between two braces.
struct Token {
  std::string_view text;
  bool is_hole = false;
};

std::vector<Token> tokens(std::string_view text, const std::string& where) {
  std::vector<Token> found;
  while (!text.empty()) {
    if (text[0] != '{') {
      const size_t end = std::min(text.find('{'), text.size());
      found.push_back({text.substr(0, end), false});
      text.remove_prefix(end);
      continue;
    }
    const size_t end = text.find('}');
    if (end == std::string_view::npos || end == 1) {
      throw_config("{}: found \"{}\", expected {{name}} with a name and a closing brace", where, text);
    }
    found.push_back({text.substr(1, end - 1), true});
    text.remove_prefix(end + 1);
  }
  return found;
}

int index_of(const std::string& name, std::vector<std::string>& names) {
  const auto at = std::find(names.begin(), names.end(), name);
  if (at != names.end()) return static_cast<int>(at - names.begin());
  names.push_back(name);
  return static_cast<int>(names.size()) - 1;
}

}  // namespace

Pattern::Pattern(std::string_view text, const std::string& where) {
  for (const Token& token : tokens(text, where)) {
    if (token.is_hole) {
      const size_t equals = std::min(token.text.find('='), token.text.size());
      Piece hole{"", index_of(std::string(token.text.substr(0, equals)), names_)};
      for (size_t begin = equals + 1; begin < token.text.size();) {
        const size_t end = std::min(token.text.find('|', begin), token.text.size());
        hole.choices.emplace_back(token.text.substr(begin, end - begin));
        begin = end + 1;
      }
      pieces_.push_back(std::move(hole));
      continue;
    }
    for (std::string_view rest = token.text; !rest.empty();) {
      const size_t star = std::min(rest.find('*'), rest.size());
      if (star > 0) pieces_.push_back({std::string(rest.substr(0, star)), kLiteral});
      if (star < rest.size()) pieces_.push_back({"", kAnything});
      rest.remove_prefix(std::min(star + 1, rest.size()));
    }
  }
}

bool Pattern::match(std::string_view text, std::vector<std::string>& values) const {
  values.assign(names_.size(), "");
  std::vector<bool> is_set(names_.size(), false);
  return match_from(0, text, values, is_set);
}

std::vector<size_t> Pattern::lengths(const Piece& piece, std::string_view rest) {
  std::vector<size_t> lengths;
  for (const std::string& choice : piece.choices) {
    if (rest.starts_with(choice)) lengths.push_back(choice.size());
  }
  if (!piece.choices.empty()) return lengths;
  const size_t shortest = piece.name == kAnything ? 0 : 1;
  for (size_t length = std::min(rest.find('/'), rest.size()) + 1; length-- > shortest;) lengths.push_back(length);
  return lengths;
}

bool Pattern::match_from(size_t piece, std::string_view rest, std::vector<std::string>& values,
                         std::vector<bool>& is_set) const {
  if (piece == pieces_.size()) return rest.empty();
  const int name = pieces_[piece].name;
  const auto go_on = [&](const std::string_view taken) {
    return rest.starts_with(taken) && match_from(piece + 1, rest.substr(taken.size()), values, is_set);
  };
  if (name == kLiteral) return go_on(pieces_[piece].literal);
  const auto at = static_cast<size_t>(std::max(name, 0));
  if (name >= 0 && is_set[at]) return go_on(values[at]);
  for (const size_t length : lengths(pieces_[piece], rest)) {
    if (name >= 0) {
      values[at] = rest.substr(0, length);
      is_set[at] = true;
    }
    if (go_on(rest.substr(0, length))) return true;
    if (name >= 0) is_set[at] = false;
  }
  return false;
}

Template::Template(std::string_view text, const std::string& where) {
  for (const Token& token : tokens(text, where)) {
    if (!token.is_hole) {
      pieces_.push_back({std::string(token.text)});
      continue;
    }
    const size_t colon = std::min(token.text.find(':'), token.text.size());
    size_t width = 0;
    if (colon < token.text.size()) {
      const char* const end = token.text.data() + token.text.size();
      const auto [stop, error] = std::from_chars(token.text.data() + colon + 1, end, width);
      if (error != std::errc() || stop != end || width > 32) {
        throw_config("{}: found \"{{{}}}\", expected {{name:width}} with a width of at most 32", where, token.text);
      }
    }
    pieces_.push_back({"", index_of(std::string(token.text.substr(0, colon)), names_), width});
  }
}

std::string Template::fill(const std::vector<std::string_view>& values) const {
  std::string text;
  for (const Piece& piece : pieces_) {
    if (piece.name < 0) {
      text += piece.literal;
      continue;
    }
    const std::string_view value = values[static_cast<size_t>(piece.name)];
    if (value.size() < piece.width) text.append(piece.width - value.size(), '0');
    text += value;
  }
  return text;
}

}  // namespace invaria::data

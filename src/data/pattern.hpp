#pragma once
/// @file
/// Names with holes: "train/{class}/{picture}.jpg" takes names apart, "images/{class}/{id:06}.jpg" puts them together.

#include <string>
#include <string_view>
#include <vector>

namespace invaria::data {

/// A text whose `{name}` and `*` stand for one or more, and for any number of characters other than '/', and
/// `{name=a|b/c}` for one of the texts given. Earlier holes take as much as they can: "{breed}_{number}" splits at the
/// last underscore.
class Pattern {
 public:
  /// @param where  names the pattern in messages
  /// @throws ConfigError if a brace is not closed or a name is empty
  Pattern(std::string_view text, const std::string& where);

  /// The names of its holes, each once.
  const std::vector<std::string>& names() const { return names_; }
  /// Whether all of `text` fits; if so the holes' values are in `values`, in the order of names(). A name that is there
  /// twice stands for the same text twice.
  bool match(std::string_view text, std::vector<std::string>& values) const;

 private:
  struct Piece {
    std::string literal;
    int name = kLiteral;                 ///< index into names_, or one of these
    std::vector<std::string> choices{};  ///< of a hole; empty: anything but '/'
  };
  static constexpr int kLiteral = -1;
  static constexpr int kAnything = -2;

  /// How many characters of `rest` the hole may take, in the order in which they are tried.
  static std::vector<size_t> lengths(const Piece& piece, std::string_view rest);
  bool match_from(size_t piece, std::string_view rest, std::vector<std::string>& values,
                  std::vector<bool>& is_set) const;

  std::vector<Piece> pieces_;
  std::vector<std::string> names_;
};

/// A text to be filled in: `{name}` becomes a value, `{name:06}` the same with zeros in front up to six characters.
class Template {
 public:
  /// @throws ConfigError as Pattern
  Template(std::string_view text, const std::string& where);

  const std::vector<std::string>& names() const { return names_; }
  /// @param values  one a name, in the order of names()
  std::string fill(const std::vector<std::string_view>& values) const;

 private:
  struct Piece {
    std::string literal;
    int name = -1;  ///< index into names_; -1: literal
    size_t width = 0;
  };
  std::vector<Piece> pieces_;
  std::vector<std::string> names_;
};

}  // namespace invaria::data

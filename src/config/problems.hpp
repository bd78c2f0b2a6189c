#pragma once
/// @file
/// Everything that is wrong with an input, collected before anything runs.

#include <string>
#include <vector>

namespace invaria::config {

/// One thing that the user can mend.
struct Problem {
  std::string where;  ///< JSON path ("encoders[0].training.steps"), file or option
  std::string found;  ///< the offending value as written; empty if something is missing
  std::string rule;   ///< what was expected
  std::string hint;   ///< how to mend it (nearest known name, how to get the data); may be empty
};

/// A list of problems; empty means that the input is sound.
class Problems {
 public:
  void add(Problem problem) { list_.push_back(std::move(problem)); }
  void add(std::string where, std::string found, std::string rule, std::string hint = "");
  bool empty() const { return list_.empty(); }
  const std::vector<Problem>& list() const { return list_; }
  /// One line a problem: `where: found X, expected Y; hint`.
  std::string to_string() const;
  /// @throws ConfigError with all problems, headed by `subject`, if there are any
  void throw_if_any(const std::string& subject) const;

 private:
  std::vector<Problem> list_;
};

/// `known` named in a hint for an unknown `name`: "did you mean "steps"?" or "known: a, b, c".
std::string name_hint(const std::string& name, const std::vector<std::string>& known);

}  // namespace invaria::config

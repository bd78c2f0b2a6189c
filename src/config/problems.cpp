#include "config/problems.hpp"

#include <fmt/ranges.h>

#include "core/errors.hpp"
#include "core/nearest_name.hpp"

namespace invaria::config {

void Problems::add(std::string where, std::string found, std::string rule, std::string hint) {
  list_.push_back({std::move(where), std::move(found), std::move(rule), std::move(hint)});
}

std::string Problems::to_string() const {
  std::string text;
  for (const Problem& problem : list_) {
    text += problem.where.empty() ? "(top level)" : problem.where;
    text += problem.found.empty() ? ": missing" : fmt::format(": found {}", problem.found);
    text += fmt::format(", expected {}", problem.rule);
    if (!problem.hint.empty()) text += fmt::format("; {}", problem.hint);
    text += '\n';
  }
  return text;
}

void Problems::throw_if_any(const std::string& subject) const {
  if (list_.empty()) return;
  throw_config("{}: {} problem{}\n{}", subject, list_.size(), list_.size() == 1 ? "" : "s", to_string());
}

std::string name_hint(const std::string& name, const std::vector<std::string>& known) {
  if (const auto nearest = nearest_name(name, known)) return fmt::format("did you mean \"{}\"?", *nearest);
  return fmt::format("known: {}", fmt::join(known, ", "));
}

}  // namespace invaria::config

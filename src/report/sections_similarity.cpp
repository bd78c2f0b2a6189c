// The section on measured invariance.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "config/invariance.hpp"
#include "report/sections.hpp"
#include "report/statistics.hpp"

namespace invaria::report {
namespace {

struct Kind {
  const char* name;
  const char* meaning;
};
constexpr std::array<Kind, 3> kKinds{{{"cosine", "cosine of features, 1 = invariant"},
                                      {"whitened-cosine", "cosine of whitened features, 1 = invariant"},
                                      {"mahalanobis", "Mahalanobis distance of features, 0 = invariant"}}};

std::string section_of(const Kind& kind, const std::vector<io::SimilarityRecord>& similarities,
                       const std::vector<std::string>& transformations, Style style) {
  // By encoder and i, so that i rises down the table: means over strengths of each transformation and encoder seed.
  std::map<std::pair<std::string, std::vector<double>>, std::map<std::string, std::vector<double>>> rows;
  for (const io::SimilarityRecord& record : similarities) {
    if (record.similarity == kind.name)
      rows[{record.encoder, record.invariance}][record.transformation].push_back(mean(record.values));
  }
  if (rows.empty()) return "";
  std::vector<TextColumn> columns{{"encoder", "", Align::kLeft}, {"i", "", Align::kLeft}};
  for (const std::string& transformation : transformations) columns.push_back({transformation, "", Align::kRight});
  TextTable table(columns);
  for (const auto& [key, values] : rows) {
    std::vector<TextCell> row{{key.first}, {config::to_string(key.second)}};
    for (const std::string& transformation : transformations) {
      const auto found = values.find(transformation);
      row.push_back({found == values.end() ? kNotAvailable : decimal(mean(found->second), 3)});
    }
    table.add_row(std::move(row));
  }
  return bold(fmt::format("Measured invariance: {}; mean over strengths and encoder seeds", kind.meaning), style) +
         "\n" + table.render(style);
}

}  // namespace

std::string similarities_section(const io::Segment& content, Style style) {
  std::vector<std::string> transformations;
  for (const io::SimilarityRecord& record : content.similarities) {
    if (std::find(transformations.begin(), transformations.end(), record.transformation) == transformations.end())
      transformations.push_back(record.transformation);
  }
  std::string out;
  for (const Kind& kind : kKinds) {
    const std::string section = section_of(kind, content.similarities, transformations, style);
    if (section.empty()) continue;
    if (!out.empty()) out += "\n";
    out += section;
  }
  return out;
}

}  // namespace invaria::report

// The section on measured invariance.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "config/invariance.hpp"
#include "report/numbers.hpp"
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

Section section_of(const Kind& kind, const std::vector<io::SimilarityRecord>& similarities,
                   const std::vector<std::string>& transformations) {
  // By encoder and i, so that i rises down the table: means over strengths of each transformation and encoder seed.
  std::map<std::pair<std::string, std::vector<double>>, std::map<std::string, std::vector<double>>> rows;
  for (const io::SimilarityRecord& record : similarities) {
    if (record.similarity == kind.name)
      rows[{record.encoder, record.invariance}][record.transformation].push_back(mean(record.values));
  }
  Section section{std::string("measured-") + kind.name, "Measured invariance",
                  fmt::format("{}; mean over strengths and encoder seeds", kind.meaning)};
  std::vector<Column> columns{key_column("encoder"), key_column("i")};
  for (const std::string& transformation : transformations) columns.push_back({transformation, ""});
  Table table(section.id, columns);
  for (const auto& [key, values] : rows) {
    std::vector<Cell> row{{key.first}, {config::to_string(key.second)}};
    for (const std::string& transformation : transformations) {
      const auto found = values.find(transformation);
      row.push_back(found == values.end() ? no_cell() : decimal_cell(mean(found->second), 3));
    }
    table.add_row(std::move(row));
  }
  section.add(std::move(table));
  return section;
}

}  // namespace

std::vector<Section> similarities_sections(const io::Segment& content) {
  std::vector<std::string> transformations;
  for (const io::SimilarityRecord& record : content.similarities) {
    if (std::find(transformations.begin(), transformations.end(), record.transformation) == transformations.end())
      transformations.push_back(record.transformation);
  }
  std::vector<Section> out;
  for (const Kind& kind : kKinds) {
    Section section = section_of(kind, content.similarities, transformations);
    if (!section.empty()) out.push_back(std::move(section));
  }
  return out;
}

}  // namespace invaria::report

#include "data/targets.hpp"

#include <algorithm>
#include <utility>

#include "core/errors.hpp"

namespace invaria::data {
namespace {

/// Index of the column of that name, or their number.
size_t index_of(std::span<const TargetColumn> columns, const std::string& name) {
  const auto at = std::find_if(columns.begin(), columns.end(), [&](auto& column) { return column.name == name; });
  return static_cast<size_t>(at - columns.begin());
}

}  // namespace

void move_targets(std::span<const TargetColumn> columns, const PixelMap& map, std::vector<double>& targets) {
  require(columns.size() == targets.size(), "move_targets: {} targets for {} columns", targets.size(), columns.size());
  for (size_t t = 0; t < targets.size(); ++t) {
    if (columns[t].unit == TargetUnit::kPixelsX) targets[t] = map.x(targets[t]);
    if (columns[t].unit == TargetUnit::kPixelsY) targets[t] = map.y(targets[t]);
  }
  if (!map.is_mirrored()) return;
  for (size_t t = 0; t < targets.size(); ++t) {
    if (columns[t].mirror.empty()) continue;
    const size_t partner = index_of(columns, columns[t].mirror);
    require(partner < targets.size(), "move_targets: {} has the mirror {}, which is no target", columns[t].name,
            columns[t].mirror);
    if (t < partner) std::swap(targets[t], targets[partner]);
  }
}

void check_mirrors(std::span<const TargetColumn> columns, const std::string& where) {
  for (const TargetColumn& column : columns) {
    if (column.mirror.empty()) continue;
    const size_t partner = index_of(columns, column.mirror);
    if (partner == columns.size()) {
      throw_config("{}: target {} has the mirror {}, expected another target", where, column.name, column.mirror);
    }
    if (columns[partner].mirror != column.name) {
      throw_config("{}: target {} has the mirror {}, whose own is \"{}\", expected each to be the other's", where,
                   column.name, column.mirror, columns[partner].mirror);
    }
  }
}

}  // namespace invaria::data

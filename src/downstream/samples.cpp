#include "downstream/samples.hpp"

#include <ATen/ATen.h>

#include <algorithm>

namespace invaria::downstream {

std::vector<Stretch> stretches_of(const TaskData& task, const std::vector<const Samples*>& parts) {
  std::vector<Stretch> stretches;
  int64_t first = 0;
  for (int64_t end : task.stretch_ends) {
    const auto has_rows = [&](const Samples* part) {
      const at::Tensor& rows_B = part->rows_B;
      return rows_B.defined() && (rows_B >= first).logical_and(rows_B < end).any().item<bool>();
    };
    if (std::any_of(parts.begin(), parts.end(), has_rows)) stretches.push_back({first, end - first});
    first = end;
  }
  return stretches;
}

}  // namespace invaria::downstream

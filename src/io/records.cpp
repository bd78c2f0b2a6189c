#include "io/records.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace invaria::io {

bool less_is_better(std::string_view metric) {
  return metric.starts_with("nme");
}

bool StageTime::operator==(const StageTime& other) const {
  const auto equal = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
  return stage == other.stage && rank == other.rank && seconds == other.seconds &&
         equal(cpu_energy_J, other.cpu_energy_J) && equal(gpu_energy_J, other.gpu_energy_J);
}

bool Segment::empty() const {
  return jobs.empty() && encoders.empty() && sensitivity.empty() && similarities.empty() && data.empty() &&
         stage_times.empty() && tasks.empty();
}

void append(Segment& segment, const Segment& other) {
  const auto extend = [](auto& all, const auto& more) {
    all.reserve(all.size() + more.size());  // keeps `more` valid where it is `all`
    std::copy_n(more.begin(), more.size(), std::back_inserter(all));
  };
  extend(segment.jobs, other.jobs);
  extend(segment.encoders, other.encoders);
  extend(segment.sensitivity, other.sensitivity);
  extend(segment.similarities, other.similarities);
  extend(segment.data, other.data);
  extend(segment.stage_times, other.stage_times);
  extend(segment.tasks, other.tasks);
}

std::vector<SimilarityRecord> of_last_measuring(std::vector<SimilarityRecord> records) {
  if (records.empty()) return records;
  const std::string settings = records.back().settings;
  std::erase_if(records, [&](const SimilarityRecord& record) { return record.settings != settings; });
  return records;
}

std::string encoder_group_name(const EncoderRecord& encoder, const std::vector<EncoderRecord>& all) {
  const bool several = std::any_of(all.begin(), all.end(), [&](const EncoderRecord& other) {
    return other.name == encoder.name && other.encoder_seed != encoder.encoder_seed;
  });
  return several ? fmt::format("{}-seed{}", encoder.name, encoder.encoder_seed) : encoder.name;
}

}  // namespace invaria::io

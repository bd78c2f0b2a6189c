#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/app.hpp"
#include "app/loaded_suite.hpp"
#include "config/setting.hpp"

namespace invaria::app {
namespace {

/// "1515 train, 1010 test samples, 101 classes"; a split that a manifest promises and does not count has no number.
std::string describe(const data::DatasetSummary& data) {
  std::vector<std::string> parts;
  for (const auto& [split, count] : data.splits) {
    parts.push_back(count > 0 ? fmt::format("{} {}", count, split) : fmt::format("uncounted {}", split));
  }
  std::string text = fmt::format("{} samples", fmt::join(parts, ", "));
  if (data.n_classes > 0) text += fmt::format(", {} classes", data.n_classes);
  if (data.n_targets > 0) text += fmt::format(", {} targets", data.n_targets);
  return text;
}

}  // namespace

ExitCode check_command(const CheckOptions& options) {
  const data::CheckDepth depth = options.without_data ? data::CheckDepth::kPromise
                                 : options.decode     ? data::CheckDepth::kContents
                                                      : data::CheckDepth::kListing;
  const LoadedSuite loaded = load_suite(options.suite, depth);
  fmt::print("{}: sound. {} encoders, {} tasks, {} jobs.\n", options.suite.suite, loaded.plan.encoders.size(),
             loaded.suite.tasks.size(), loaded.plan.job_ids().size());
  for (const data::DatasetSettings& entry : loaded.suite.data) {
    fmt::print("  {}: {}\n", entry.name, describe(loaded.found.at(entry.name)));
  }
  return ExitCode::kOk;
}

ExitCode schema_command() {
  fmt::print("{}", config::pretty(suite::suite_schema()));
  return ExitCode::kOk;
}

}  // namespace invaria::app

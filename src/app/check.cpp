#include <fmt/format.h>

#include "app/app.hpp"
#include "app/loaded_suite.hpp"
#include "config/setting.hpp"

namespace invaria::app {

ExitCode check_command(const CheckOptions& options) {
  const LoadedSuite loaded =
      load_suite(options.suite, options.decode ? data::CheckDepth::kPictures : data::CheckDepth::kListing);
  fmt::print("{}: sound. {} encoders, {} tasks, {} jobs.\n", options.suite.suite, loaded.plan.encoders.size(),
             loaded.suite.tasks.size(), loaded.plan.job_ids().size());
  return ExitCode::kOk;
}

ExitCode schema_command() {
  fmt::print("{}", config::pretty(suite::suite_schema()));
  return ExitCode::kOk;
}

}  // namespace invaria::app

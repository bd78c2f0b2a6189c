#pragma once
/// @file
/// From the command line's suite options to a suite that is ready to be planned or run.

#include <string>

#include "app/app.hpp"
#include "config/setting.hpp"
#include "suite/load.hpp"
#include "suite/plan.hpp"
#include "suite/suite.hpp"

namespace invaria::app {

/// A suite whose every problem has been looked for.
struct LoadedSuite {
  suite::Suite suite;
  suite::Manifests manifests;
  suite::Summaries found;  ///< what each data set holds
  suite::DataFolders folders;
  suite::Plan plan;  ///< with costs, longest unit first
};

/// Read, override, check and plan. All problems, those of the data included, come in one list.
/// @throws ConfigError with that list; EnvironmentError if the file cannot be read
LoadedSuite load_suite(const SuiteOptions& options, data::CheckDepth depth);

/// The same, from the resolved JSON of a results file: no data is looked at.
suite::Suite suite_of_record(const std::string& resolved, const std::string& source);

}  // namespace invaria::app

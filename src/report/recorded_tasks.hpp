#pragma once
/// @file
/// The tasks of the suite that results record.

#include <boost/json/value.hpp>
#include <map>
#include <string>

namespace invaria::report {

/// A suite's tasks, objects all of them, by name; of results of others, which may say less of their suite, what can be
/// read.
/// @param settings  RunInfo::settings: JSON, or empty
std::map<std::string, boost::json::value> recorded_tasks(const std::string& settings);

}  // namespace invaria::report

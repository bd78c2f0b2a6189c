#pragma once
/// @file
/// A run that continues must be the one that was begun in its directory: its encoders, its sensitivity table and its
/// data are compared with what is there.

#include <filesystem>
#include <string>
#include <vector>

#include "io/records.hpp"
#include "suite/load.hpp"
#include "suite/plan.hpp"
#include "suite/suite.hpp"

namespace invaria::suite {

/// An encoder's name stands for its settings: other settings under the same name would mix two encoders in one table.
/// @throws ConfigError naming the JSON paths that differ
void refuse_changed_encoders(const Plan& plan, const std::filesystem::path& output);

/// The sensitivity table's rows carry no id: one run's rows must all come from the same settings. `sensitivity.json`
/// beside the segments says which; it is written if it is not there. @throws ConfigError naming the JSON paths
void refuse_changed_sensitivity(const Suite& suite, const std::filesystem::path& output);

/// Jobs of one run must all have seen the same pictures. @param earlier  what earlier sessions recorded
/// @throws ConfigError naming what differs
void refuse_changed_data(const Datasets& datasets, const std::vector<io::DataRecord>& earlier,
                         const std::filesystem::path& output);

}  // namespace invaria::suite

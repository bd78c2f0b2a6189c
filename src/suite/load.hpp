#pragma once
/// @file
/// The suite's data: manifests found and checked, pictures decoded once per node.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "config/problems.hpp"
#include "data/dataset.hpp"
#include "data/load.hpp"
#include "data/manifest.hpp"
#include "suite/plan.hpp"
#include "suite/suite.hpp"

namespace invaria::suite {

using Datasets = std::map<std::string, data::Dataset>;
using Manifests = std::map<std::string, data::Manifest>;
using Summaries = std::map<std::string, data::DatasetSummary>;

/// Where manifests and data are looked for.
struct DataFolders {
  std::filesystem::path suite_folder;
  std::vector<std::filesystem::path> data_folders;
};

/// The manifest of every data set of the suite; unknown names and broken manifests go to `problems`.
Manifests find_manifests(const Suite& suite, const DataFolders& folders, config::Problems& problems);

/// What the suite asks of its data: files that are there and are as their manifests say, splits that exist, and
/// check_contents().
/// @return what every data set holds of which nothing is wrong
Summaries check_data(const Suite& suite, const Manifests& manifests, const DataFolders& folders, data::CheckDepth depth,
                     config::Problems& problems);

/// Whether the data sets hold what the suite takes from them: a batch for each encoder, targets for regression, classes
/// for classification, pictures for known tasks and the sensitivity table. Data sets without a summary are passed over.
void check_contents(const Suite& suite, const Summaries& summaries, config::Problems& problems);

/// How many classes a task tells apart, 0 for regression.
int64_t class_count(const downstream::TaskSettings& task, const data::DatasetSummary& data);

/// Sizes of every task's parts.
/// @param summaries  of every data set that a task is on
std::vector<TaskSize> task_sizes(const Suite& suite, const Summaries& summaries);

/// Collective: ConfigError on all ranks if one has other data than the root, as a node may with a disk of its own.
void refuse_unequal_data(const Datasets& datasets, const comm::Communicator& comm);

/// Collective. Decode every data set into memory that the node shares, and check what is left of it: pictures that were
/// left out may be missing for a batch or a task, and too few may have colour.
/// @throws ConfigError on all ranks, as data::load_dataset, check_contents and refuse_unequal_data
Datasets load_datasets(const Suite& suite, const Manifests& manifests, const DataFolders& folders,
                       const comm::Communicator& comm);

}  // namespace invaria::suite

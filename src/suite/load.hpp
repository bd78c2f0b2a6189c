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

using Datasets = std::map<std::string, data::ImageDataset>;
using Manifests = std::map<std::string, data::Manifest>;

/// Where manifests and data are looked for.
struct DataFolders {
  std::filesystem::path suite_folder;
  std::vector<std::filesystem::path> data_folders;
};

/// The manifest of every data set of the suite; unknown names and broken manifests go to `problems`.
Manifests find_manifests(const Suite& suite, const DataFolders& folders, config::Problems& problems);

/// What the suite asks of its data: splits that exist, targets for regression, classes for classification, files that
/// are there and are as their manifests say.
void check_data(const Suite& suite, const Manifests& manifests, const DataFolders& folders, data::CheckDepth depth,
                config::Problems& problems);

/// How many classes a task tells apart, 0 for regression.
int64_t class_count(const downstream::TaskSettings& task, const data::Manifest& manifest);

/// Sizes of every task's parts, from the manifests.
std::vector<TaskSize> task_sizes(const Suite& suite, const Manifests& manifests);

/// Collective. Decode every data set into memory that the node shares. @throws ConfigError as data::load_dataset
Datasets load_datasets(const Suite& suite, const Manifests& manifests, const DataFolders& folders,
                       const comm::Communicator& comm);

}  // namespace invaria::suite

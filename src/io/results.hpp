#pragma once
/// @file
/// results.h5, schema 2: the merged, final record of a run, for h5py, pandas, xarray and this program's own reports.

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "io/files.hpp"
#include "io/records.hpp"

namespace invaria::io {

/// Written. Schema 1, which is read too, has no `compiler`, `flags` and `slurm`, and no energy by stage.
constexpr int64_t kResultsSchema = 2;
constexpr int64_t kOldestResultsSchema = 1;

/// The root attributes.
struct RunInfo {
  std::string suite;     ///< name
  std::string settings;  ///< the resolved suite as JSON, defaults included
  std::string created;   ///< ISO 8601, UTC
  std::string finished;  ///< ISO 8601, UTC
  std::string version;
  std::string git_commit;
  bool git_dirty = false;
  std::string compiler;
  std::string flags;      ///< that C++ was compiled with
  std::string libraries;  ///< JSON: name -> version
  std::string hosts;      ///< JSON list: name, CPU, GPU, driver
  std::string slurm;      ///< JSON: the job that wrote the file, {} outside Slurm
  int64_t world_size = 1;
  bool valid = false;
  std::string invalid_because;  ///< empty if valid
  double wall_s = 0.0;
  double energy_J = std::numeric_limits<double>::quiet_NaN();  ///< NaN if not readable

  /// NaN equals NaN.
  bool operator==(const RunInfo& other) const;
};

/// Everything in results.h5.
struct Results {
  RunInfo info;
  std::vector<std::string> axes;  ///< names, in the order of an invariance's elements
  Segment content;                ///< encoders differ in (name, seed), data sets in name
  /// One row a (arm, task, metric): text columns arm, task, metric (and further keys), then numbers: mean, std, ci95,
  /// n. Read back, its rows are in the order of the file's dimensions, without those that are all NaN and 0.
  Table summary;
  /// One row an arm: text column arm (and further keys), then numbers: average_rank, regret.
  Table arm_summary;
};

/// Write the file once, sealed (io/seal.hpp), by temporary file, fsync, rename and fsync of the directory.
///
/// Root: dimension scales `job`, `point`, `axis`, `encoder`, `task`, `arm`, `metric`, `corner`, `transformation`,
/// `draw`, `picture`, `timing`, `measurement`, `strength_number`. /jobs, /stages, /tasks/draws, /tasks/pictures:
/// columns along `job`, `timing`, `draw`, `picture`. /trajectories: `invariance` (job, point, axis), `loss`,
/// `validation`, `encoder_passes` and `seconds` (job, point), NaN past a job's last step, `n_points` (job).
/// /encoders/<name>: attributes and pretraining/<column> along its own `step`; where pretraining was monitored,
/// monitor/<column> along its own `step`, which repeats for each corner. /data/<name>: attributes, `splits` and
/// `files_left_out` as JSON. /summary: arrays over (arm, task, metric) and (arm). /sensitivity: an array over (encoder,
/// corner, transformation). /invariance, once it was measured: columns of `measurements` along `measurement`,
/// `strength` and `value` over (measurement, strength_number), NaN past n_strengths.
///
/// @throws PreconditionError if an encoder's (name, seed) or a data set's name repeats or cannot name a group (empty,
/// ".", with "/");
///         EnvironmentError as write_file_atomically()
void write_results(const fs::path& path, const Results& results);

/// @throws EnvironmentError naming the file if it is missing, truncated or broken; ConfigError if it is of a
/// schema that this program does not read
Results read_results(const fs::path& path);

}  // namespace invaria::io

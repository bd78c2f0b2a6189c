#pragma once
/// @file
/// Records in HDF5: the parts that a segment and results.h5 have in common.

#include <string>
#include <vector>

#include "io/hdf5_table.hpp"
#include "io/records.hpp"

namespace invaria::io {

/// /jobs and /trajectories, and their scales `job` and `point`; the scale `axis` must be there.
void write_jobs(hid_t file, const std::vector<JobRecord>& jobs, const std::vector<std::string>& axes, Scales& scales);
std::vector<JobRecord> read_jobs(hid_t file, const std::vector<std::string>& axes);

/// /invariance along `measurement`, its curves `strength` and `value` over (measurement, strength_number), NaN past a
/// curve's n_strengths; nothing if there are none.
void write_similarities(hid_t file, const std::vector<SimilarityRecord>& similarities,
                        const std::vector<std::string>& axes, Scales& scales);
std::vector<SimilarityRecord> read_similarities(hid_t file, const std::vector<std::string>& axes);

/// /stages along `timing`; nothing if there are none.
void write_stages(hid_t file, const std::vector<StageTime>& times, Scales& scales);
std::vector<StageTime> read_stages(hid_t file);

/// /tasks/draws along `draw`, /tasks/pictures along `picture`; nothing if there are none.
void write_tasks(hid_t file, const std::vector<TaskRecord>& tasks, Scales& scales);
std::vector<TaskRecord> read_tasks(hid_t file);

/// One encoder as the group `name` of `parent`: attributes, and pretraining along its own `step` (left out if the table
/// has no columns).
void write_encoder(hid_t parent, const std::string& name, const EncoderRecord& encoder);
EncoderRecord read_encoder(hid_t group);

/// One data set as the group `name` of `parent`: attributes name, manifest, checksum, splits and files_left_out (JSON).
void write_data(hid_t parent, const std::string& name, const DataRecord& data);
DataRecord read_data(hid_t group);

}  // namespace invaria::io

#pragma once
/// @file
/// Records as tables and back: the column names, units and long names of results.h5 are declared here, once.

#include <string>
#include <vector>

#include "io/records.hpp"

namespace invaria::io {

/// /jobs: one row a job, with a column `i_<axis>` for each of `axes`. An invariance shorter than that is filled with
/// NaN; a longer one is a PreconditionError. Trajectories are not part of it.
Table job_table(const std::vector<JobRecord>& jobs, const std::vector<std::string>& axes);
std::vector<JobRecord> jobs_from_table(const Table& table, const std::vector<std::string>& axes);

/// Columns stage, rank, seconds, cpu_energy_J, gpu_energy_J; a table without the last two reads as NaN.
Table stage_table(const std::vector<StageTime>& times);
std::vector<StageTime> stages_from_table(const Table& table);

/// Columns encoder, encoder_seed, corner, transformation, value.
Table sensitivity_table(const std::vector<SensitivityRecord>& sensitivity);
std::vector<SensitivityRecord> sensitivity_from_table(const Table& table);

/// Columns encoder, encoder_seed, transformation, similarity, directions, settings, and i_<axis> for each of `axes`, as
/// in job_table(). The curves are not part of it.
Table similarity_table(const std::vector<SimilarityRecord>& similarities, const std::vector<std::string>& axes);
std::vector<SimilarityRecord> similarities_from_table(const Table& table, const std::vector<std::string>& axes);

/// The tasks' draws: one row a (task, repeat), columns task, repeat, split_hash; and their pictures: one row a picture,
/// columns draw (row of the first table) and name.
Table draw_table(const std::vector<TaskRecord>& tasks);
Table picture_table(const std::vector<TaskRecord>& tasks);
std::vector<TaskRecord> tasks_from_tables(const Table& draws, const Table& pictures);

}  // namespace invaria::io

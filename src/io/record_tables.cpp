#include "io/record_tables.hpp"

#include <array>
#include <limits>
#include <span>
#include <utility>

#include "core/errors.hpp"

namespace invaria::io {
namespace {

/// One column of a table of records R.
template <class R>
struct Field {
  const char* name;
  std::variant<double R::*, int64_t R::*, std::string R::*> member;
  const char* units;
  const char* long_name;
  bool may_be_missing = false;  ///< in files of schema 1 and in segments that were written with them
};

constexpr size_t kFieldsBeforeInvariance = 14;
const std::array<Field<JobRecord>, 27> kJobFields{{
    {"job_id", &JobRecord::job_id, "", "hash of the job's resolved settings"},
    {"encoder", &JobRecord::encoder, "", "the encoder's name in the suite"},
    {"encoder_seed", &JobRecord::encoder_seed, "", "seed of the encoder's pretraining"},
    {"arm", &JobRecord::arm, "", "how the invariance was chosen, or which baseline"},
    {"task", &JobRecord::task, "", "downstream task"},
    {"metric", &JobRecord::metric, "", "what value measures"},
    {"value", &JobRecord::value, "1", "metric on the test set"},
    {"validation_value", &JobRecord::validation_value, "1", "metric on the validation set, NaN without one"},
    {"value_low", &JobRecord::value_low, "1", "low end of value's 95 % interval over test samples or episodes", true},
    {"value_high", &JobRecord::value_high, "1", "high end of value's 95 % interval over test samples or episodes",
     true},
    {"repeat", &JobRecord::repeat, "", "number of the repeat"},
    {"protocol", &JobRecord::protocol, "", "how the readout was trained"},
    {"shots", &JobRecord::shots, "", "samples a class in an episode, 0 elsewhere"},
    {"readout_l2", &JobRecord::readout_l2, "", "weight of the readout's L2 penalty"},
    {"bn_statistics", &JobRecord::bn_statistics, "", "BatchNorm statistics: running or re-estimated"},
    {"bn_hash", &JobRecord::bn_hash, "", "hash of the BatchNorm statistics"},
    {"split_hash", &JobRecord::split_hash, "", "hash of the data split"},
    {"halves", &JobRecord::halves, "", "what the two halves that i was learned on differ in: samples or views", true},
    {"seconds", &JobRecord::seconds, "s", "wall-clock time of the job"},
    {"samples_per_s", &JobRecord::samples_per_s, "s-1", "samples a second"},
    {"encoder_passes", &JobRecord::encoder_passes, "", "images sent through the encoder"},
    {"rank", &JobRecord::rank, "", "MPI rank that ran the job"},
    {"host", &JobRecord::host, "", "machine that ran the job"},
    {"encoder_hash_before", &JobRecord::encoder_hash_before, "", "hash of the encoder before the job"},
    {"encoder_hash_after", &JobRecord::encoder_hash_after, "", "hash of the encoder after the job"},
    {"status", &JobRecord::status, "", "finished, failed or blocked"},
    {"error", &JobRecord::error, "", "why the job did not finish"},
}};

const std::array<Field<StageTime>, 5> kStageFields{{
    {"stage", &StageTime::stage, "", "stage of the run"},
    {"rank", &StageTime::rank, "", "MPI rank; of a sweep in shares, counted on from share to share"},
    {"seconds", &StageTime::seconds, "s", "wall-clock time of the stage on the rank"},
    {"cpu_energy_J", &StageTime::cpu_energy_J, "J", "energy of the machine's processors, on the rank that measures",
     true},
    {"gpu_energy_J", &StageTime::gpu_energy_J, "J", "energy of the machine's GPUs, on the rank that measures", true},
}};

const std::array<Field<SensitivityRecord>, 5> kSensitivityFields{{
    {"encoder", &SensitivityRecord::encoder, "", "the encoder's name in the suite"},
    {"encoder_seed", &SensitivityRecord::encoder_seed, "", "seed of the encoder's pretraining"},
    {"corner", &SensitivityRecord::corner, "", "invariance, one bit an axis"},
    {"transformation", &SensitivityRecord::transformation, "", "what was done to the pictures"},
    {"value", &SensitivityRecord::value, "1", "how far the features moved"},
}};

const std::array<Field<SimilarityRecord>, 6> kSimilarityFields{{
    {"encoder", &SimilarityRecord::encoder, "", "the encoder's name in the suite"},
    {"encoder_seed", &SimilarityRecord::encoder_seed, "", "seed of the encoder's pretraining"},
    {"transformation", &SimilarityRecord::transformation, "", "what was done to the pictures"},
    {"similarity", &SimilarityRecord::similarity, "", "how features were compared"},
    {"directions", &SimilarityRecord::directions, "",
     "directions of the features that whitening kept; of fewer pictures than features those outside their span are not "
     "seen"},
    {"settings", &SimilarityRecord::settings, "", "settings of the measuring as JSON"},
}};

const std::array<Field<TaskRecord>, 3> kDrawFields{{
    {"task", &TaskRecord::task, "", "downstream task"},
    {"repeat", &TaskRecord::repeat, "", "number of the repeat"},
    {"split_hash", &TaskRecord::split_hash, "", "hash of the data split"},
}};

template <class R>
Column make_column(const std::vector<R>& records, const Field<R>& field) {
  return std::visit(
      [&]<class T>(T R::*member) {
        std::vector<T> cells;
        cells.reserve(records.size());
        for (const R& record : records) cells.push_back(record.*member);
        return Column{field.name, std::move(cells), field.units, field.long_name};
      },
      field.member);
}

template <class R, size_t N>
Table to_table(const std::vector<R>& records, const std::array<Field<R>, N>& fields) {
  Table table;
  for (const Field<R>& field : fields) table.add_column(make_column(records, field));
  return table;
}

const std::vector<double>& cells_of(const Table& table, const char* name, double) {
  return table.doubles(name);
}
const std::vector<int64_t>& cells_of(const Table& table, const char* name, int64_t) {
  return table.integers(name);
}
const std::vector<std::string>& cells_of(const Table& table, const char* name, const std::string&) {
  return table.texts(name);
}

template <class R, size_t N>
std::vector<R> from_table(const Table& table, const std::array<Field<R>, N>& fields) {
  std::vector<R> records(static_cast<size_t>(table.rows()));
  for (const Field<R>& field : fields) {
    if (field.may_be_missing && !table.contains(field.name)) continue;
    std::visit(
        [&]<class T>(T R::*member) {
          const std::vector<T>& cells = cells_of(table, field.name, T{});
          for (size_t row = 0; row < records.size(); ++row) records[row].*member = cells[row];
        },
        field.member);
  }
  return records;
}

/// A column `i_<axis>` for each axis; an invariance shorter than that is filled up with NaN.
template <class R>
void add_invariance(Table& table, const std::vector<R>& records, const std::vector<std::string>& axes) {
  for (const R& record : records) {
    require(record.invariance.size() <= axes.size(), "{}: an invariance of {} elements for {} axes", record.encoder,
            record.invariance.size(), axes.size());
  }
  for (size_t axis = 0; axis < axes.size(); ++axis) {
    std::vector<double> cells;
    for (const R& record : records) {
      cells.push_back(axis < record.invariance.size() ? record.invariance[axis]
                                                      : std::numeric_limits<double>::quiet_NaN());
    }
    table.add_column({"i_" + axes[axis], std::move(cells), "1", "invariance on the axis " + axes[axis]});
  }
}

template <class R>
void read_invariance(const Table& table, const std::vector<std::string>& axes, std::vector<R>& records) {
  for (const std::string& axis : axes) {
    const std::vector<double>& cells = table.doubles("i_" + axis);
    for (size_t row = 0; row < records.size(); ++row) records[row].invariance.push_back(cells[row]);
  }
}

}  // namespace

Table job_table(const std::vector<JobRecord>& jobs, const std::vector<std::string>& axes) {
  Table table;
  for (size_t n = 0; n < kFieldsBeforeInvariance; ++n) table.add_column(make_column(jobs, kJobFields[n]));
  add_invariance(table, jobs, axes);
  for (size_t n = kFieldsBeforeInvariance; n < kJobFields.size(); ++n) {
    table.add_column(make_column(jobs, kJobFields[n]));
  }
  return table;
}

std::vector<JobRecord> jobs_from_table(const Table& table, const std::vector<std::string>& axes) {
  std::vector<JobRecord> jobs = from_table(table, kJobFields);
  read_invariance(table, axes, jobs);
  return jobs;
}

Table stage_table(const std::vector<StageTime>& times) {
  return to_table(times, kStageFields);
}
std::vector<StageTime> stages_from_table(const Table& table) {
  return from_table(table, kStageFields);
}

Table sensitivity_table(const std::vector<SensitivityRecord>& sensitivity) {
  return to_table(sensitivity, kSensitivityFields);
}
std::vector<SensitivityRecord> sensitivity_from_table(const Table& table) {
  return from_table(table, kSensitivityFields);
}

Table similarity_table(const std::vector<SimilarityRecord>& similarities, const std::vector<std::string>& axes) {
  Table table = to_table(similarities, kSimilarityFields);
  add_invariance(table, similarities, axes);
  return table;
}
std::vector<SimilarityRecord> similarities_from_table(const Table& table, const std::vector<std::string>& axes) {
  std::vector<SimilarityRecord> similarities = from_table(table, kSimilarityFields);
  read_invariance(table, axes, similarities);
  return similarities;
}

Table draw_table(const std::vector<TaskRecord>& tasks) {
  return to_table(tasks, kDrawFields);
}

Table picture_table(const std::vector<TaskRecord>& tasks) {
  std::vector<int64_t> draws;
  std::vector<std::string> names;
  for (size_t draw = 0; draw < tasks.size(); ++draw) {
    draws.insert(draws.end(), tasks[draw].pictures.size(), static_cast<int64_t>(draw));
    names.insert(names.end(), tasks[draw].pictures.begin(), tasks[draw].pictures.end());
  }
  return Table({{"draw", std::move(draws), "", "row of /tasks/draws"}, {"name", std::move(names), "", "picture"}});
}

std::vector<TaskRecord> tasks_from_tables(const Table& draws, const Table& pictures) {
  std::vector<TaskRecord> tasks = from_table(draws, kDrawFields);
  const std::vector<int64_t>& draw = pictures.integers("draw");
  const std::vector<std::string>& names = pictures.texts("name");
  for (size_t row = 0; row < draw.size(); ++row) {
    require(draw[row] >= 0 && draw[row] < static_cast<int64_t>(tasks.size()), "picture {} belongs to draw {} of {}",
            row, draw[row], tasks.size());
    tasks[static_cast<size_t>(draw[row])].pictures.push_back(names[row]);
  }
  return tasks;
}

}  // namespace invaria::io

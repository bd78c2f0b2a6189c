#include "io/hdf5_records.hpp"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include <limits>

#include "core/errors.hpp"
#include "io/hdf5_check.hpp"
#include "io/record_tables.hpp"

namespace invaria::io {

namespace json = boost::json;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// A list of a trajectory that holds one number a point, as a data set of /trajectories.
struct PointColumn {
  const char* name;
  const char* units;
  const char* long_name;
  std::vector<double> Trajectory::*list;
  bool may_be_missing = false;  ///< in files of schema 1: read as NaN
};

constexpr std::array<PointColumn, 4> kPointColumns{{
    {"loss", "", "training loss", &Trajectory::loss},
    {"validation", "1", "the task's first metric on the validation set", &Trajectory::validation},
    {"encoder_passes", "1", "images sent through the encoder up to the point", &Trajectory::encoder_passes, true},
    {"seconds", "s", "wall-clock time from the beginning of learning to the point", &Trajectory::seconds, true},
}};

size_t n_points(const JobRecord& job) {
  const Trajectory& trajectory = job.trajectory;
  for (const PointColumn& column : kPointColumns) {
    const size_t n = (trajectory.*column.list).size();
    require(n == trajectory.invariance.size(), "job {}: a trajectory of {} invariances, and {} of {}", job.job_id,
            trajectory.invariance.size(), n, column.name);
  }
  return trajectory.invariance.size();
}

/// One number a point, with room for `points` points a job.
std::vector<double> point_array(const std::vector<JobRecord>& jobs, size_t points, const PointColumn& column) {
  std::vector<double> cells(jobs.size() * points, kNaN);
  for (size_t j = 0; j < jobs.size(); ++j) {
    const std::vector<double>& list = jobs[j].trajectory.*column.list;
    std::copy(list.begin(), list.end(), cells.begin() + static_cast<ptrdiff_t>(j * points));
  }
  return cells;
}

/// Invariances [job][point][axis].
std::vector<double> invariance_array(const std::vector<JobRecord>& jobs, size_t points, size_t n_axes) {
  std::vector<double> cells(jobs.size() * points * n_axes, kNaN);
  for (size_t j = 0; j < jobs.size(); ++j) {
    const Trajectory& trajectory = jobs[j].trajectory;
    for (size_t p = 0; p < trajectory.invariance.size(); ++p) {
      const std::vector<double>& i = trajectory.invariance[p];
      require(i.size() <= n_axes, "job {}: a trajectory of {} axes, expected at most {}", jobs[j].job_id, i.size(),
              n_axes);
      std::copy(i.begin(), i.end(), cells.begin() + static_cast<ptrdiff_t>((j * points + p) * n_axes));
    }
  }
  return cells;
}

void write_array(hid_t group, const Column& column, const std::vector<int64_t>& shape,
                 const std::vector<hid_t>& scales) {
  const DataSetHandle dataset = column.cells.index() == 0
                                    ? write_dataset(group, column.name, std::get<0>(column.cells), shape)
                                    : write_dataset(group, column.name, std::get<1>(column.cells), shape);
  if (!column.units.empty()) write_attribute(dataset.get(), "units", column.units);
  write_attribute(dataset.get(), "long_name", column.long_name);
  for (size_t axis = 0; axis < scales.size(); ++axis)
    attach_scale(dataset.get(), scales[axis], static_cast<int64_t>(axis));
}

void write_trajectories(hid_t file, const std::vector<JobRecord>& jobs, const Scales& scales) {
  const int64_t points = scales.size("point");
  const int64_t n_axes = scales.size("axis");
  const auto n_jobs = static_cast<int64_t>(jobs.size());
  const hid_t job = scales.at("job");
  const hid_t point = scales.at("point");
  const GroupHandle group = create_group(file, "trajectories");
  write_array(group.get(),
              {"invariance", invariance_array(jobs, static_cast<size_t>(points), static_cast<size_t>(n_axes)), "1",
               "learned invariance"},
              {n_jobs, points, n_axes}, {job, point, scales.at("axis")});
  for (const PointColumn& column : kPointColumns) {
    write_array(group.get(),
                {column.name, point_array(jobs, static_cast<size_t>(points), column), column.units, column.long_name},
                {n_jobs, points}, {job, point});
  }
  std::vector<int64_t> count;
  for (const JobRecord& row : jobs) count.push_back(static_cast<int64_t>(row.trajectory.invariance.size()));
  write_array(group.get(), {"n_points", std::move(count), "", "recorded points of the job"}, {n_jobs}, {job});
}

void read_trajectories(hid_t file, std::vector<JobRecord>& jobs) {
  const GroupHandle group = open_group(file, "trajectories");
  const auto open = [&](const char* name) { return open_dataset(group.get(), name); };
  const std::vector<int64_t> shape = shape_of(open("invariance").get());
  const std::vector<double> invariance = read_doubles(open("invariance").get());
  const std::vector<int64_t> count = read_integers(open("n_points").get());
  bool agree = shape.size() == 3 && count.size() == jobs.size() && shape[0] == static_cast<int64_t>(jobs.size()) &&
               std::all_of(count.begin(), count.end(), [&](int64_t n) { return n >= 0 && n <= shape[1]; });
  std::vector<std::vector<double>> columns;
  for (size_t c = 0; agree && c < kPointColumns.size(); ++c) {
    const PointColumn& column = kPointColumns[c];
    const auto n_cells = static_cast<size_t>(shape[0] * shape[1]);
    const bool is_missing = column.may_be_missing && !exists(group.get(), column.name);
    columns.push_back(is_missing ? std::vector<double>(n_cells, kNaN) : read_doubles(open(column.name).get()));
    agree = columns.back().size() == n_cells;
  }
  if (!agree) throw_environment("{}: the arrays disagree in shape", hdf5::describe(group.get()));
  const auto n_axes = static_cast<ptrdiff_t>(shape[2]);
  for (size_t j = 0; j < jobs.size(); ++j) {
    const ptrdiff_t first = static_cast<ptrdiff_t>(j) * shape[1];
    Trajectory& trajectory = jobs[j].trajectory;
    for (size_t c = 0; c < columns.size(); ++c) {
      (trajectory.*kPointColumns[c].list).assign(columns[c].begin() + first, columns[c].begin() + first + count[j]);
    }
    for (ptrdiff_t p = first; p < first + count[j]; ++p) {
      trajectory.invariance.emplace_back(invariance.begin() + p * n_axes, invariance.begin() + (p + 1) * n_axes);
    }
  }
}

json::value parse_attribute(hid_t group, const std::string& name) {
  boost::system::error_code error;
  json::value value = json::parse(read_text_attribute(group, name), error);
  if (error) throw_environment("{}: attribute \"{}\" is not JSON: {}", hdf5::describe(group), name, error.message());
  return value;
}

}  // namespace

void write_jobs(hid_t file, const std::vector<JobRecord>& jobs, const std::vector<std::string>& axes, Scales& scales) {
  size_t points = 0;
  for (const JobRecord& job : jobs) points = std::max(points, n_points(job));
  scales.add("job", static_cast<int64_t>(jobs.size()), "number of the job");
  write_table(create_group(file, "jobs").get(), job_table(jobs, axes), scales.at("job"));
  scales.add("point", static_cast<int64_t>(points), "number of the recorded step");
  write_trajectories(file, jobs, scales);
}

std::vector<JobRecord> read_jobs(hid_t file, const std::vector<std::string>& axes) {
  std::vector<JobRecord> jobs = jobs_from_table(read_table(open_group(file, "jobs").get()), axes);
  read_trajectories(file, jobs);
  return jobs;
}

void write_similarities(hid_t file, const std::vector<SimilarityRecord>& similarities,
                        const std::vector<std::string>& axes, Scales& scales) {
  if (similarities.empty()) return;
  const auto n_rows = static_cast<int64_t>(similarities.size());
  size_t longest = 0;
  std::vector<int64_t> n_strengths;
  for (const SimilarityRecord& record : similarities) {
    require(record.strengths.size() == record.values.size(), "{}: {} strengths and {} similarities", record.encoder,
            record.strengths.size(), record.values.size());
    longest = std::max(longest, record.values.size());
    n_strengths.push_back(static_cast<int64_t>(record.values.size()));
  }
  std::vector<double> strengths(similarities.size() * longest, kNaN);
  std::vector<double> values = strengths;
  for (size_t row = 0; row < similarities.size(); ++row) {
    const auto first = static_cast<ptrdiff_t>(row * longest);
    std::copy(similarities[row].strengths.begin(), similarities[row].strengths.end(), strengths.begin() + first);
    std::copy(similarities[row].values.begin(), similarities[row].values.end(), values.begin() + first);
  }
  scales.add("measurement", n_rows, "number of the measurement");
  scales.add("strength_number", static_cast<int64_t>(longest), "number of the strength");
  Table table = similarity_table(similarities, axes);
  table.add_column({"n_strengths", std::move(n_strengths), "", "strengths of the transformation"});
  const GroupHandle group = create_group(file, "invariance");
  write_table(create_group(group.get(), "measurements").get(), table, scales.at("measurement"));
  const std::vector<hid_t> dimensions{scales.at("measurement"), scales.at("strength_number")};
  const std::vector<int64_t> shape{n_rows, static_cast<int64_t>(longest)};
  write_array(group.get(), {"strength", std::move(strengths), "", "strength, as the transformation counts it"}, shape,
              dimensions);
  write_array(group.get(), {"value", std::move(values), "", "similarity, mean over pictures"}, shape, dimensions);
}

std::vector<SimilarityRecord> read_similarities(hid_t file, const std::vector<std::string>& axes) {
  if (!exists(file, "invariance")) return {};
  const GroupHandle group = open_group(file, "invariance");
  const Table table = read_table(open_group(group.get(), "measurements").get());
  std::vector<SimilarityRecord> similarities = similarities_from_table(table, axes);
  const std::vector<int64_t>& n_strengths = table.integers("n_strengths");
  const std::vector<int64_t> shape = shape_of(open_dataset(group.get(), "value").get());
  const std::vector<double> strengths = read_doubles(open_dataset(group.get(), "strength").get());
  const std::vector<double> values = read_doubles(open_dataset(group.get(), "value").get());
  const bool agree =
      shape.size() == 2 && shape[0] == table.rows() && strengths.size() == values.size() &&
      std::all_of(n_strengths.begin(), n_strengths.end(), [&](int64_t n) { return n >= 0 && n <= shape[1]; });
  if (!agree) throw_environment("{}: the arrays disagree in shape", hdf5::describe(group.get()));
  for (size_t row = 0; row < similarities.size(); ++row) {
    const auto first = static_cast<ptrdiff_t>(row) * shape[1];
    similarities[row].strengths.assign(strengths.begin() + first, strengths.begin() + first + n_strengths[row]);
    similarities[row].values.assign(values.begin() + first, values.begin() + first + n_strengths[row]);
  }
  return similarities;
}

void write_stages(hid_t file, const std::vector<StageTime>& times, Scales& scales) {
  if (times.empty()) return;
  scales.add("timing", static_cast<int64_t>(times.size()), "number of the timing");
  write_table(create_group(file, "stages").get(), stage_table(times), scales.at("timing"));
}

std::vector<StageTime> read_stages(hid_t file) {
  if (!exists(file, "stages")) return {};
  return stages_from_table(read_table(open_group(file, "stages").get()));
}

void write_tasks(hid_t file, const std::vector<TaskRecord>& tasks, Scales& scales) {
  if (tasks.empty()) return;
  const Table pictures = picture_table(tasks);
  scales.add("draw", static_cast<int64_t>(tasks.size()), "number of the draw");
  scales.add("picture", pictures.rows(), "number of the picture");
  const GroupHandle group = create_group(file, "tasks");
  write_table(create_group(group.get(), "draws").get(), draw_table(tasks), scales.at("draw"));
  write_table(create_group(group.get(), "pictures").get(), pictures, scales.at("picture"));
}

std::vector<TaskRecord> read_tasks(hid_t file) {
  if (!exists(file, "tasks")) return {};
  const GroupHandle group = open_group(file, "tasks");
  return tasks_from_tables(read_table(open_group(group.get(), "draws").get()),
                           read_table(open_group(group.get(), "pictures").get()));
}

void write_encoder(hid_t parent, const std::string& name, const EncoderRecord& encoder) {
  const GroupHandle group = create_group(parent, name);
  const hid_t id = group.get();
  write_attribute(id, "encoder", encoder.name);
  write_attribute(id, "encoder_seed", encoder.encoder_seed);
  write_attribute(id, "settings", encoder.settings);
  write_attribute(id, "status", encoder.status);
  write_attribute(id, "error", encoder.error);
  write_attribute(id, "checkpoint_hash", encoder.checkpoint_hash);
  write_attribute(id, "parameters", encoder.parameters);
  write_attribute(id, "flops_per_image", encoder.flops_per_image);
  write_attribute(id, "seconds", encoder.seconds);
  if (!encoder.pretraining.columns().empty())
    write_table(create_group(id, "pretraining").get(), encoder.pretraining, std::string("step"));
  if (!encoder.monitor.columns().empty())
    write_table(create_group(id, "monitor").get(), encoder.monitor, std::string("step"));
}

EncoderRecord read_encoder(hid_t group) {
  EncoderRecord encoder;
  encoder.name = read_text_attribute(group, "encoder");
  encoder.encoder_seed = read_integer_attribute(group, "encoder_seed");
  encoder.settings = read_text_attribute(group, "settings");
  encoder.status = read_text_attribute(group, "status");
  encoder.error = read_text_attribute(group, "error");
  encoder.checkpoint_hash = read_text_attribute(group, "checkpoint_hash");
  encoder.parameters = read_integer_attribute(group, "parameters");
  encoder.flops_per_image = read_double_attribute(group, "flops_per_image");
  encoder.seconds = read_double_attribute(group, "seconds");
  if (exists(group, "pretraining")) encoder.pretraining = read_table(open_group(group, "pretraining").get());
  if (exists(group, "monitor")) encoder.monitor = read_table(open_group(group, "monitor").get());
  return encoder;
}

void write_data(hid_t parent, const std::string& name, const DataRecord& data) {
  const GroupHandle group = create_group(parent, name);
  json::object splits;
  for (const auto& [split, hash] : data.split_hashes) splits[split] = hash;
  write_attribute(group.get(), "name", data.name);
  write_attribute(group.get(), "manifest", data.manifest);
  write_attribute(group.get(), "checksum", data.checksum);
  write_attribute(group.get(), "settings", data.settings);
  write_attribute(group.get(), "splits", json::serialize(splits));
  json::array left_out;
  for (const std::string& file : data.files_left_out) left_out.emplace_back(valid_utf8(file));
  write_attribute(group.get(), "files_left_out", json::serialize(left_out));
}

DataRecord read_data(hid_t group) {
  DataRecord data;
  data.name = read_text_attribute(group, "name");
  data.manifest = read_text_attribute(group, "manifest");
  data.checksum = read_text_attribute(group, "checksum");
  data.settings = read_text_attribute(group, "settings");
  try {
    data.split_hashes = json::value_to<std::map<std::string, std::string>>(parse_attribute(group, "splits"));
    data.files_left_out = json::value_to<std::vector<std::string>>(parse_attribute(group, "files_left_out"));
  } catch (const boost::system::system_error& error) {
    throw_environment("{}: splits or files_left_out: {}", hdf5::describe(group), error.what());
  }
  return data;
}

}  // namespace invaria::io

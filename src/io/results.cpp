#include "io/results.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "core/errors.hpp"
#include "io/hdf5_records.hpp"
#include "io/seal.hpp"

namespace invaria::io {
namespace {

/// What the root attributes hold, once for writing and reading: name, member, the schema that they came with.
template <class Info, class Visit>
void visit_attributes(Info& info, Visit visit) {
  visit("suite", info.suite);
  visit("settings", info.settings);
  visit("created", info.created);
  visit("finished", info.finished);
  visit("version", info.version);
  visit("git_commit", info.git_commit);
  visit("git_dirty", info.git_dirty);
  visit("compiler", info.compiler, 2);
  visit("flags", info.flags, 2);
  visit("libraries", info.libraries);
  visit("hosts", info.hosts);
  visit("slurm", info.slurm, 2);
  visit("world_size", info.world_size);
  visit("valid", info.valid);
  visit("invalid_because", info.invalid_because);
  visit("wall_s", info.wall_s);
  visit("energy_J", info.energy_J);
}

void write_value(hid_t file, const char* name, const std::string& text) {
  write_attribute(file, name, text);
}
void write_value(hid_t file, const char* name, double number) {
  write_attribute(file, name, number);
}
void write_value(hid_t file, const char* name, int64_t number) {
  write_attribute(file, name, number);
}
void write_value(hid_t file, const char* name, bool flag) {
  write_attribute(file, name, int64_t{flag ? 1 : 0});
}
void read_value(hid_t file, const char* name, std::string& text) {
  text = read_text_attribute(file, name);
}
void read_value(hid_t file, const char* name, double& number) {
  number = read_double_attribute(file, name);
}
void read_value(hid_t file, const char* name, int64_t& number) {
  number = read_integer_attribute(file, name);
}
void read_value(hid_t file, const char* name, bool& flag) {
  flag = read_integer_attribute(file, name) != 0;
}

/// Labels of a dimension in order of first appearance.
class Labels {
 public:
  void add(const std::string& label) {
    if (known_.insert(label).second) list_.push_back(label);
  }
  void add(const std::vector<std::string>& labels) {
    for (const std::string& label : labels) add(label);
  }
  const std::vector<std::string>& list() const { return list_; }

 private:
  std::set<std::string> known_;
  std::vector<std::string> list_;
};

void require_group_name(const std::string& name, std::set<std::string>& taken, const char* what) {
  require(!name.empty() && name != "." && name.find('/') == std::string::npos, "{} \"{}\" cannot name a group", what,
          name);
  require(taken.insert(name).second, "{} \"{}\" is recorded twice", what, name);
}

std::vector<std::string> encoder_groups(const std::vector<EncoderRecord>& encoders) {
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (const EncoderRecord& encoder : encoders) {
    names.push_back(encoder_group_name(encoder, encoders));
    require_group_name(names.back(), taken, "encoder");
  }
  return names;
}

/// The sensitivity as a long table keyed by the encoders' group names.
Table sensitivity_by_group(const Segment& content, const std::vector<std::string>& groups) {
  std::map<std::pair<std::string, int64_t>, std::string> group_of;
  for (size_t n = 0; n < groups.size(); ++n) {
    group_of[{content.encoders[n].name, content.encoders[n].encoder_seed}] = groups[n];
  }
  Table table({{"encoder", std::vector<std::string>{}, "", ""},
               {"corner", std::vector<std::string>{}, "", ""},
               {"transformation", std::vector<std::string>{}, "", ""},
               {"sensitivity", std::vector<double>{}, "1", "how far the features move under the transformation"}});
  for (const SensitivityRecord& record : content.sensitivity) {
    const auto found = group_of.find({record.encoder, record.encoder_seed});
    require(found != group_of.end(), "sensitivity of encoder \"{}\" with seed {}, which is not recorded",
            record.encoder, record.encoder_seed);
    table.append({found->second, record.corner, record.transformation, record.value});
  }
  return table;
}

constexpr std::pair<const char*, const char*> kLabelled[] = {
    {"encoder", "encoder, as /encoders names it"},
    {"task", "downstream task"},
    {"arm", "how the invariance was chosen, or which baseline"},
    {"metric", "what is measured"},
    {"corner", "invariance, one bit an axis"},
    {"transformation", "what was done to the pictures"}};

/// The scales whose labels come from the records and from the keys of the long tables.
void add_labelled_scales(const Results& results, const std::vector<std::string>& groups, const Table& sensitivity,
                         Scales& scales) {
  std::map<std::string, Labels> labels;
  labels["encoder"].add(groups);
  for (const JobRecord& job : results.content.jobs) {
    labels["task"].add(job.task);
    labels["arm"].add(job.arm);
    labels["metric"].add(job.metric);
  }
  for (const Table* table : {&sensitivity, &results.summary, &results.arm_summary}) {
    for (const std::string& key : key_columns(*table)) labels[key].add(table->texts(key));
  }
  for (const auto& [name, long_name] : kLabelled) {
    const auto found = labels.extract(name);
    if (!found.empty() && !found.mapped().list().empty()) scales.add(name, found.mapped().list(), long_name);
  }
  for (const auto& [name, further] : labels) scales.add(name, further.list(), name);
}

void write_everything(hid_t file, const Results& results) {
  const Segment& content = results.content;
  write_attribute(file, "schema", kResultsSchema);
  visit_attributes(results.info,
                   [&](const char* name, const auto& value, int64_t = 1) { write_value(file, name, value); });

  Scales scales(file);
  const std::vector<std::string> groups = encoder_groups(content.encoders);
  const Table sensitivity = sensitivity_by_group(content, groups);
  add_labelled_scales(results, groups, sensitivity, scales);
  scales.add("axis", results.axes, "axis of the invariance");
  write_jobs(file, content.jobs, results.axes, scales);
  write_similarities(file, content.similarities, results.axes, scales);
  write_stages(file, content.stage_times, scales);
  write_tasks(file, content.tasks, scales);
  if (sensitivity.rows() > 0) write_arrays(file, sensitivity, scales);

  const GroupHandle encoders = create_group(file, "encoders");
  for (size_t n = 0; n < groups.size(); ++n) write_encoder(encoders.get(), groups[n], content.encoders[n]);
  const GroupHandle data = create_group(file, "data");
  std::set<std::string> taken;
  for (const DataRecord& record : content.data) {
    require_group_name(record.name, taken, "data set");
    write_data(data.get(), record.name, record);
  }
  const GroupHandle summary = create_group(file, "summary");
  if (results.summary.rows() > 0) write_arrays(summary.get(), results.summary, scales);
  if (results.arm_summary.rows() > 0) write_arrays(summary.get(), results.arm_summary, scales);
}

std::vector<SensitivityRecord> read_sensitivity(hid_t file, const std::vector<EncoderRecord>& encoders) {
  std::map<std::string, const EncoderRecord*> by_group;
  for (const EncoderRecord& encoder : encoders) by_group[encoder_group_name(encoder, encoders)] = &encoder;
  std::vector<SensitivityRecord> records;
  for (const Table& table : read_arrays(file, file)) {
    if (!table.contains("sensitivity")) continue;
    for (size_t row = 0; row < static_cast<size_t>(table.rows()); ++row) {
      const auto encoder = by_group.find(table.texts("encoder")[row]);
      if (encoder == by_group.end()) throw_environment("/sensitivity: no encoder \"{}\"", table.texts("encoder")[row]);
      records.push_back({encoder->second->name, encoder->second->encoder_seed, table.texts("corner")[row],
                         table.texts("transformation")[row], table.doubles("sensitivity")[row]});
    }
  }
  return records;
}

Results read_everything(hid_t file, int64_t schema) {
  Results results;
  visit_attributes(results.info, [&](const char* name, auto& value, int64_t since = 1) {
    if (schema >= since) read_value(file, name, value);
  });
  results.axes = read_texts(open_dataset(file, "axis").get());
  Segment& content = results.content;
  content.jobs = read_jobs(file, results.axes);
  content.similarities = read_similarities(file, results.axes);
  content.stage_times = read_stages(file);
  content.tasks = read_tasks(file);
  const GroupHandle encoders = open_group(file, "encoders");
  for (const std::string& name : members(encoders.get())) {
    content.encoders.push_back(read_encoder(open_group(encoders.get(), name).get()));
  }
  const GroupHandle data = open_group(file, "data");
  for (const std::string& name : members(data.get())) {
    content.data.push_back(read_data(open_group(data.get(), name).get()));
  }
  content.sensitivity = read_sensitivity(file, content.encoders);
  for (Table& table : read_arrays(open_group(file, "summary").get(), file)) {
    (table.contains("task") ? results.summary : results.arm_summary) = std::move(table);
  }
  return results;
}

int64_t schema_of(hid_t file) {
  return has_attribute(file, "schema") ? read_integer_attribute(file, "schema") : 0;
}

}  // namespace

bool RunInfo::operator==(const RunInfo& other) const {
  const auto equal = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
  const auto rest = [](const RunInfo& i) {
    return std::tie(i.suite, i.settings, i.created, i.finished, i.version, i.git_commit, i.git_dirty, i.compiler,
                    i.flags, i.libraries, i.hosts, i.slurm, i.world_size, i.valid, i.invalid_because);
  };
  return rest(*this) == rest(other) && equal(wall_s, other.wall_s) && equal(energy_J, other.energy_J);
}

void write_results(const fs::path& path, const Results& results) {
  FileHandle file = create_file(path);
  write_everything(file.get(), results);
  write_file_atomically(path, sealed(close_file(std::move(file), path)));
}

Results read_results(const fs::path& path) {
  const FileHandle file = open_bytes(unsealed(read_file(path), path), path);
  int64_t schema = 0;
  try {
    schema = schema_of(file.get());
    if (schema >= kOldestResultsSchema && schema <= kResultsSchema) return read_everything(file.get(), schema);
  } catch (const std::exception& error) {
    throw_environment("{}: a broken results file: {}", path.string(), error.what());
  }
  throw_config("{}: results of schema {}, this program reads schemas {} to {}{}", path.string(), schema,
               kOldestResultsSchema, kResultsSchema,
               schema > kResultsSchema ? "; a newer version of invaria wrote it, read it with that one" : "");
}

}  // namespace invaria::io

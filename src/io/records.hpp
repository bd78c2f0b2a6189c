#pragma once
/// @file
/// What a run records, as plain structs: the rows of results.h5 before and after they are in a file.

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/table.hpp"

namespace invaria::io {

/// A learned invariance on its way, one entry a recorded point. The lists are of equal length.
struct Trajectory {
  std::vector<std::vector<double>> invariance;  ///< [point][axis], each in [0, 1]
  std::vector<double> loss;            ///< [point] training loss; NaN at a start or end where it was not computed
  std::vector<double> validation;      ///< [point] validation metric; NaN where it was not computed
  std::vector<double> encoder_passes;  ///< [point] images sent through the encoder up to there
  std::vector<double> seconds;         ///< [point] wall-clock time from the beginning of learning up to there

  void add(std::vector<double> at, double loss_there, double validation_there, int64_t passes, double seconds_since) {
    invariance.push_back(std::move(at));
    loss.push_back(loss_there);
    validation.push_back(validation_there);
    encoder_passes.push_back(static_cast<double>(passes));
    seconds.push_back(seconds_since);
  }
};

/// Whether a metric of that name measures an error: less is better. Of all others more is better.
bool less_is_better(std::string_view metric);

/// One row of /jobs: one arm on one task with one metric.
struct JobRecord {
  std::string job_id;   ///< hash of the job's resolved settings
  std::string encoder;  ///< the encoder's name in the suite
  int64_t encoder_seed = 0;
  std::string arm;
  std::string task;
  std::string metric;
  double value = 0.0;             ///< on the test set; NaN unless finished
  double validation_value = 0.0;  ///< on the validation set; NaN without one
  /// 95 % interval of `value` over the test set's samples, or over few-shot episodes; NaN where not computed
  double value_low = std::numeric_limits<double>::quiet_NaN();
  double value_high = std::numeric_limits<double>::quiet_NaN();
  int64_t repeat = 0;
  std::string protocol;
  int64_t shots = 0;  ///< samples a class in a few-shot episode; 0 elsewhere
  double readout_l2 = 0.0;
  std::vector<double> invariance;  ///< [axis] the learned or fixed i; NaN where the encoder lacks the axis
  std::string bn_statistics;       ///< "running" or "re-estimated"
  std::string bn_hash;
  std::string split_hash;
  std::string halves;  ///< of learned-projected: "samples" or "views" of the same samples; empty for other arms
  double seconds = 0.0;
  double samples_per_s = 0.0;
  int64_t encoder_passes = 0;  ///< images sent through the encoder
  int64_t rank = 0;
  std::string host;
  std::string encoder_hash_before;
  std::string encoder_hash_after;
  std::string status;  ///< finished | failed | blocked
  std::string error;
  Trajectory trajectory;  ///< empty unless the arm learns i
};

/// One encoder: what it is, how its pretraining went.
struct EncoderRecord {
  std::string name;
  int64_t encoder_seed = 0;
  std::string settings;  ///< resolved, as JSON
  std::string status;    ///< finished | failed
  std::string error;
  std::string checkpoint_hash;
  int64_t parameters = 0;
  double flops_per_image = 0.0;
  double seconds = 0.0;
  /// step, loss, top1, alignment, uniformity, deviation, lr, corner (bits as text), images_per_s, data_wait_s,
  /// comm_wait_s
  Table pretraining;
  Table monitor;  ///< step, corner, knn_top1, readout_top1; without columns if nothing was monitored
};

/// How far features move under one transformation at one corner.
struct SensitivityRecord {
  std::string encoder;
  int64_t encoder_seed = 0;
  std::string corner;  ///< bits, e.g. "01"
  std::string transformation;
  double value = 0.0;

  bool operator==(const SensitivityRecord&) const = default;
};

/// How alike an encoder's features at one i stay under one transformation of pictures, over its strengths.
struct SimilarityRecord {
  std::string encoder;
  int64_t encoder_seed = 0;
  std::vector<double> invariance;  ///< [axis] i; of an encoder without conditioning the corner that it was trained for
  std::string transformation;
  std::string similarity;         ///< kind
  int64_t directions = 0;         ///< that whitening kept of the features
  std::string settings;           ///< of the measuring, resolved, as JSON: rows of equal settings can be compared
  std::vector<double> strengths;  ///< [strength]
  std::vector<double> values;     ///< [strength] mean over pictures

  bool operator==(const SimilarityRecord&) const = default;
};

/// One data set as it was found.
struct DataRecord {
  std::string name;
  std::string manifest;  ///< JSON
  std::string checksum;
  std::map<std::string, std::string> split_hashes;  ///< split -> hash
  std::vector<std::string> files_left_out;          ///< corrupt ones, where the suite allows leaving them out
  std::string settings;                             ///< how the suite decodes it, as JSON

  bool operator==(const DataRecord&) const = default;
};

/// Wall-clock time of one stage on one rank, and the energy that its machine took. One rank of a machine measures; the
/// others have 0. NaN where it cannot be read (core/energy.hpp).
struct StageTime {
  std::string stage;
  int64_t rank = 0;
  double seconds = 0.0;
  double cpu_energy_J = std::numeric_limits<double>::quiet_NaN();
  double gpu_energy_J = std::numeric_limits<double>::quiet_NaN();

  /// NaN equals NaN.
  bool operator==(const StageTime& other) const;
};

/// The pictures that one repeat of a task drew.
struct TaskRecord {
  std::string task;
  int64_t repeat = 0;
  std::string split_hash;
  std::vector<std::string> pictures;

  bool operator==(const TaskRecord&) const = default;
};

/// What one rank finished since its last flush; also, concatenated, everything a run finished.
struct Segment {
  std::vector<JobRecord> jobs;
  std::vector<EncoderRecord> encoders;
  std::vector<SensitivityRecord> sensitivity;
  std::vector<SimilarityRecord> similarities;
  std::vector<DataRecord> data;
  std::vector<StageTime> stage_times;
  std::vector<TaskRecord> tasks;

  bool empty() const;
};

/// Append all of `other` to `segment`.
void append(Segment& segment, const Segment& other);

/// The records with the settings of the last one: what was measured before with others is another table.
std::vector<SimilarityRecord> of_last_measuring(std::vector<SimilarityRecord> records);

/// The group of an encoder under /encoders: its name, or `<name>-seed<seed>` where the run has several seeds of that
/// name.
std::string encoder_group_name(const EncoderRecord& encoder, const std::vector<EncoderRecord>& all);

}  // namespace invaria::io

#pragma once
// A small run with known answers: two axes, one amortised encoder and two baselines, two tasks, two repeats, a 2 x 2
// grid.
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "config/invariance.hpp"
#include "core/sha256.hpp"
#include "io/results.hpp"
#include "report/arms.hpp"
#include "report/validity.hpp"

namespace invaria::report {

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

inline std::string split_of(const std::string& task, int64_t repeat) {
  return sha256_hex(task + std::to_string(repeat));
}

/// A finished row of encoder `amortised`, its validation value 0.01 below the test value.
inline io::JobRecord job(const std::string& arm, const std::string& task, int64_t repeat, double value) {
  io::JobRecord row;
  row.encoder = "amortised";
  row.arm = arm;
  row.task = task;
  row.metric = "top1";
  row.value = value;
  row.validation_value = value - 0.01;
  row.repeat = repeat;
  row.protocol = "default";
  row.readout_l2 = 1e-3;
  row.invariance = {0.0, 1.0};
  row.bn_statistics = "running";
  row.bn_hash = "bn";
  row.split_hash = split_of(task, repeat);
  row.seconds = 2.0;
  row.samples_per_s = 100.0;
  row.encoder_passes = 200;
  row.host = "node1";
  row.encoder_hash_before = row.encoder_hash_after = sha256_hex("amortised");
  row.status = "finished";
  row.job_id = sha256_hex(row.encoder + arm + task + std::to_string(repeat));
  return row;
}

/// A finished row of a baseline: the encoder is named as its arm.
inline io::JobRecord baseline(const std::string& arm, const std::string& task, int64_t repeat, double value) {
  io::JobRecord row = job(arm, task, repeat, value);
  row.encoder = arm;
  row.invariance = {kNoNumber, kNoNumber};
  row.encoder_hash_before = row.encoder_hash_after = sha256_hex(arm);
  row.job_id = sha256_hex(row.encoder + arm + task + std::to_string(repeat));
  return row;
}

inline io::EncoderRecord encoder(const std::string& name) {
  io::EncoderRecord record;
  record.name = name;
  record.settings = R"({"width": 16})";
  record.status = "finished";
  record.checkpoint_hash = sha256_hex("checkpoint of " + name);
  record.parameters = 712'400;
  record.flops_per_image = 9.31e6;
  record.seconds = 130.0;
  const std::vector<int64_t> steps{0, 1, 2, 3};
  record.pretraining = io::Table({{"step", steps, "", "step"},
                                  {"loss", std::vector<double>{5.5, 5.0, 4.5, 4.25}, "nat", "loss"},
                                  {"top1", std::vector<double>{0.0, 0.1, 0.2, 0.375}, "1", "top1"},
                                  {"lr", std::vector<double>{1e-3, 2e-3, 1e-3, 0.0}, "", "learning rate"},
                                  {"corner", std::vector<std::string>{"01", "10", "11", "01"}, "", "corner"},
                                  {"images_per_s", std::vector<double>{400, 500, 500, 600}, "s-1", "rate"},
                                  {"data_wait_s", std::vector<double>(4, 0.01), "s", "wait for data"},
                                  {"comm_wait_s", std::vector<double>(4, 0.02), "s", "wait for other ranks"}});
  return record;
}

/// Everything that the ranks of the small run recorded, in no particular order.
inline io::Segment small_segment() {
  io::Segment segment;
  segment.encoders = {encoder("random"), encoder("amortised"), encoder("fixed-default")};
  segment.encoders[0].pretraining = io::Table();
  segment.encoders[0].seconds = 0.0;
  segment.encoders[1].parameters = 23'040'000;

  const std::vector<std::pair<std::string, std::vector<double>>> amortised{
      // known-01 repeat 0, repeat 1, known-10 repeat 0, repeat 1
      {"learned-projected", {0.90, 0.94, 0.70, 0.74}}, {"corner-01", {0.92, 0.94, 0.20, 0.24}},
      {"corner-10", {0.50, 0.46, 0.72, 0.76}},         {"grid-0,0", {0.80, 0.84, 0.40, 0.36}},
      {"grid-0,1", {0.92, 0.94, 0.20, 0.24}},          {"grid-1,0", {0.50, 0.46, 0.72, 0.76}},
      {"grid-1,1", {0.86, 0.88, 0.30, 0.30}}};
  const std::vector<std::pair<std::string, std::vector<double>>> baselines{{"fixed-default", {0.88, 0.90, 0.32, 0.36}},
                                                                           {"random", {0.30, 0.34, 0.28, 0.28}}};
  for (int64_t cell = 3; cell >= 0; --cell) {
    const std::string task = cell < 2 ? "known-01" : "known-10";
    for (const auto& [arm, values] : amortised) {
      segment.jobs.push_back(job(arm, task, cell % 2, values[static_cast<size_t>(cell)]));
      if (const auto point = grid_point(arm)) segment.jobs.back().invariance = *point;
    }
    for (const auto& [arm, values] : baselines) {
      segment.jobs.push_back(baseline(arm, task, cell % 2, values[static_cast<size_t>(cell)]));
    }
    segment.tasks.push_back({task, cell % 2, split_of(task, cell % 2), {"ant/1.jpg", "bass/2.jpg"}});
  }
  for (io::JobRecord& row : segment.jobs) {
    if (row.arm != "learned-projected") continue;
    const double other = row.repeat == 0 ? 0.0 : 0.25;
    row.invariance = row.task == "known-01" ? config::Invariance{other, 1.0} : config::Invariance{1.0, other};
    row.trajectory = {{{0.5, 0.5}, row.invariance}, {0.5, 0.25}, {kNoNumber, kNoNumber}, {40, 80}, {1, 2}};
    if (row.task != "known-01") continue;
    io::JobRecord second = row;  // the same job's other metric
    second.metric = "mean_per_class";
    second.value -= 0.02;
    segment.jobs.push_back(second);
    break;
  }
  segment.sensitivity = {{"amortised", 0, "01", "flip", 0.55},
                         {"amortised", 0, "01", "hue", 0.01},
                         {"amortised", 0, "10", "flip", 0.02},
                         {"amortised", 0, "10", "hue", 1.04},
                         {"fixed-default", 0, "11", "flip", 0.08}};
  for (const config::Invariance& i : {config::Invariance{1.0, 0.5}, {0.0, 1.0}}) {
    for (const char* transformation : {"rotation", "flip"}) {
      const bool turned = transformation[0] == 'r';
      segment.similarities.push_back({"amortised", 0, i, transformation, "cosine", 7, R"({"images": 20})",
                                      turned ? std::vector<double>{-180, 180} : std::vector<double>{1},
                                      turned ? std::vector<double>{i[0], 0.5} : std::vector<double>{0.25 + i[0] / 2}});
    }
  }
  segment.data = {{"caltech101-sample",
                   R"({"kind": "image-folder"})",
                   sha256_hex("sample"),
                   {{"test", sha256_hex("test")}, {"train", sha256_hex("train")}},
                   {"train/ant/broken.jpg"},
                   R"({"size": 64})"}};
  segment.stage_times = {
      {"pretrain", 0, 300.0}, {"pretrain", 1, 290.0}, {"extract", 1, 20.0}, {"extract", 0, 10.0}, {"extract", 0, 5.0}};
  return segment;
}

inline MergeExpectation small_expectation() {
  MergeExpectation expected{.repeats = 2,
                            .repeats_of_arm = {},
                            .job_ids = {},
                            .encoders = {"amortised", "fixed-default", "random"},
                            .sensitivity = {}};
  for (const io::JobRecord& row : small_segment().jobs) expected.job_ids.push_back(row.job_id);
  return expected;
}

inline io::RunInfo small_info() {
  io::RunInfo info;
  info.suite = "small";
  info.settings = "{}";
  info.created = "2024-05-01T10:00:00Z";
  info.finished = "2024-05-01T10:08:05Z";
  info.version = "0.1.0";
  info.git_commit = "0123456789abcdef0123456789abcdef01234567";
  info.libraries = "{}";
  info.hosts = R"([{"name": "node1", "CPU": "Xeon", "GPU": ""}])";
  info.world_size = 2;
  info.wall_s = 485.0;
  return info;
}

inline std::vector<std::string> small_axes() {
  return {"spatial", "appearance"};
}

}  // namespace invaria::report

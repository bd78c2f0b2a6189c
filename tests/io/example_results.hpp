#pragma once
/// @file
/// A small run with everything in it, for the tests of segments and results.

#include <limits>

#include "io/record_tables.hpp"
#include "io/results.hpp"

inline invaria::io::Segment example_segment() {
  using namespace invaria::io;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Segment segment;
  for (int64_t n = 0; n < 5; ++n) {
    JobRecord job;
    job.job_id = "job" + std::to_string(n);
    job.encoder = n == 4 ? "fixed-default" : "amortised";
    job.encoder_seed = n % 2;
    job.arm = n == 0 ? "learned-projected" : n == 4 ? "fixed-default" : "corner-01";
    job.task = n == 3 ? "caltech101" : "known-01";
    job.metric = "top1";
    job.value = 0.125 * static_cast<double>(n);
    job.validation_value = n == 3 ? nan : 0.5;
    job.repeat = n;
    job.protocol = "logistic";
    job.shots = 10;
    job.readout_l2 = 1e-3;
    job.invariance = n == 4 ? std::vector<double>{nan, nan} : std::vector<double>{0.1 * static_cast<double>(n), 1.0};
    job.bn_statistics = "re-estimated";
    job.bn_hash = "bn";
    job.split_hash = "split";
    job.seconds = 1.5;
    job.samples_per_s = 200.0;
    job.encoder_passes = 4000;
    job.rank = 1;
    job.host =
        "n\xc3\xb8"
        "de";  // UTF-8
    job.encoder_hash_before = "e";
    job.encoder_hash_after = "e";
    job.status = n == 3 ? "failed" : "finished";
    job.error = n == 3 ? "out of luck" : "";
    if (n == 0)
      job.trajectory = {
          {{0.5, 0.5}, {0.4, 0.75}, {0.1, 1.0}}, {2.0, 1.0, nan}, {0.25, nan, nan}, {10, 30, 70}, {0.5, 1, 2.5}};
    if (n == 1) job.trajectory = {{{0.5, 0.5}}, {3.0}, {0.5}, {20}, {0.25}};
    segment.jobs.push_back(job);
  }
  for (const int64_t seed : {0, 1}) {
    segment.encoders.push_back({"amortised", seed, R"({"steps":250})", "finished", "", "hash", 11'000'000, 1.5e8, 60.0,
                                Table({{"step", std::vector<int64_t>{1, 2, 3}, "", "step"},
                                       {"loss", std::vector<double>{5.0, 4.5, nan}, "", "contrastive loss"},
                                       {"top1", std::vector<double>{0.0, 0.25, 0.5}, "1", "contrastive top-1"},
                                       {"corner", std::vector<std::string>{"01", "10", "11"}, "", "bits"},
                                       {"images_per_s", std::vector<double>{90.0, 100.0, 110.0}, "s-1", "rate"}}),
                                // A look at two corners, so that the step repeats.
                                Table({{"step", std::vector<int64_t>{2, 2}, "", "steps done"},
                                       {"corner", std::vector<std::string>{"01", "10"}, "", "bits"},
                                       {"knn_top1", std::vector<double>{0.5, 0.25 * double(seed)}, "1", "held-out"}})});
  }
  segment.encoders.push_back(
      {"fixed-default", 0, "{}", "failed", "loss is not finite at step 7", "", 5, 1.0, 2.0, Table(), Table()});
  for (const char* corner : {"01", "10"}) {
    for (const char* transformation : {"crop", "hue"}) {
      segment.sensitivity.push_back({"amortised", 1, corner, transformation, corner[0] == '0' ? 0.25 : 0.0});
    }
  }
  segment.similarities = {
      {"amortised", 1, {0.0, 1.0}, "rotation", "cosine", 3, R"({"images":9})", {-180.0, 0.0, 180.0}, {0.5, 1.0, 0.25}},
      {"amortised", 1, {0.0, 1.0}, "flip", "mahalanobis", 3, R"({"images":9})", {1.0}, {2.5}},
      {"fixed-default", 0, {1.0, 1.0}, "flip", "mahalanobis", 2, R"({"images":9})", {1.0}, {0.0}}};
  segment.data.push_back({"caltech101",
                          R"({"kind":"imagefolder"})",
                          "sum",
                          {{"test", "h2"}, {"train", "h1"}},
                          {"a/b.jpg", "\xc3\xa9"},
                          R"({"size":64})"});
  segment.data.push_back({"cifar10", "{}", "sum", {}, {}, "{}"});
  segment.stage_times = {{"pretrain", 0, 10.0, 900.5, 0.0}, {"pretrain", 1, 11.0, 0.0, 0.0}, {"extract", 0, 2.5}};
  segment.tasks = {
      {"known-01", 0, "s0", {"a.jpg", "b.jpg"}}, {"known-01", 1, "s1", {}}, {"caltech101", 0, "s2", {"c.jpg"}}};
  return segment;
}

inline invaria::io::Results example_results() {
  using namespace invaria::io;
  Results results;
  results.info.suite = "example";
  results.info.settings = R"({"name":"example"})";
  results.info.created = "2024-05-01T12:00:00.000Z";
  results.info.finished = "2024-05-01T12:10:00.000Z";
  results.info.version = "0.1.0";
  results.info.git_commit = "abc";
  results.info.git_dirty = true;
  results.info.compiler = "GNU 12.2.0";
  results.info.flags = "-O3 -DNDEBUG";
  results.info.slurm = R"({"job_id":"7"})";
  results.info.libraries = R"({"hdf5":"1.10.8"})";
  results.info.hosts = R"([{"name":"node"}])";
  results.info.world_size = 2;
  results.info.invalid_because = "a job failed";
  results.info.wall_s = 600.0;
  results.axes = {"spatial", "appearance"};
  results.content = example_segment();
  results.summary =
      Table({{"arm", std::vector<std::string>{"learned-projected", "learned-projected", "fixed-default"}, "", ""},
             {"task", std::vector<std::string>{"known-01", "caltech101", "known-01"}, "", ""},
             {"metric", std::vector<std::string>{"top1", "top1", "top1"}, "", ""},
             {"mean", std::vector<double>{0.75, 0.5, 0.25}, "1", "mean over repeats"},
             {"ci95", std::vector<double>{0.01, 0.02, std::numeric_limits<double>::quiet_NaN()}, "1",
              "half-width of the 95 % Student-t interval"},
             {"n", std::vector<int64_t>{3, 3, 1}, "", "repeats"}});
  results.arm_summary = Table({{"arm", std::vector<std::string>{"learned-projected", "fixed-default"}, "", ""},
                               {"average_rank", std::vector<double>{1.0, 2.0}, "", "average rank over tasks"},
                               {"regret", std::vector<double>{0.0, 0.5}, "1", "oracle minus arm"}});
  return results;
}

/// Everything of a segment as tables, which compare NaN equal to NaN.
inline bool same_content(const invaria::io::Segment& a, const invaria::io::Segment& b,
                         const std::vector<std::string>& axes) {
  using namespace invaria::io;
  const auto trajectories = [](const Segment& segment) {
    Table table({{"job", std::vector<int64_t>{}, "", ""}, {"value", std::vector<double>{}, "", ""}});
    for (size_t n = 0; n < segment.jobs.size(); ++n) {
      const auto number = static_cast<int64_t>(n);
      for (const auto& i : segment.jobs[n].trajectory.invariance) {
        for (const double value : i) table.append({number, value});
      }
      const Trajectory& trajectory = segment.jobs[n].trajectory;
      for (const auto& list : {trajectory.loss, trajectory.validation, trajectory.encoder_passes, trajectory.seconds}) {
        for (const double value : list) table.append({number, value});
      }
    }
    return table;
  };
  const auto encoders = [](const Segment& segment) {
    Table table({{"text", std::vector<std::string>{}, "", ""}});
    for (const EncoderRecord& e : segment.encoders) {
      table.append({e.name + "|" + e.settings + "|" + e.status + "|" + e.error + "|" + e.checkpoint_hash + "|" +
                    std::to_string(e.encoder_seed) + "|" + std::to_string(e.parameters) + "|" +
                    std::to_string(e.flops_per_image) + "|" + std::to_string(e.seconds)});
    }
    return table;
  };
  bool same = job_table(a.jobs, axes) == job_table(b.jobs, axes) && trajectories(a) == trajectories(b) &&
              encoders(a) == encoders(b) && a.sensitivity == b.sensitivity && a.similarities == b.similarities &&
              a.data == b.data && a.stage_times == b.stage_times && a.tasks == b.tasks;
  for (size_t n = 0; same && n < a.encoders.size(); ++n) {
    same = a.encoders[n].pretraining == b.encoders[n].pretraining && a.encoders[n].monitor == b.encoders[n].monitor;
  }
  return same;
}

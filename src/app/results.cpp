#include "app/results.hpp"

#include <algorithm>
#include <map>

#include "core/errors.hpp"
#include "downstream/sensitivity.hpp"
#include "io/files.hpp"
#include "io/segments.hpp"
#include "report/merge.hpp"
#include "train/checkpoint.hpp"
#include "train/pretrain.hpp"

namespace invaria::app {

report::MergeExpectation expectation_of(const suite::Suite& suite, const suite::Plan& plan) {
  report::MergeExpectation expected;
  expected.repeats = suite.repeats;
  const int64_t joint_repeats = std::min(suite.repeats, suite.downstream.joint.repeats);
  expected.repeats_of_arm = {{"learned-joint", joint_repeats}, {"learned-joint-discretised", joint_repeats}};
  const std::set<std::string> ids = plan.job_ids();
  expected.job_ids.assign(ids.begin(), ids.end());
  for (const suite::EncoderEntry& encoder : suite.encoders) expected.encoders.push_back(encoder.name);
  for (const suite::Unit& unit : plan.units) {
    if (unit.kind != suite::UnitKind::kSensitivity) continue;
    const train::EncoderPlan& encoder = plan.encoders[unit.encoder];
    for (const std::string& transformation : downstream::sensitivity_transformations(augment::media_of(suite.axes))) {
      expected.sensitivity.push_back({encoder.name, encoder.seed, config::bits(unit.invariance), transformation, 0.0});
    }
  }
  return expected;
}

double wall_seconds(const std::vector<io::StageTime>& times) {
  std::map<std::string, double> longest;  // of a stage, over ranks, which work at the same time
  for (const io::StageTime& time : times) longest[time.stage] = std::max(longest[time.stage], time.seconds);
  double sum = 0.0;
  for (const auto& [stage, seconds] : longest) sum += seconds;
  return sum;
}

io::Results merge_output(const suite::Suite& suite, const suite::Plan& plan, const std::filesystem::path& output,
                         io::RunInfo info) {
  io::Segment everything = io::read_segments(output / "segments");
  for (const train::EncoderPlan& encoder : plan.encoders) {
    if (train::CheckpointFolder(output, encoder.key()).has_encoder()) {
      everything.encoders.push_back(train::load_encoder(encoder, output).record);
    }
  }
  std::vector<std::string> axes;
  for (const augment::Axis& axis : suite.axes) axes.push_back(axis.name);
  if (!everything.stage_times.empty()) info.energy_J = 0.0;
  for (const io::StageTime& time : everything.stage_times) {
    info.energy_J += time.cpu_energy_J + time.gpu_energy_J;  // NaN, once a part of it is not known
  }
  io::Results results = report::merge(std::move(info), axes, std::move(everything), expectation_of(suite, plan));
  results.info.wall_s += wall_seconds(results.content.stage_times);
  return results;
}

io::Results write_merged_results(const suite::Suite& suite, const suite::Plan& plan,
                                 const std::filesystem::path& output, io::RunInfo info) {
  const io::Results results = merge_output(suite, plan, output, std::move(info));
  io::write_results(output / "results.h5", results);
  return results;
}

std::filesystem::path results_file(const std::filesystem::path& given) {
  const std::filesystem::path file = std::filesystem::is_directory(given) ? given / "results.h5" : given;
  if (!std::filesystem::exists(file)) {
    throw_config("{}: no results yet; `invaria run` writes them when the sweep is done", file.string());
  }
  return file;
}

}  // namespace invaria::app

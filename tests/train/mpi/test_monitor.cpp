#include "train/monitor.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "core/errors.hpp"
#include "objective/embedding_health.hpp"
#include "tests/support/error_of.hpp"
#include "tests/train/small_pretraining.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::train;
using namespace invaria::train::testing;

namespace {

/// Made pictures with their classes.
data::DataSplit labelled_pictures(int64_t n) {
  data::DataSplit split = made_pictures(n);
  for (int64_t picture = 0; picture < n; ++picture)
    split.labels.push_back(data::synthetic_sample({}, "train", picture).label);
  return split;
}

EncoderPlan monitored_plan() {
  EncoderPlan plan = small_plan();
  plan.settings.monitor = {.every = 5, .data = "made", .split = "validation", .images = 1000};
  return plan;
}

PretrainOutcome pretrain_monitored(const EncoderPlan& plan, const data::DataSplit& pictures,
                                   const data::DataSplit& held_out, const comm::Communicator& comm,
                                   const std::filesystem::path& output, int64_t stop_before = -1,
                                   EventLog* log = nullptr) {
  int64_t asked = 0;
  return pretrain(plan, pictures,
                  {comm, c10::Device(c10::kCPU), output, 1e9, log,
                   [&] { return stop_before >= 0 && asked++ == stop_before; }, &held_out});
}

Checkpoint finished(const EncoderPlan& plan, const std::filesystem::path& output) {
  return read_checkpoint(CheckpointFolder(output, plan.key()).encoder_file());
}

}  // namespace

TEST_CASE("the vote of the nearest neighbours is its equation, neighbour by neighbour", "[train][mpi][oracle]") {
  const int64_t n_bank = GENERATE(7, 260);  // fewer than the 200 that vote, and more
  constexpr int64_t n_judged = 9, n_classes = 4;
  at::Tensor rows = at::empty({n_bank + n_judged, 3});
  Draws draws({.seed = 8});
  for (int64_t index = 0; index < rows.numel(); ++index)
    rows.data_ptr<float>()[index] = static_cast<float>(draws.normal());
  const at::Tensor labels = at::empty({n_bank + n_judged}, at::kLong);
  for (int64_t row = 0; row < labels.numel(); ++row) labels[row] = draws.below(n_classes);
  const at::Tensor bank = rows.narrow(0, 0, n_bank), judged = rows.narrow(0, n_bank, n_judged);
  double hits = 0.0;
  for (int64_t row = 0; row < n_judged; ++row) {
    std::vector<std::pair<double, int64_t>> near;
    for (int64_t other = 0; other < n_bank; ++other) {
      const double cosine =
          ((judged[row] * bank[other]).sum() / judged[row].norm() / bank[other].norm()).item<double>();
      near.emplace_back(-cosine, labels[other].item<int64_t>());
    }
    std::sort(near.begin(), near.end());
    std::vector<double> votes(n_classes, 0.0);
    for (size_t place = 0; place < std::min<size_t>(near.size(), 200); ++place)
      votes[static_cast<size_t>(near[place].second)] += std::exp(-near[place].first / 0.07);
    const auto winner = std::max_element(votes.begin(), votes.end()) - votes.begin();
    if (winner == labels[n_bank + row].item<int64_t>()) hits += 1.0 / n_judged;
  }
  CHECK(nearest_neighbour_top1(bank, labels.narrow(0, 0, n_bank), judged, labels.narrow(0, n_bank, n_judged),
                               n_classes) == Approx(hits));
}

TEST_CASE("monitoring changes no weight, looks when it should, and tells the same on any number of ranks",
          "[train][mpi][property]") {
  const auto comm = comm::Communicator::world();
  const data::DataSplit pictures = made_pictures(30);
  const data::DataSplit held_out = labelled_pictures(40);
  const EncoderPlan plan = monitored_plan();
  const SharedScratch scratch(comm);
  CHECK(pretrain_monitored(plan, pictures, held_out, comm, scratch / "watched").end == PretrainEnd::kFinished);
  CHECK(pretrain_small(small_plan(), pictures, comm, scratch / "alone").end == PretrainEnd::kFinished);
  const Checkpoint watched = finished(plan, scratch / "watched");
  for (const auto& [name, tensor] : finished(plan, scratch / "alone").tensors) {
    INFO(name);
    CHECK(at::equal(watched.tensors.at(name), tensor));
  }
  // After 5 and 10 steps and at the end, at each of three corners.
  CHECK(watched.monitor.integers("step") == std::vector<int64_t>{5, 5, 5, 10, 10, 10, 12, 12, 12});
  CHECK(watched.monitor.texts("corner") ==
        std::vector<std::string>{"01", "10", "11", "01", "10", "11", "01", "10", "11"});
  for (const char* column : {"knn_top1", "readout_top1"}) {
    for (const double value : watched.monitor.doubles(column)) CHECK((value >= 0.0 && value <= 1.0));
  }
  CHECK(load_encoder(plan, scratch / "watched").record.monitor == watched.monitor);

  // Of one encoder, whoever computes its features.
  const TrainState state(plan);
  const auto alone = comm::Communicator::alone();
  Monitor shared(plan, held_out, comm, c10::Device(c10::kCPU)), single(plan, held_out, alone, c10::Device(c10::kCPU));
  io::Table of_all = empty_monitor_table(), of_one = empty_monitor_table();
  shared.observe(state.encoder, 1, of_all);
  single.observe(state.encoder, 1, of_one);
  CHECK(of_all.rows() == (comm.is_root() ? 3 : 0));
  for (int64_t row = 0; row < of_all.rows(); ++row) {
    const auto place = static_cast<size_t>(row);
    CHECK(of_all.doubles("knn_top1")[place] == Approx(of_one.doubles("knn_top1")[place]).margin(0.051));
    CHECK(of_all.doubles("readout_top1")[place] == Approx(of_one.doubles("readout_top1")[place]).margin(0.051));
  }
}

TEST_CASE("a monitored pretraining that is stopped and continued tells the same", "[train][mpi][resume]") {
  const auto comm = comm::Communicator::world();
  const data::DataSplit pictures = made_pictures(30);
  const data::DataSplit held_out = labelled_pictures(40);
  const EncoderPlan plan = monitored_plan();
  const SharedScratch scratch(comm);
  pretrain_monitored(plan, pictures, held_out, comm, scratch / "whole");
  for (const int64_t stop : {7, 2}) pretrain_monitored(plan, pictures, held_out, comm, scratch / "stopped", stop);
  pretrain_monitored(plan, pictures, held_out, comm, scratch / "stopped");
  CHECK(finished(plan, scratch / "stopped").monitor == finished(plan, scratch / "whole").monitor);
}

TEST_CASE("a pretraining goes on when its monitor is switched on, off or elsewhere", "[train][mpi][resume]") {
  const auto comm = comm::Communicator::world();
  const data::DataSplit pictures = made_pictures(30);
  const data::DataSplit held_out = labelled_pictures(40), others = labelled_pictures(24);
  const EncoderPlan monitored = monitored_plan();
  EncoderPlan plain = monitored, elsewhere = monitored;
  plain.settings.monitor = {};
  elsewhere.settings.monitor.split = "test";
  const SharedScratch scratch(comm);
  pretrain_monitored(plain, pictures, held_out, comm, scratch / "whole");
  pretrain_monitored(plain, pictures, held_out, comm, scratch / "stopped", 6);
  pretrain_monitored(monitored, pictures, held_out, comm, scratch / "stopped", 5);
  pretrain_monitored(elsewhere, pictures, others, comm, scratch / "stopped");
  const Checkpoint end = finished(elsewhere, scratch / "stopped");
  CHECK(end.metadata.at("encoder_hash") == finished(plain, scratch / "whole").metadata.at("encoder_hash"));
  CHECK(end.monitor.rows() == 3);  // at the end, of each corner; what was seen elsewhere is not in it
}

TEST_CASE("features that hold the class are found out by neighbours and readout, noise is not", "[train][mpi]") {
  const auto comm = comm::Communicator::world();
  EncoderPlan plan = monitored_plan();
  data::DataSplit split = made_pictures(60);
  // Two classes, black and white pictures: any encoder tells them apart.
  auto* pixels = const_cast<uint8_t*>(split.sample(0).get());
  for (int64_t picture = 0; picture < split.n; ++picture) {
    split.labels.push_back(picture % 2);
    std::fill_n(pixels + picture * 36 * 36 * 3, 36 * 36 * 3, static_cast<uint8_t>(picture % 2 * 200 + picture % 7));
  }
  const TrainState state(plan);
  const auto look = [&](const data::DataSplit& pictures, int64_t images = 1000) {
    plan.settings.monitor.images = images;
    io::Table table = empty_monitor_table();
    Monitor(plan, pictures, comm, c10::Device(c10::kCPU)).observe(state.encoder, 1, table);
    return table;
  };
  const io::Table clear = look(split);
  Draws draws({.seed = 4});
  for (int64_t& label : split.labels) label = draws.below(2);  // of no picture's look
  const io::Table noise = look(split);
  const io::Table of_one_class = look(split, 2);  // which has room for no more
  if (!comm.is_root()) return;
  for (size_t corner = 0; corner < 3; ++corner) {
    CHECK(clear.doubles("knn_top1")[corner] == 1.0);
    CHECK(clear.doubles("readout_top1")[corner] == 1.0);
    CHECK(of_one_class.doubles("knn_top1")[corner] == 1.0);
    CHECK(noise.doubles("knn_top1")[corner] < 0.8);
    CHECK(noise.doubles("readout_top1")[corner] < 0.8);
  }
}

TEST_CASE("a monitor without labels, or without a class of two, is refused", "[train][mpi]") {
  const auto comm = comm::Communicator::world();
  const EncoderPlan plan = monitored_plan();
  const auto refusal = [&](const data::DataSplit& pictures) {
    return error_of([&] { Monitor(plan, pictures, comm, c10::Device(c10::kCPU)); });
  };
  CHECK(refusal(made_pictures(4)).find("has no labels") != std::string::npos);
  data::DataSplit single = made_pictures(2);
  single.labels = {0, 1};
  CHECK(refusal(single).find("no class with two pictures") != std::string::npos);
}

TEST_CASE("embeddings that collapse are warned of, once", "[train][mpi]") {
  const auto comm = comm::Communicator::world();
  const SharedScratch scratch(comm);
  // Grey pictures of one shade: whatever the encoder, its embeddings coincide.
  data::DataSplit pictures = made_pictures(30);
  auto* pixels = const_cast<uint8_t*>(pictures.sample(0).get());
  EncoderPlan plan = small_plan();
  const auto warnings = [&](const std::string& run) {
    const std::string path = (scratch / (run + ".jsonl")).string();
    {
      EventLog log(path, comm.rank());
      int64_t never = 0;
      pretrain(plan, pictures,
               {comm, c10::Device(c10::kCPU), scratch / run, 1e9, &log, [&] { return never != 0; }, nullptr});
    }
    comm.barrier();
    std::ifstream file(path);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    int64_t count = 0;
    for (size_t at = text.find("collapse_warning"); at != std::string::npos; at = text.find("collapse_warning", at + 1))
      ++count;
    return count;
  };
  CHECK(warnings("sound") == 0);
  std::fill_n(pixels, 30 * 36 * 36 * 3, uint8_t{128});
  plan.corners = {{1, 0}};  // crops and flips of one shade
  CHECK(warnings("collapsed") == 1);
  const io::Table log = finished(plan, scratch / "collapsed").log;
  CHECK(log.doubles("deviation").back() < objective::kCollapsedDeviation);
}

#pragma once
/// @file
/// One rank's work on units: keeps what consecutive units share (encoders, statistics, rendered tasks), gives the rows
/// of each.

#include <c10/core/Device.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "io/records.hpp"
#include "suite/load.hpp"
#include "suite/plan.hpp"
#include "suite/suite.hpp"

namespace invaria::suite {

/// Where a rank is, for its rows.
struct RankPlace {
  int64_t rank = 0;
  std::string host;
};

/// The row of a job without an outcome: values NaN, status empty.
io::JobRecord blank_record(const Suite& suite, const Plan& plan, const Unit& unit, const Job& job,
                           const RankPlace& place);

/// Runs units on frozen, finished encoders. Not for several threads.
class UnitRunner {
 public:
  /// References must outlive the runner.
  /// @param most_encoder_bytes  encoders that are not at work are kept while all of them together are no larger: small
  ///                            ones are read once, of large ones a rank holds one
  UnitRunner(const Suite& suite, const Plan& plan, const Datasets& datasets, std::filesystem::path output,
             c10::Device device, RankPlace place, std::function<bool()> stop_requested,
             int64_t most_encoder_bytes = int64_t{1} << 30);
  ~UnitRunner();

  /// All rows of a unit, finished or failed: an error in a repeat fails its jobs and nothing else. Time and images of
  /// the unit are shared out equally over its repeats. The encoder is hashed after the unit, beside its hash before; a
  /// changed hash fails the jobs.
  /// @throws downstream::StoppedError if a stop was requested meanwhile: the unit is given up
  io::Segment run(const Unit& unit);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace invaria::suite

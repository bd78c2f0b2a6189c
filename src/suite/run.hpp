#pragma once
/// @file
/// The main job: pretrain every encoder data-parallel over all ranks, then sweep the units, each rank claiming the
/// next.

#include <c10/core/Device.h>

#include <filesystem>
#include <functional>

#include "comm/communicator.hpp"
#include "core/log.hpp"
#include "suite/load.hpp"
#include "suite/plan.hpp"
#include "suite/suite.hpp"

namespace invaria::suite {

/// What of a suite to do: clusters queue the stages as jobs of their own.
enum class Stage {
  kAll,
  kPretrain,  ///< every encoder, and no more
  kSweep,     ///< on encoders that are pretrained
};

/// One of `count` runs that sweep the same directory side by side, each every count-th unit, with ranks of its own.
struct Share {
  int64_t index = 0;
  int64_t count = 1;
};

/// Where and on what a suite runs.
struct RunContext {
  const comm::Communicator& comm;
  c10::Device device;
  std::filesystem::path output;
  DataFolders folders;
  EventLog* log = nullptr;               ///< never null in run()
  std::function<bool()> stop_requested;  ///< a signal came, or the time is up
  Stage stage = Stage::kAll;
  Share share{};  ///< of kSweep
};

enum class RunEnd { kFinished, kSomeFailed, kStopped };

/// Do what is left of `suite` in `context.output`. What an earlier run finished there is kept and not repeated.
///
/// Collective. Afterwards every finished job is in a segment on disk, whatever the end.
/// @throws ConfigError if an encoder of the same name was pretrained with other settings (naming the JSON paths that
/// differ) or the sensitivity table was begun with others, data are missing or damaged, or kSweep finds encoders that
/// are not pretrained
RunEnd run(const Suite& suite, const Manifests& manifests, const Plan& plan, const RunContext& context);

}  // namespace invaria::suite

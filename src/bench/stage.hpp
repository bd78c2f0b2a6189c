#pragma once
/// @file
/// One thing that is timed: what it does, what it cannot do without, and who else does it.

#include <ATen/core/Tensor.h>

#include <boost/json/object.hpp>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "model/precision.hpp"

namespace invaria::bench {

/// What a run was timed for is wrong: no rate of it may be printed.
struct WrongResult : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What a run cannot do without, counted from its definition; the machine's peaks (machine.hpp) make a limit of it.
struct Work {
  double flops = 0.0;
  double bytes = 0.0;                                       ///< read and written in memory, each once
  model::Precision precision = model::Precision::kFloat32;  ///< of the arithmetic
};

/// The same work by another program, which an adapter (peers/*.py) calls.
struct PeerStage {
  std::string name;                              ///< as its package is called: "torchaudio"
  boost::json::object request;                   ///< what the adapter is asked to prepare
  std::function<void(const at::Tensor&)> check;  ///< of what it made. @throws WrongResult
};

struct Stage {
  std::string name;    ///< "sound/pitch-shift"
  std::string what;    ///< in a few words
  std::string unit;    ///< plural: "clips"
  double items = 1.0;  ///< units of a run
  Work work;           ///< of a run
  std::function<std::vector<at::Tensor>()> run;
  /// Of what run() made, stacked if it is several, by its slow twin. @throws WrongResult
  std::function<void(const at::Tensor&)> check;
  std::string adapter;  ///< file name in peers/; empty where nobody else does it
  std::vector<PeerStage> peers;
};

/// What a run made, as checks take it.
at::Tensor stacked(const std::vector<at::Tensor>& made);

}  // namespace invaria::bench

#pragma once
/// @file
/// What the copies of a Communicator share. For comm's own sources: it shows MPI.

#include <memory>
#include <string>

#include "comm/activity.hpp"
#include "comm/communicator.hpp"
#include "comm/ordered_sum.hpp"

namespace invaria::comm {

/// Members are dropped from the last to the first: the window before the communicators that it was made on.
struct Communicator::State {
  UniqueComm comm;  ///< all ranks
  UniqueComm node;  ///< those of this node
  int rank = 0;
  int size = 1;
  int node_rank = 0;
  int node_size = 1;
  int n_nodes = 1;
  std::string host;
  Waiting waiting = Waiting::kYield;
  /// kAutomatic is resolved: kWindow or kMessages.
  Transport transport = Transport::kMessages;
  std::shared_ptr<Activity> activity;  ///< shared with duplicates
  std::shared_ptr<WaitingPlace> place;
  std::unique_ptr<OrderedSum> ordered_sum;

  /// Collective over `parent`.
  static std::shared_ptr<State> make(MPI_Comm parent, Transport transport, std::shared_ptr<Activity> activity);
};

}  // namespace invaria::comm

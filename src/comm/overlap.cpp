#include "comm/overlap.hpp"

#include <ATen/Parallel.h>
#include <sched.h>

#include <thread>

namespace invaria::comm {

namespace {

/// True if this rank may use more cores than it computes with, and the node has one to spare for each of its ranks.
bool has_free_core(const Communicator& communicator) {
  const int threads = at::get_num_threads();
  cpu_set_t own;
  CPU_ZERO(&own);
  if (sched_getaffinity(0, sizeof(own), &own) != 0 || CPU_COUNT(&own) <= threads) return false;
  return static_cast<int>(std::thread::hardware_concurrency()) >= communicator.node_size() * (threads + 1);
}

}  // namespace

bool uses_thread(Overlap overlap, const Communicator& communicator) {
  return overlap == Overlap::kThread || (overlap == Overlap::kAutomatic && has_free_core(communicator));
}

}  // namespace invaria::comm

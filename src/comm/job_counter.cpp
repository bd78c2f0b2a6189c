#include "comm/job_counter.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <new>
#include <thread>
#include <utility>

#include "comm/communicator_state.hpp"
#include "comm/node_window.hpp"
#include "comm/watchdog.hpp"
#include "core/errors.hpp"

namespace invaria::comm {

namespace {

constexpr int kClaimTag = 1;
constexpr int kAnswerTag = 2;
constexpr auto kShortestNap = std::chrono::microseconds(50);
constexpr auto kLongestNap = std::chrono::microseconds(1000);

using Counter = std::atomic<int64_t>;
static_assert(Counter::is_always_lock_free, "the counter is shared between processes");

/// Answers the other ranks' claims while rank 0 computes.
class ClaimServer {
 public:
  ClaimServer(MPI_Comm comm, Counter& next) : comm_(comm), next_(next), thread_([this] { serve(); }) {}
  ~ClaimServer() {
    stop_ = true;
    thread_.join();
  }

 private:
  void serve() {
    try {
      for (auto nap = kShortestNap; !stop_;) {
        if (answer_one()) {
          nap = kShortestNap;
        } else {
          std::this_thread::sleep_for(nap);
          nap = std::min(2 * nap, kLongestNap);
        }
      }
    } catch (const std::exception& error) {
      // Nobody could claim any more, and the others would wait for ever.
      std::fprintf(stderr, "error: the job counter has failed: %s\n", error.what());
      MPI_Abort(comm_, static_cast<int>(ExitCode::kEnvironment));
    }
  }

  bool answer_one() {
    int found = 0;
    MPI_Status status;
    check(MPI_Iprobe(MPI_ANY_SOURCE, kClaimTag, comm_, &found, &status), "MPI_Iprobe");
    if (found == 0) return false;
    check(MPI_Recv(nullptr, 0, MPI_BYTE, status.MPI_SOURCE, kClaimTag, comm_, MPI_STATUS_IGNORE), "MPI_Recv");
    const int64_t number = next_.fetch_add(1);
    check(MPI_Send(&number, 1, MPI_INT64_T, status.MPI_SOURCE, kAnswerTag, comm_), "MPI_Send");
    return true;
  }

  MPI_Comm comm_;
  Counter& next_;
  std::atomic<bool> stop_{false};
  std::thread thread_;  // last: it uses the others
};

}  // namespace

struct JobCounter::State {
  explicit State(Communicator of) : communicator(std::move(of)) {}

  Communicator communicator;
  UniqueComm comm;
  Waiting waiting = Waiting::kYield;
  std::unique_ptr<NodeWindow> window;   ///< on one node: holds the counter for all
  Counter own{0};                       ///< across nodes: rank 0's counter
  Counter* next = nullptr;              ///< where this rank can count by itself; null: ask rank 0
  std::unique_ptr<ClaimServer> server;  ///< rank 0 across nodes
};

JobCounter::JobCounter(const Communicator& communicator) : state_(std::make_unique<State>(communicator)) {
  state_->comm = duplicate(communicator.state_->comm.get());
  state_->waiting = communicator.state_->waiting;
  const MPI_Comm comm = state_->comm.get();
  if (communicator.transport() == Transport::kWindow) {
    state_->window = std::make_unique<NodeWindow>(comm, sizeof(Counter));
    state_->next = reinterpret_cast<Counter*>(state_->window->data());
    if (communicator.is_root()) new (state_->next) Counter(0);
    wait_for_all(comm, state_->waiting);
  } else if (communicator.is_root()) {
    state_->next = &state_->own;
    if (communicator.size() > 1) state_->server = std::make_unique<ClaimServer>(comm, state_->own);
  }
}

JobCounter::~JobCounter() {
  if (!may_free_together()) return;
  try {
    const Patience patience(state_->communicator);
    const InCollective here(*state_->communicator.state_->place, "the end of the sweep");
    wait_for_all(state_->comm.get(), state_->waiting);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: the end of the job counter: %s\n", error.what());
  }
}

int64_t JobCounter::claim() {
  if (state_->next != nullptr) return state_->next->fetch_add(1);
  const InCollective here(*state_->communicator.state_->place, "a claim of rank 0's counter");
  const MPI_Comm comm = state_->comm.get();
  int64_t number = 0;
  check(MPI_Send(nullptr, 0, MPI_BYTE, 0, kClaimTag, comm), "MPI_Send");
  check(MPI_Recv(&number, 1, MPI_INT64_T, 0, kAnswerTag, comm, MPI_STATUS_IGNORE), "MPI_Recv");
  return number;
}

}  // namespace invaria::comm

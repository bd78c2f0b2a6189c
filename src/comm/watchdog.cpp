#include "comm/watchdog.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "comm/communicator_state.hpp"
#include "core/errors.hpp"

namespace invaria::comm {
namespace {

constexpr int kReportTag = 3;

/// What a rank tells of itself.
struct Report {
  double waits_s = -1.0;        ///< so long in its collective; negative: in none
  int32_t is_patient = 0;       ///< it may wait for ever
  int32_t is_last = 0;          ///< it stops watching
  std::array<char, 64> call{};  ///< the collective that it waits in, or the last one that it left

  std::string name() const { return call[0] == '\0' ? "its first collective" : call.data(); }
};

/// @param awake_ns  since when this process has run: no wait from before counts
Report look_at(const Activity& activity, int64_t awake_ns) {
  Report report;
  report.is_patient = activity.patience > 0 ? 1 : 0;
  const char* name = nullptr;
  for (const auto& place : activity.places()) {
    const char* const call = place->call;  // before its time: whoever enters it sets that first
    const int64_t since_ns = std::max<int64_t>(place->since_ns, awake_ns);
    const double waits_s = static_cast<double>(now_ns() - since_ns) / 1e9;
    if (call != nullptr && waits_s > report.waits_s) {
      report.waits_s = waits_s;
      name = call;
    }
    if (report.waits_s < 0 && name == nullptr) name = place->left;
  }
  if (name != nullptr) std::strncpy(report.call.data(), name, report.call.size() - 1);
  return report;
}

}  // namespace

struct Watchdog::Impl {
  std::shared_ptr<Communicator::State> state;
  UniqueComm comm;
  double timeout_s = 0.0;
  std::function<void(const std::string&)> on_hang;
  std::vector<std::string> hosts;

  std::mutex mutex;
  std::condition_variable wake;
  bool is_stopping = false;
  bool is_abandoned = false;  ///< stops without a word: the others may be anywhere

  // Of the watching thread. Rank 0 keeps all ranks' reports; the others only rank 0's.
  std::vector<Report> reports;
  std::vector<int64_t> heard_ns;
  bool awaits_answer = false;
  int64_t told_ns = 0;
  int64_t awake_ns = now_ns();
  std::thread thread;

  bool is_root() const { return state->rank == 0; }
  std::string who(size_t rank) const { return fmt::format("rank {} on {}", rank, hosts[rank]); }
  static double seconds_since(int64_t ns) { return static_cast<double>(now_ns() - ns) / 1e9; }

  void watch() {
    try {
      int64_t last_look_ns = now_ns();
      for (bool goes_on = true; goes_on && !abandoned();) {
        // This process was stopped itself, as a whole job is when it is suspended: nobody is late by that, neither
        // silent nor long in a collective.
        if (seconds_since(last_look_ns) > timeout_s / 2) {
          awake_ns = now_ns();
          std::fill(heard_ns.begin(), heard_ns.end(), awake_ns);
        }
        last_look_ns = now_ns();
        goes_on = is_root() ? serve() : tell();
        nap();
      }
    } catch (const std::exception& error) {
      on_hang(fmt::format("{}: its watchdog has failed: {}", who(static_cast<size_t>(state->rank)), error.what()));
    }
  }

  void nap() {
    std::unique_lock lock(mutex);
    const double nap_s = is_stopping ? 0.002 : std::min(1.0, timeout_s / 20);
    if (is_stopping) {
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::duration<double>(nap_s));
    } else {
      wake.wait_for(lock, std::chrono::duration<double>(nap_s), [this] { return is_stopping; });
    }
  }

  bool stopping() {
    const std::lock_guard lock(mutex);
    return is_stopping;
  }

  bool abandoned() {
    const std::lock_guard lock(mutex);
    return is_abandoned;
  }

  bool receive(int source, Report& report, int& from) {
    int found = 0;
    MPI_Status status;
    check(MPI_Iprobe(source, kReportTag, comm.get(), &found, &status), "MPI_Iprobe");
    if (found == 0) return false;
    from = status.MPI_SOURCE;
    check(MPI_Recv(&report, sizeof(report), MPI_BYTE, from, kReportTag, comm.get(), MPI_STATUS_IGNORE), "MPI_Recv");
    return true;
  }

  void send(const Report& report, int to) {
    // Small enough to leave at once, whatever the receiver does; and never two are under way to one rank.
    check(MPI_Send(&report, sizeof(report), MPI_BYTE, to, kReportTag, comm.get()), "MPI_Send");
  }

  /// Rank 0: take reports, answer each. @return false when all have told their last
  bool serve() {
    Report report;
    int from = 0;
    Report mine = look_at(*state->activity, awake_ns);
    while (receive(MPI_ANY_SOURCE, report, from)) {
      reports[static_cast<size_t>(from)] = report;
      heard_ns[static_cast<size_t>(from)] = now_ns();
      send(mine, from);
    }
    mine.is_last = stopping() ? 1 : 0;
    reports[0] = mine;
    heard_ns[0] = now_ns();
    if (std::all_of(reports.begin(), reports.end(), [](const Report& each) { return each.is_last != 0; })) return false;
    look_for_silent();
    look_for_late();
    return true;
  }

  /// The others: tell, and wait for the answer. @return false behind the answer to the last
  bool tell() {
    Report answer;
    int from = 0;
    if (awaits_answer && receive(0, answer, from)) {
      awaits_answer = false;
      heard_ns[0] = now_ns();
      if (reports[static_cast<size_t>(state->rank)].is_last != 0) return false;
    }
    const bool is_last = stopping();
    if (!awaits_answer && (is_last || seconds_since(told_ns) > timeout_s / 10)) {
      Report& mine = reports[static_cast<size_t>(state->rank)];
      mine = look_at(*state->activity, awake_ns);
      mine.is_last = is_last ? 1 : 0;
      send(mine, 0);
      awaits_answer = true;
      told_ns = now_ns();
    }
    // Rank 1 says it for all; the next ones only if it is gone too.
    const double silent_s = seconds_since(heard_ns[0]);
    if (awaits_answer && silent_s > timeout_s + (state->rank == 1 ? 0.0 : std::min(timeout_s, 10.0)))
      report_silent(0, silent_s, static_cast<size_t>(state->rank), look_at(*state->activity, awake_ns));
    return true;
  }

  void look_for_silent() {
    for (size_t rank = 1; rank < reports.size(); ++rank) {
      const double silent_s = seconds_since(heard_ns[rank]);
      if (reports[rank].is_last != 0 || silent_s <= timeout_s) continue;
      size_t waiting = 0;  // the one that waits longest for it
      for (size_t other = 0; other < reports.size(); ++other) {
        if (other != rank && reports[other].waits_s > reports[waiting].waits_s) waiting = other;
      }
      return report_silent(rank, silent_s, waiting, reports[waiting]);
    }
  }

  void report_silent(size_t rank, double silent_s, size_t other, const Report& report) {
    std::string message = fmt::format("{} has not been heard of for {:.1f} s", who(rank), silent_s);
    if (report.waits_s >= 0)
      message += fmt::format("; {} waits in {} for {:.1f} s", who(other), report.name(), report.waits_s);
    on_hang(message);
  }

  void look_for_late() {
    size_t waiting = reports.size();
    for (size_t rank = 0; rank < reports.size(); ++rank) {
      const Report& report = reports[rank];
      if (report.is_patient == 0 && report.waits_s > timeout_s &&
          (waiting == reports.size() || report.waits_s > reports[waiting].waits_s))
        waiting = rank;
    }
    if (waiting == reports.size()) return;
    std::string late;
    for (size_t rank = 0; rank < reports.size() && late.size() < 200; ++rank) {
      if (reports[rank].waits_s >= 0) continue;
      // What it said is old, and it may be silent rather than late: it tells, or has been silent for too long, soon.
      if (reports[rank].is_last == 0 && seconds_since(heard_ns[rank]) > timeout_s / 2) return;
      late += fmt::format("{}{}, which was last in {}", late.empty() ? "" : "; ", who(rank), reports[rank].name());
    }
    on_hang(fmt::format("{} waits in {} for {:.1f} s; late is {}", who(waiting), reports[waiting].name(),
                        reports[waiting].waits_s, late.empty() ? "no rank: all are in collectives" : late));
  }
};

Watchdog::Watchdog(const Communicator& communicator, double timeout_s, std::function<void(const std::string&)> on_hang)
    : impl_(std::make_unique<Impl>()) {
  if (communicator.size() == 1) return;
  impl_->state = communicator.state_;
  impl_->comm = duplicate(communicator.state_->comm.get());
  impl_->timeout_s = timeout_s;
  impl_->on_hang = std::move(on_hang);
  impl_->hosts = communicator.all_gather(communicator.host());
  impl_->reports.resize(impl_->hosts.size());
  impl_->heard_ns.assign(impl_->hosts.size(), now_ns());
  impl_->thread = std::thread([this] { impl_->watch(); });
}

Watchdog::~Watchdog() {
  if (!impl_->thread.joinable()) return;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->is_stopping = true;
    impl_->is_abandoned = !may_free_together();
  }
  impl_->wake.notify_all();
  impl_->thread.join();
}

Patience::Patience(const Communicator& communicator) : state_(communicator.state_) {
  ++state_->activity->patience;
}

Patience::~Patience() {
  --state_->activity->patience;
}

}  // namespace invaria::comm

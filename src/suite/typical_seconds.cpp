#include "suite/typical_seconds.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <barrier>
#include <cmath>
#include <future>
#include <vector>

#include "core/timer.hpp"

namespace invaria::suite {
namespace {

/// Of one thread. @param least_s  that short work is repeated for
double seconds_of_call(const comm::Communicator& comm, double least_s, const std::function<void()>& work) {
  constexpr double kMost_s = 4.0;
  constexpr int64_t kLongCalls = 4;
  Timer warm_up;
  work();
  double slowest = warm_up.seconds();
  if (comm.size() > 1) {  // ranks that wait for each other agree on rounds; of one rank several threads may be here
    const std::vector<double> all = comm.all_gather(slowest);
    slowest = *std::max_element(all.begin(), all.end());
  }
  const auto rounds_in = [&](double seconds) { return std::llround(seconds / std::max(slowest, 1e-9)); };
  const int64_t rounds = std::max(std::clamp<int64_t>(rounds_in(kMost_s), 1, kLongCalls),
                                  std::min<int64_t>(rounds_in(least_s), kMostCalls - 1));
  std::vector<double> seconds;
  for (int64_t round = 0; round < rounds; ++round) {
    Timer timer;
    work();
    seconds.push_back(timer.seconds());
  }
  std::sort(seconds.begin(), seconds.end());
  const size_t middle = seconds.size() / 2;
  return seconds.size() % 2 == 1 ? seconds[middle] : 0.5 * (seconds[middle - 1] + seconds[middle]);
}

}  // namespace

double typical_seconds(const CalibrationPlace& place,
                       const std::function<std::function<void()>(const comm::Communicator&)>& make) {
  const int threads = at::get_num_threads();
  std::vector<comm::Communicator> others;
  for (int64_t n = 1; n < place.beside; ++n) others.push_back(comm::Communicator::alone());
  std::barrier start(static_cast<std::ptrdiff_t>(place.beside));
  const auto measure = [&](const comm::Communicator& comm) {
    at::set_num_threads(threads);  // a setting of each thread
    std::function<void()> work;
    try {
      work = make(comm);
    } catch (...) {
      start.arrive_and_drop();  // the others begin without it
      throw;
    }
    start.arrive_and_wait();
    return seconds_of_call(comm, place.least_s, work);
  };
  std::vector<std::future<double>> theirs;
  for (const comm::Communicator& other : others)
    theirs.push_back(std::async(std::launch::async, measure, std::cref(other)));
  double slowest = measure(place.comm);
  for (std::future<double>& their : theirs) slowest = std::max(slowest, their.get());
  const std::vector<double> all = place.comm.all_gather(slowest);
  return *std::max_element(all.begin(), all.end());
}

}  // namespace invaria::suite

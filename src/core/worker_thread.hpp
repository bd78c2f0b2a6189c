#pragma once
/// @file
/// One standing thread that does things in the order in which they are handed to it.

#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <queue>
#include <thread>

namespace invaria {

class WorkerThread {
 public:
  WorkerThread();
  /// Finishes the work that has begun; the rest is dropped.
  ~WorkerThread();
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  /// Do `work` after everything handed over before. @return ready when it is done; get() throws what it threw
  std::future<void> submit(std::function<void()> work);

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::queue<std::packaged_task<void()>> waiting_;
  bool stop_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace invaria

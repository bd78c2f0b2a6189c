#include "core/worker_thread.hpp"

#include <optional>
#include <stdexcept>
#include <vector>

#include "tests/support/catch.hpp"

using invaria::WorkerThread;

TEST_CASE("a worker does things in order, on one thread, and hands errors back", "[core]") {
  WorkerThread worker;
  std::vector<int> order;
  std::vector<std::thread::id> threads;
  std::vector<std::future<void>> done;
  for (int n = 0; n < 100; ++n) {
    done.push_back(worker.submit([&, n] {
      order.push_back(n);
      threads.push_back(std::this_thread::get_id());
      if (n == 50) throw std::runtime_error("fifty");
    }));
  }
  for (int n = 0; n < 100; ++n) {
    if (n == 50) {
      CHECK_THROWS_AS(done[50].get(), std::runtime_error);
    } else {
      CHECK_NOTHROW(done[static_cast<size_t>(n)].get());
    }
  }
  // Only now does the worker no longer write there.
  for (int n = 0; n < 100; ++n) CHECK(order.at(static_cast<size_t>(n)) == n);
  CHECK(threads.front() != std::this_thread::get_id());
  CHECK(threads.front() == threads.back());
}

TEST_CASE("a worker that goes drops what it has not begun", "[core]") {
  std::promise<void> begun, go_on;
  std::optional<WorkerThread> worker(std::in_place);
  std::future<void> first = worker->submit([&] {
    begun.set_value();
    go_on.get_future().wait();
  });
  std::future<void> second = worker->submit([] {});
  begun.get_future().wait();
  std::thread end([&] { worker.reset(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // so that the worker knows it is to go
  go_on.set_value();
  end.join();
  CHECK_NOTHROW(first.get());
  CHECK_THROWS_AS(second.get(), std::future_error);
}

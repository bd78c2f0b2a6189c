// The collectives on flags, bytes, texts and tensors, node-shared memory, and errors.
#include <ATen/ATen.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <optional>
#include <thread>

#include "comm/exchange.hpp"
#include "core/errors.hpp"
#include "tests/comm/mpi/reference.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::comm;

TEST_CASE("ranks agree on who they are", "[comm]") {
  const auto communicator = Communicator::world();
  CHECK(communicator.rank() == world_rank());
  CHECK(communicator.size() == world_size());
  CHECK(communicator.node_size() * communicator.n_nodes() == communicator.size());
  CHECK(communicator.node_rank() < communicator.node_size());
  CHECK_FALSE(communicator.host().empty());
  const auto ranks = communicator.all_gather(double(communicator.rank()));
  for (size_t rank = 0; rank < ranks.size(); ++rank) CHECK(ranks[rank] == double(rank));
}

TEST_CASE("any and all see every rank", "[comm]") {
  for (const auto transport : {Transport::kWindow, Transport::kMessages}) {
    const auto communicator = Communicator::world(transport);
    for (int chosen = 0; chosen < communicator.size(); ++chosen) {
      CHECK(communicator.any(communicator.rank() == chosen));
      CHECK(communicator.all(communicator.rank() != chosen) == false);
    }
    CHECK_FALSE(communicator.any(false));
    CHECK(communicator.all(true));
  }
}

TEST_CASE("broadcast hands out the root's bytes, text and tensor", "[comm]") {
  const auto communicator = Communicator::world();
  const bool root = communicator.is_root();
  CHECK(communicator.broadcast(root ? std::string("from the root") : std::string("mine, longer than the root's")) ==
        "from the root");
  CHECK(communicator.broadcast(std::string()).empty());

  const auto expected = at::arange(24, at::kLong).reshape({4, 6});
  at::Tensor tensor = root ? expected.clone() : at::zeros({4, 6}, at::kLong);
  communicator.broadcast(tensor);
  CHECK(tensor.equal(expected));

  at::Tensor columns = (root ? expected.clone() : at::zeros({4, 6}, at::kLong)).t();  // not contiguous
  communicator.broadcast(columns);
  CHECK(columns.equal(expected.t()));
}

TEST_CASE("texts of different lengths are gathered in rank order", "[comm]") {
  const auto communicator = Communicator::world();
  const auto texts =
      communicator.all_gather(std::string(size_t(communicator.rank()) * 3, char('a' + communicator.rank())));
  for (size_t rank = 0; rank < texts.size(); ++rank) CHECK(texts[rank] == std::string(rank * 3, char('a' + int(rank))));
}

TEST_CASE("more bytes than one MPI call carries go out in pieces", "[comm]") {
  const auto rank = size_t(world_rank());
  const std::string mine(5 + 10 * rank, char('a' + rank));
  const auto sizes = gather_records<int64_t>(MPI_COMM_WORLD, int64_t(mine.size()));
  std::string expected;
  for (size_t r = 0; r < sizes.size(); ++r) expected += std::string(5 + 10 * r, char('a' + r));
  for (const size_t limit : {1U, 7U, 64U, 1000U}) {
    std::string all(expected.size(), '?');
    gather_bytes(MPI_COMM_WORLD, std::as_bytes(std::span(mine)), sizes, std::as_writable_bytes(std::span(all)), limit);
    CHECK(all == expected);
  }
}

TEST_CASE("uneven rows are gathered in rank order, whatever their type", "[comm][rows]") {
  const auto communicator = Communicator::world();
  for (const auto type : {at::kFloat, at::kDouble, at::kLong, at::kByte}) {
    const auto full = at::arange(60, at::kLong).reshape({10, 3, 2}).to(type);
    // Rank 0 has no row at all where there is company.
    const int64_t size = communicator.size();
    const auto begin = [&](int64_t rank) {
      return size == 1 ? rank * 10 : rank == 0 ? 0 : (rank - 1) * 10 / (size - 1);
    };
    const int64_t first = begin(communicator.rank());
    const int64_t last = communicator.rank() + 1 == size ? 10 : begin(communicator.rank() + 1);
    const auto gathered = communicator.all_gather_rows(full.narrow(0, first, last - first));
    CHECK(gathered.scalar_type() == type);
    CHECK(gathered.equal(full));
  }
}

TEST_CASE("rows of different shapes are refused on every rank", "[comm][rows]") {
  const auto communicator = Communicator::world();
  CHECK_THROWS_AS(communicator.all_gather_rows(at::scalar_tensor(1.0)), PreconditionError);
  if (communicator.size() > 1) {
    CHECK_THROWS_AS(communicator.all_gather_rows(at::zeros({2, communicator.rank() == 1 ? 3 : 4})), PreconditionError);
    CHECK_THROWS_AS(communicator.all_gather_rows(at::zeros({2}, communicator.rank() == 1 ? at::kLong : at::kFloat)),
                    PreconditionError);
  }
  CHECK_THROWS_AS(communicator.reduce_scatter_rows(at::zeros({2 * communicator.size() + 1, 4}), 2), PreconditionError);
}

TEST_CASE("reduce-scatter keeps this rank's rows of the reference sum", "[comm][rows]") {
  for (const auto transport : {Transport::kWindow, Transport::kMessages}) {
    const auto communicator = Communicator::world(transport);
    const int64_t rank = communicator.rank();
    const int64_t total = communicator.size() * (communicator.size() + 1) / 2;  // rank r keeps r + 1 rows
    auto values = awkward_values<float>(size_t(total) * 5, 3);
    const auto sum = reference_sum(values);
    const auto mine = communicator.reduce_scatter_rows(at::from_blob(values.data(), {total, 5}), rank + 1);
    const auto expected = at::tensor(sum).reshape({total, 5}).narrow(0, rank * (rank + 1) / 2, rank + 1);
    CHECK(mine.equal(expected));
    CHECK(same_bits(values, awkward_values<float>(size_t(total) * 5, 3)));  // the input is left alone
  }
}

TEST_CASE("tensors are summed in place, and only float and double", "[comm][sum]") {
  const auto communicator = Communicator::world();
  at::Tensor tensor = at::full({3, 2}, double(communicator.rank() + 1), at::kDouble);
  communicator.all_reduce_sum(tensor);
  const double sum = communicator.size() * (communicator.size() + 1) / 2.0;
  CHECK(tensor.equal(at::full({3, 2}, sum, at::kDouble)));
  at::Tensor integers = at::zeros({2}, at::kLong);
  CHECK_THROWS_AS(communicator.all_reduce_sum(integers), PreconditionError);
  at::Tensor transposed = at::zeros({2, 3}).t();
  CHECK_THROWS_AS(communicator.all_reduce_sum(transposed), PreconditionError);
}

TEST_CASE("the node's ranks share zeroed memory", "[comm][node]") {
  const auto communicator = Communicator::world();
  const NodeMemory memory = communicator.node_memory();
  CHECK(memory.rank == communicator.node_rank());
  CHECK(memory.size == communicator.node_size());
  for (const size_t bytes : {size_t{0}, size_t{13}, size_t{3} << 20}) {
    const auto shared = memory.allocate(bytes);
    CHECK(reinterpret_cast<uintptr_t>(shared.get()) % 64 == 0);  // whatever its ranks keep there, numbers and flags
    size_t not_zero = 0;
    for (size_t k = 0; k < bytes; ++k) not_zero += shared.get()[k] != std::byte{0};
    CHECK(not_zero == 0);
    memory.barrier();
    for (size_t k = size_t(memory.rank); k < bytes; k += size_t(memory.size))
      shared.get()[k] = std::byte(1 + memory.rank);
    memory.barrier();
    size_t wrong = 0;
    for (size_t k = 0; k < bytes; ++k) wrong += shared.get()[k] != std::byte(1 + k % size_t(memory.size));
    CHECK(wrong == 0);
    memory.barrier();
  }
  CHECK(memory.any(memory.rank == 0));
  CHECK_FALSE(memory.any(false));
}

TEST_CASE("memory of the node outlives the communicator that gave it", "[comm][node]") {
  std::shared_ptr<std::byte> shared;
  {
    const auto communicator = Communicator::world();
    shared = communicator.node_memory().allocate(100);
  }
  const auto another = Communicator::world();
  if (another.is_root()) shared.get()[99] = std::byte{7};
  another.barrier();
  CHECK(shared.get()[99] == std::byte{7});
  another.barrier();
}

TEST_CASE("a refused MPI call names call, code, rank and host", "[comm][errors]") {
  const auto communicator = Communicator::world();
  const auto comm = duplicate(MPI_COMM_WORLD);
  int value = 0;
  try {
    check(MPI_Bcast(&value, 1, MPI_INT, world_size() + 5, comm.get()), "MPI_Bcast");
    CHECK(false);
  } catch (const EnvironmentError& error) {
    const std::string text = error.what();
    INFO(text);
    CHECK(text.find("MPI_Bcast failed with code ") != std::string::npos);
    CHECK(text.find("MPI_ERR_ROOT") != std::string::npos);
    CHECK(text.find(fmt::format("rank {} of {} on ", world_rank(), world_size())) != std::string::npos);
    CHECK(text.find(communicator.host()) != std::string::npos);
  }
}

TEST_CASE("a rank that an exception carries away frees nothing together with the others", "[comm][errors]") {
  // Only rank 0 throws, and the others never come to the free: it would hang here.
  if (world_rank() == 0) {
    const auto left_behind = [] {
      std::optional<UniqueComm> comm;
      comm.emplace(MPI_COMM_SELF);  // freeing it would be an error of MPI's
      throw ConfigError("stop");
    };
    CHECK_THROWS_AS(left_behind(), ConfigError);
  }
  CHECK(may_free_together());
}

TEST_CASE("a long wait burns no core", "[comm]") {
  for (const auto transport : {Transport::kWindow, Transport::kMessages}) {
    const auto communicator = Communicator::world(transport);
    communicator.barrier();
    const std::clock_t begin = std::clock();
    if (communicator.is_root()) std::this_thread::sleep_for(std::chrono::milliseconds(400));
    communicator.barrier();
    const double cpu_s = double(std::clock() - begin) / CLOCKS_PER_SEC;
    CHECK(cpu_s < 0.2);
  }
}

// Dropped by the C++ runtime after main has called MPI_Finalize: any MPI call then would end the program with an error.
static std::optional<Communicator> outlives_mpi;
static std::shared_ptr<std::byte> memory_outlives_mpi;

TEST_CASE("what outlives MPI_Finalize calls MPI no more", "[comm]") {
  outlives_mpi = Communicator::world();
  memory_outlives_mpi = outlives_mpi->node_memory().allocate(10);
  CHECK(mpi_is_running());
}

TEST_CASE("an environment joins a running MPI and leaves it running", "[comm]") {
  { const MpiEnvironment environment(nullptr, nullptr); }
  CHECK(mpi_is_running());
}

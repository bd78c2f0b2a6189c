#include "comm/communicator.hpp"

#include <sched.h>
#include <unistd.h>

#include <array>

#include "comm/communicator_state.hpp"
#include "comm/exchange.hpp"
#include "comm/node_window.hpp"
#include "core/errors.hpp"

namespace invaria::comm {

namespace {

std::string host_name() {
  std::array<char, MPI_MAX_PROCESSOR_NAME + 1> name{};
  int length = 0;
  check(MPI_Get_processor_name(name.data(), &length), "MPI_Get_processor_name");
  return {name.data(), static_cast<size_t>(length)};
}

/// Spin only if the cores that the node's ranks may use, all of them together, are enough for one each.
Waiting choose_waiting(MPI_Comm node, int node_size) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (sched_getaffinity(0, sizeof(cores), &cores) != 0) CPU_ZERO(&cores);
  check(MPI_Allreduce(MPI_IN_PLACE, &cores, sizeof(cores), MPI_BYTE, MPI_BOR, node), "MPI_Allreduce");
  return CPU_COUNT(&cores) >= node_size ? Waiting::kSpin : Waiting::kYield;
}

}  // namespace

std::shared_ptr<Communicator::State> Communicator::State::make(MPI_Comm parent, Transport transport,
                                                               std::shared_ptr<Activity> activity) {
  auto state = std::make_shared<State>();
  state->comm = invaria::comm::duplicate(parent);
  const MPI_Comm comm = state->comm.get();
  check(MPI_Comm_rank(comm, &state->rank), "MPI_Comm_rank");
  check(MPI_Comm_size(comm, &state->size), "MPI_Comm_size");

  MPI_Comm node = MPI_COMM_NULL;
  check(MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, state->rank, MPI_INFO_NULL, &node), "MPI_Comm_split_type");
  state->node = UniqueComm(node);
  check(MPI_Comm_set_errhandler(node, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check(MPI_Comm_rank(node, &state->node_rank), "MPI_Comm_rank");
  check(MPI_Comm_size(node, &state->node_size), "MPI_Comm_size");
  const int first_of_node = state->node_rank == 0 ? 1 : 0;
  check(MPI_Allreduce(&first_of_node, &state->n_nodes, 1, MPI_INT, MPI_SUM, comm), "MPI_Allreduce");

  state->host = host_name();
  state->waiting = choose_waiting(node, state->node_size);
  state->activity = std::move(activity);
  state->place = state->activity->add_place();
  if (transport == Transport::kAutomatic) {
    transport = state->n_nodes == 1 ? Transport::kWindow : Transport::kMessages;
  }
  require(transport == Transport::kMessages || state->n_nodes == 1, "a shared window cannot join the ranks of {} nodes",
          state->n_nodes);
  state->transport = transport;
  state->ordered_sum =
      transport == Transport::kWindow ? make_window_sum(comm, state->waiting) : make_message_sum(comm, state->waiting);
  return state;
}

Communicator::Communicator(std::shared_ptr<State> state) : state_(std::move(state)) {}

Communicator Communicator::world(Transport transport) {
  return Communicator(State::make(MPI_COMM_WORLD, transport, std::make_shared<Activity>()));
}

Communicator Communicator::alone() {
  return Communicator(State::make(MPI_COMM_SELF, Transport::kAutomatic, std::make_shared<Activity>()));
}

Communicator Communicator::duplicate() const {
  return Communicator(State::make(state_->comm.get(), state_->transport, state_->activity));
}

int Communicator::rank() const {
  return state_->rank;
}
int Communicator::size() const {
  return state_->size;
}
int Communicator::node_rank() const {
  return state_->node_rank;
}
int Communicator::node_size() const {
  return state_->node_size;
}
int Communicator::n_nodes() const {
  return state_->n_nodes;
}
const std::string& Communicator::host() const {
  return state_->host;
}
Transport Communicator::transport() const {
  return state_->transport;
}

void Communicator::barrier() const {
  const InCollective here(*state_->place, "a barrier");
  state_->ordered_sum->barrier();
}

bool Communicator::any(bool mine) const {
  const InCollective here(*state_->place, "an agreement");
  // The ordered sum is the fastest small collective here: about a microsecond on one node.
  float count = mine ? 1.0F : 0.0F;
  const std::span<float> values(&count, 1);
  state_->ordered_sum->sum({&values, 1}, 1.0F);
  return count > 0.0F;
}

bool Communicator::all(bool mine) const {
  return !any(!mine);
}

void Communicator::broadcast(std::span<std::byte> bytes) const {
  const InCollective here(*state_->place, "a broadcast");
  broadcast_bytes(state_->comm.get(), 0, bytes);
}

std::string Communicator::broadcast(const std::string& text) const {
  uint64_t size = text.size();
  broadcast(std::as_writable_bytes(std::span(&size, 1)));
  std::string received = is_root() ? text : std::string(size, '\0');
  broadcast(std::as_writable_bytes(std::span(received)));
  return received;
}

std::vector<std::string> Communicator::all_gather(const std::string& text) const {
  const InCollective here(*state_->place, "a gathering of texts");
  const MPI_Comm comm = state_->comm.get();
  const auto sizes = gather_records<int64_t>(comm, static_cast<int64_t>(text.size()));
  size_t total = 0;
  for (const int64_t size : sizes) total += static_cast<size_t>(size);
  std::string joined(total, '\0');
  gather_bytes(comm, std::as_bytes(std::span(text)), sizes, std::as_writable_bytes(std::span(joined)));

  std::vector<std::string> texts;
  size_t begin = 0;
  for (const int64_t size : sizes) {
    texts.push_back(joined.substr(begin, static_cast<size_t>(size)));
    begin += static_cast<size_t>(size);
  }
  return texts;
}

std::vector<double> Communicator::all_gather(double value) const {
  const InCollective here(*state_->place, "a gathering of numbers");
  return gather_records(state_->comm.get(), value);
}

void Communicator::all_reduce_sum(std::span<float> values) const {
  const InCollective here(*state_->place, "all_reduce_sum");
  count_reduced(static_cast<int64_t>(values.size_bytes()));
  state_->ordered_sum->sum({&values, 1}, 1.0F);
}

void Communicator::all_reduce_sum(std::span<double> values) const {
  const InCollective here(*state_->place, "all_reduce_sum");
  count_reduced(static_cast<int64_t>(values.size_bytes()));
  state_->ordered_sum->sum({&values, 1}, 1.0);
}

void Communicator::all_reduce_mean(std::span<const std::span<float>> pieces) const {
  const InCollective here(*state_->place, "all_reduce_mean of gradients");
  count_reduced(static_cast<int64_t>(total_size<float>(pieces) * sizeof(float)));
  state_->ordered_sum->sum(pieces, static_cast<float>(size()));
}

NodeMemory Communicator::node_memory() const {
  NodeMemory memory;
  memory.rank = state_->node_rank;
  memory.size = state_->node_size;
  memory.allocate = [state = state_](size_t bytes) {
    const InCollective here(*state->place, "the allocation of memory that a node shares");
    auto window = std::make_shared<NodeWindow>(state->node.get(), bytes);
    return std::shared_ptr<std::byte>(window, window->data());
  };
  memory.barrier = [state = state_] {
    const InCollective here(*state->place, "a barrier of its node");
    std::atomic_thread_fence(std::memory_order_seq_cst);
    wait_for_all(state->node.get(), state->waiting);
    std::atomic_thread_fence(std::memory_order_seq_cst);
  };
  memory.any = [state = state_](bool mine) {
    const InCollective here(*state->place, "an agreement of its node");
    int value = mine ? 1 : 0;
    wait_for_all(state->node.get(), state->waiting);
    check(MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_INT, MPI_MAX, state->node.get()), "MPI_Allreduce");
    return value != 0;
  };
  return memory;
}

int64_t Communicator::bytes_reduced() const {
  return state_->activity->bytes_reduced;
}
void Communicator::count_reduced(int64_t bytes) const {
  state_->activity->bytes_reduced += bytes;
}

}  // namespace invaria::comm

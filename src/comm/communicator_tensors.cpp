/// @file
/// The communicator's collectives on tensors. A CUDA tensor travels through the host.

#include <ATen/ATen.h>

#include <array>

#include "comm/communicator.hpp"
#include "comm/communicator_state.hpp"
#include "comm/exchange.hpp"
#include "core/errors.hpp"

namespace invaria::comm {

namespace {

std::span<std::byte> bytes_of(const at::Tensor& host) {
  return {static_cast<std::byte*>(host.data_ptr()), host.nbytes()};
}

at::Tensor on_host(const at::Tensor& tensor) {
  return tensor.detach().to(at::kCPU).contiguous();
}

/// What one rank brings to an exchange of rows.
struct RowsHeader {
  int64_t rows = 0;
  int64_t type = 0;
  int64_t dimensions = 0;
  std::array<int64_t, 5> trailing{};

  bool same_kind(const RowsHeader& other) const {
    return type == other.type && dimensions == other.dimensions && trailing == other.trailing;
  }
};

RowsHeader describe(const at::Tensor& tensor) {
  RowsHeader header;
  header.type = static_cast<int64_t>(tensor.scalar_type());
  header.dimensions = tensor.dim();
  if (tensor.dim() > 0) header.rows = tensor.size(0);
  for (int64_t d = 1; d < std::min<int64_t>(tensor.dim(), 6); ++d)
    header.trailing[static_cast<size_t>(d - 1)] = tensor.size(d);
  return header;
}

/// Every check is made on gathered headers, so all ranks throw together and none is left waiting.
void require_same_kind(const std::vector<RowsHeader>& headers, const char* call) {
  for (size_t rank = 0; rank < headers.size(); ++rank) {
    require(headers[rank].dimensions >= 1 && headers[rank].dimensions <= 6,
            "{}: rank {} brings a tensor of {} dimensions, 1 to 6 are possible", call, rank, headers[rank].dimensions);
    require(headers[rank].same_kind(headers[0]),
            "{}: rank {} and rank 0 bring tensors of different types or trailing shapes", call, rank);
  }
}

}  // namespace

void Communicator::broadcast(at::Tensor& tensor) const {
  at::NoGradGuard no_grad;
  at::Tensor host = on_host(tensor);
  broadcast(bytes_of(host));
  if (!host.is_alias_of(tensor)) tensor.copy_(host);
}

void Communicator::all_reduce_sum(at::Tensor& tensor) const {
  at::NoGradGuard no_grad;
  require(tensor.is_contiguous(), "all_reduce_sum takes contiguous tensors");
  at::Tensor host = on_host(tensor);
  const auto count = static_cast<size_t>(host.numel());
  if (host.scalar_type() == at::kFloat) {
    all_reduce_sum(std::span<float>(host.data_ptr<float>(), count));
  } else {
    require(host.scalar_type() == at::kDouble, "all_reduce_sum takes float or double, not {}",
            at::toString(host.scalar_type()));
    all_reduce_sum(std::span<double>(host.data_ptr<double>(), count));
  }
  if (!host.is_alias_of(tensor)) tensor.copy_(host);
}

at::Tensor Communicator::all_gather_rows(const at::Tensor& local) const {
  const InCollective here(*state_->place, "all_gather_rows");
  at::NoGradGuard no_grad;
  const MPI_Comm comm = state_->comm.get();
  const auto headers = gather_records(comm, describe(local));
  require_same_kind(headers, "all_gather_rows");

  const at::Tensor host = on_host(local);
  int64_t row_bytes = host.element_size();
  for (int64_t d = 1; d < host.dim(); ++d) row_bytes *= host.size(d);
  std::vector<int64_t> sizes;
  auto shape = host.sizes().vec();
  shape[0] = 0;
  for (const auto& header : headers) {
    shape[0] += header.rows;
    sizes.push_back(header.rows * row_bytes);
  }
  const at::Tensor all = at::empty(shape, host.options());
  gather_bytes(comm, bytes_of(host), sizes, bytes_of(all));
  return all.to(local.device());
}

at::Tensor Communicator::reduce_scatter_rows(const at::Tensor& global, int64_t local_rows) const {
  const InCollective here(*state_->place, "reduce_scatter_rows");
  at::NoGradGuard no_grad;
  const MPI_Comm comm = state_->comm.get();
  auto header = describe(global);
  const auto headers = gather_records(comm, header);
  require_same_kind(headers, "reduce_scatter_rows");
  const auto rows = gather_records(comm, local_rows);
  int64_t begin = 0;
  int64_t total = 0;
  for (size_t rank = 0; rank < rows.size(); ++rank) {
    if (rank == static_cast<size_t>(state_->rank)) begin = total;
    total += rows[rank];
  }
  for (size_t rank = 0; rank < rows.size(); ++rank) {
    require(headers[rank].rows == total && rows[rank] >= 0,
            "reduce_scatter_rows: the ranks keep {} rows together, rank {} keeps {} and brings a sum of {}", total,
            rank, rows[rank], headers[rank].rows);
  }

  at::Tensor sum = on_host(global).clone();
  const auto count = static_cast<size_t>(sum.numel());
  if (sum.scalar_type() == at::kFloat) {
    const std::span<float> values(sum.data_ptr<float>(), count);
    state_->ordered_sum->sum({&values, 1}, 1.0F);
  } else {
    require(sum.scalar_type() == at::kDouble, "reduce_scatter_rows takes float or double, not {}",
            at::toString(sum.scalar_type()));
    const std::span<double> values(sum.data_ptr<double>(), count);
    state_->ordered_sum->sum({&values, 1}, 1.0);
  }
  return sum.narrow(0, begin, local_rows).clone().to(global.device());
}

}  // namespace invaria::comm

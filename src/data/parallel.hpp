#pragma once
/// @file
/// A loop over threads, and one over the ranks of a node that fail together.

#include <cstdint>
#include <functional>

#include "core/node_memory.hpp"

namespace invaria::data {

/// Call `body(i)` for each i of [0, n) on up to `threads` threads, in any order; it must be safe to call at once. After
/// an exception no new i is begun, and the exception of the smallest i that failed is thrown here.
void parallel_for(int64_t n, int threads, const std::function<void(int64_t)>& body);

/// Collective over the node: run `body` on this rank; if it throws on any rank, every rank throws: its own exception,
/// or OtherFailed saying that another rank of the node failed at `what`.
void together(const NodeMemory& node, const char* what, const std::function<void()>& body);

}  // namespace invaria::data

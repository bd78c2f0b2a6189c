#pragma once
/// @file
/// The objective's gather over ranks, with gradient.

#include "comm/communicator.hpp"
#include "objective/contrast.hpp"

namespace invaria::train {

/// Rows of all ranks in rank order. Forward: Communicator::all_gather_rows; backward:
/// Communicator::reduce_scatter_rows, the SUM over ranks of the gradients of this rank's rows. So the MEAN over ranks
/// of parameter gradients is that of the mean of the losses.
///
/// Calling the result is collective, and so is the backward pass through it (once a call, on every rank). For one rank
/// it is the identity. @throws PreconditionError from the call if rows are not a matrix
/// @param waited_s  the time that both passes take is added to it, which outlives them
objective::GatherRows gather_with_gradient(const comm::Communicator& communicator, double& waited_s);

}  // namespace invaria::train

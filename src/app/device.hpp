#pragma once
/// @file
/// What a rank computes on: its device and its threads.

#include <c10/core/Device.h>

#include <string>

#include "comm/communicator.hpp"

namespace invaria::app {

/// "cpu"; "cuda": this rank's GPU; "auto": a GPU if there is one. The rank's index on its node picks the GPU.
/// @throws EnvironmentError if "cuda" is asked for and no GPU is there
c10::Device choose_device(const std::string& name, const comm::Communicator& comm);

/// Collective. Threads of this rank: the cores that it may run on, shared with the ranks that have the same ones;
/// OMP_NUM_THREADS wins.
int choose_threads(const comm::Communicator& comm);

}  // namespace invaria::app

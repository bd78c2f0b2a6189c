#pragma once
/// @file
/// What a rank computes on: its device and its threads.

#include <c10/core/Device.h>

#include <string>
#include <vector>

#include "comm/communicator.hpp"

namespace invaria::app {

/// Collective: all ranks compute on one kind of device. "cpu"; "cuda": every rank on a GPU of its own, picked by its
/// index on the node; "auto": the same if every rank has one, else the CPU.
/// @throws EnvironmentError on all ranks if "cuda" is asked for, or Slurm has given the job GPUs, and some rank has no
/// GPU of its own
c10::Device choose_device(const std::string& name, const comm::Communicator& comm);

/// The device of a command that is one process without MPI: "cpu"; "cuda": the first GPU; "auto": the same if there is
/// one. @throws EnvironmentError if "cuda" is asked for and there is none
c10::Device device_alone(const std::string& name);

/// Why ranks cannot have a GPU each, empty if they can. @param gpu_of_rank  "host uuid", or "host" of a rank that sees
/// none
std::string why_no_gpus(const std::vector<std::string>& gpu_of_rank);

/// Collective. Threads of this rank: the cores that it may run on, shared with the ranks that have the same ones;
/// no more than Slurm gives a task; OMP_NUM_THREADS wins.
/// @throws EnvironmentError on all ranks if some rank may run on fewer cores than Slurm gives a task
int choose_threads(const comm::Communicator& comm);

}  // namespace invaria::app

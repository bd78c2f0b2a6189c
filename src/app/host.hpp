#pragma once
/// @file
/// What the machine is: for the results file and doctor.

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>

#include "comm/communicator.hpp"

namespace invaria::app {

/// CPU model as the kernel names it.
std::string cpu_model();

/// {"name", "cpu", "cores", "gpu", "driver"} of this host; "gpu" is "none" without one.
boost::json::object describe_host(const std::string& name);

/// What Slurm says of the job that this process is part of: its id, name, cluster, partition, nodes and restarts, by
/// the names of its variables without SLURM_ and in lower case; empty outside Slurm.
boost::json::object slurm_job();

/// The number in Slurm's variable SLURM_<name>; 0 where it is not set.
int64_t slurm_number(const std::string& name);

/// How many ranks Slurm means to have started, by srun or in a batch script without it; 0 outside Slurm and under
/// mpirun, which counts for itself. Ask before MPI starts: it sets variables of its own.
int64_t slurm_ranks();

/// Nodes of the job that this process is part of; 0 where slurm_ranks() is.
int64_t slurm_nodes();

/// What is wrong if MPI's world has other ranks than Slurm started, and the mend; empty if nothing is.
std::string why_another_world(int64_t slurm_ranks, int64_t slurm_nodes, int64_t world_size);

/// Collective. Every host of the run once, as a JSON list.
std::string describe_hosts(const comm::Communicator& comm);

}  // namespace invaria::app

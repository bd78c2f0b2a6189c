#pragma once
/// @file
/// What the machine is: for the results file and doctor.

#include <boost/json/object.hpp>
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

/// Collective. Every host of the run once, as a JSON list.
std::string describe_hosts(const comm::Communicator& comm);

}  // namespace invaria::app

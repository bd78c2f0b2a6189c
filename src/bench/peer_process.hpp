#pragma once
/// @file
/// An adapter to other programs: a Python of the user's that answers one line of JSON with another.

#include <sys/types.h>

#include <boost/json/object.hpp>
#include <cstdio>
#include <filesystem>
#include <string>

namespace invaria::bench {

/// Runs from construction to destruction. What it prints on its standard error goes to ours.
class PeerProcess {
 public:
  /// @param script   an adapter, beside peer.py
  /// @param threads  that numerical libraries in it may use
  /// @throws EnvironmentError if it cannot be started
  PeerProcess(const std::string& python, const std::filesystem::path& script, int threads);
  ~PeerProcess();
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  /// @throws EnvironmentError if it ends, or answers with anything but an object
  boost::json::object ask(const boost::json::object& request);

 private:
  std::string name_;
  pid_t pid_ = -1;
  std::FILE* to_ = nullptr;
  std::FILE* from_ = nullptr;
};

}  // namespace invaria::bench

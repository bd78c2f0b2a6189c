#include "bench/peer_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

#include "core/errors.hpp"

namespace invaria::bench {

PeerProcess::PeerProcess(const std::string& python, const std::filesystem::path& script, int threads)
    : name_(fmt::format("{} {}", python, script.string())) {
  std::signal(SIGPIPE, SIG_IGN);  // an adapter that ended is found by its missing answer
  std::array<int, 2> to{}, from{};
  if (::pipe2(to.data(), O_CLOEXEC) != 0 || ::pipe2(from.data(), O_CLOEXEC) != 0)
    throw_environment("{}: pipe: {}", name_, std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);

  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (std::strstr(*variable, "_NUM_THREADS=") == nullptr) variables.emplace_back(*variable);
  }
  for (const char* library : {"OMP", "MKL", "OPENBLAS", "NUMBA"})
    variables.push_back(fmt::format("{}_NUM_THREADS={}", library, threads));
  std::vector<char*> environment;
  for (std::string& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);
  std::vector<std::string> arguments{python, "-W", "ignore", script.string()};
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const int code = ::posix_spawnp(&pid_, python.c_str(), &actions, nullptr, pointers.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  ::close(to[0]);
  ::close(from[1]);
  to_ = ::fdopen(to[1], "w");
  from_ = ::fdopen(from[0], "r");
  if (code == 0) return;
  std::fclose(to_);
  std::fclose(from_);
  throw_environment("{}: cannot be started: {}", name_, std::strerror(code));
}

PeerProcess::~PeerProcess() {
  std::fclose(to_);  // the adapter's input ends, and so does it
  std::fclose(from_);
  ::waitpid(pid_, nullptr, 0);
}

boost::json::object PeerProcess::ask(const boost::json::object& request) {
  fmt::print(to_, "{}\n", boost::json::serialize(request));
  std::fflush(to_);
  std::string line;
  for (int c = 0; (c = std::fgetc(from_)) != EOF && c != '\n';) line.push_back(static_cast<char>(c));
  boost::system::error_code code;
  const boost::json::value answer = boost::json::parse(line, code);
  if (code || !answer.is_object()) {
    throw_environment("{}: answered {} to {}", name_, line.empty() ? "nothing" : "\"" + line + "\"",
                      boost::json::serialize(request));
  }
  return answer.as_object();
}

}  // namespace invaria::bench

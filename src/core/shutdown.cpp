#include "core/shutdown.hpp"

#include <csignal>
#include <initializer_list>

namespace invaria {
namespace {

volatile std::sig_atomic_t g_requested = 0;

extern "C" void on_signal(int signal) {
  g_requested = 1;
  if (signal == SIGINT) std::signal(SIGINT, SIG_DFL);
}

}  // namespace

void install_shutdown_handlers() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaction(signal, &action, nullptr);
}

void request_shutdown() {
  g_requested = 1;
}

bool shutdown_requested() {
  return g_requested != 0;
}

}  // namespace invaria

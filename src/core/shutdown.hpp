#pragma once
/// @file
/// Stopping on request: SIGINT, SIGTERM and SIGUSR1 raise a flag that the loops read between steps.
///
/// A signal handler can only reach static storage; this flag is the program's one exception to "no globals".

namespace invaria {

/// Let SIGINT, SIGTERM and SIGUSR1 raise the flag. A second SIGINT ends the process at once (default action).
void install_shutdown_handlers();

/// Raise the flag from inside (a time limit).
void request_shutdown();

/// Whether this process was asked to stop. Ranks learn of it at different times: agree on it collectively before
/// acting.
bool shutdown_requested();

}  // namespace invaria

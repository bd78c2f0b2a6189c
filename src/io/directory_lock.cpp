#include "io/directory_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "core/errors.hpp"

namespace invaria::io {
namespace {

std::string this_process() {
  char host[HOST_NAME_MAX + 1] = {};
  gethostname(host, HOST_NAME_MAX);
  return fmt::format("{}, process {}", host, getpid());
}

}  // namespace

DirectoryLock::DirectoryLock(const fs::path& directory) {
  const fs::path path = directory / "lock";
  file_ = Descriptor(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (file_.get() < 0) throw_environment("{}: open: {} (errno {})", path.string(), std::strerror(errno), errno);
  if (flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return;  // ENOLCK, ENOTSUP: nothing to hold
    throw_environment("{}: another run writes here ({}); wait for it, or give this one another directory",
                      directory.string(), read_file(path));
  }
  is_held_ = true;
  // Only for the message above: whether it could be written decides nothing.
  const std::string holder = this_process();
  if (ftruncate(file_.get(), 0) == 0) [[maybe_unused]]
    const ssize_t written = pwrite(file_.get(), holder.data(), holder.size(), 0);
}

}  // namespace invaria::io

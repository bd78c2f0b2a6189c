#include "io/directory_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>
#include <thread>

#include "core/errors.hpp"

namespace invaria::io {
namespace {

std::string this_process() {
  char host[HOST_NAME_MAX + 1] = {};
  gethostname(host, HOST_NAME_MAX);
  return fmt::format("{}, process {}", host, getpid());
}

Descriptor open_lock(const fs::path& path) {
  Descriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (file.get() < 0) throw_environment("{}: open: {} (errno {})", path.string(), std::strerror(errno), errno);
  return file;
}

enum class Lock { kHeld, kTaken, kUnknown };  ///< kUnknown (ENOLCK, ENOTSUP): the file system has nothing to hold

Lock try_lock(const Descriptor& file, int how) {
  if (flock(file.get(), how | LOCK_NB) == 0) return Lock::kHeld;
  return errno == EWOULDBLOCK ? Lock::kTaken : Lock::kUnknown;
}

/// @return false if it could not be written
bool write_whole(const Descriptor& file, const std::string& text) {
  return ftruncate(file.get(), 0) == 0 &&
         pwrite(file.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

[[noreturn]] void throw_taken(const fs::path& directory) {
  throw_environment("{}: another run writes here ({}); wait for it, or give this one another directory",
                    directory.string(), read_file(directory / "lock"));
}

}  // namespace

DirectoryLock::DirectoryLock(const fs::path& directory) : file_(open_lock(directory / "lock")) {
  const Lock lock = try_lock(file_, LOCK_EX);
  if (lock == Lock::kTaken) throw_taken(directory);
  is_held_ = lock == Lock::kHeld;
  // Only for the message above: whether it could be written decides nothing.
  if (is_held_) [[maybe_unused]]
    const bool written = write_whole(file_, this_process());
}

DirectoryLock::DirectoryLock(const fs::path& directory, const LockedShare& share)
    : file_(open_lock(directory / "lock")) {
  const std::string run = fmt::format("shares of {} of run {}", share.count, share.run);
  // The first one writes down which run it is, while nobody else can read it. Waiting is for such a moment.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  while (!is_held_) {
    Lock lock = try_lock(file_, LOCK_EX);
    if (lock == Lock::kHeld) {
      if (!write_whole(file_, fmt::format("{}; {}", this_process(), run)))
        throw_environment("{}: write: {} (errno {})", (directory / "lock").string(), std::strerror(errno), errno);
      lock = try_lock(file_, LOCK_SH);  // may let another in before: then that one has written
    } else if (lock == Lock::kTaken) {
      lock = try_lock(file_, LOCK_SH);
    }
    if (lock == Lock::kUnknown) return;
    is_held_ = lock == Lock::kHeld;
    if (is_held_) break;
    if (std::chrono::steady_clock::now() > deadline) throw_taken(directory);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  if (!read_file(directory / "lock").ends_with("; " + run)) throw_taken(directory);
  is_held_ = hold_place(directory, share);
}

/// A byte for each share: a lock of the open file, so that it conflicts within a process too.
bool DirectoryLock::hold_place(const fs::path& directory, const LockedShare& share) {
  places_ = open_lock(directory / "lock.shares");
  struct flock place = {};
  place.l_type = F_WRLCK;
  place.l_whence = SEEK_SET;
  place.l_start = share.index;
  place.l_len = 1;
  if (fcntl(places_.get(), F_OFD_SETLK, &place) == 0) return true;
  if (errno != EAGAIN && errno != EACCES) return false;
  throw_environment("{}: share {}/{} of this run is at work already; wait for it, or start another share",
                    directory.string(), share.index + 1, share.count);
}

}  // namespace invaria::io

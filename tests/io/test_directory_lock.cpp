#include "io/directory_lock.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "core/errors.hpp"
#include "tests/io/scratch.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::io;

TEST_CASE("a directory is held by one run, and free again when that has ended or died", "[io]") {
  const ScratchDirectory scratch;
  {
    const DirectoryLock lock(scratch.path());
    CHECK(lock.is_held());
    try {
      const DirectoryLock second(scratch.path());
      FAIL("two hold it");
    } catch (const EnvironmentError& error) {
      const std::string what = error.what();
      CHECK(what.find(scratch.path().string()) != std::string::npos);
      CHECK(what.find("process " + std::to_string(getpid())) != std::string::npos);
    }
  }
  CHECK(DirectoryLock(scratch.path()).is_held());

  const pid_t child = fork();
  if (child == 0) {
    const DirectoryLock lock(scratch.path());
    _exit(lock.is_held() ? 0 : 1);  // without letting go
  }
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(status == 0);
  CHECK(DirectoryLock(scratch.path()).is_held());
}

TEST_CASE("shares of one run hold a directory together, and nobody else", "[io]") {
  const ScratchDirectory scratch;
  const auto refusal = [&](const auto&... share) {
    try {
      const DirectoryLock lock(scratch.path(), share...);
      return std::string("none");
    } catch (const EnvironmentError& error) {
      return std::string(error.what());
    }
  };
  {
    const DirectoryLock first(scratch.path(), {"abc", 0, 3}), third(scratch.path(), {"abc", 2, 3});
    CHECK(first.is_held());
    CHECK(third.is_held());
    CHECK(refusal(LockedShare{"abc", 1, 3}) == "none");
    CHECK(refusal(LockedShare{"abc", 2, 3}).find("share 3/3 of this run is at work already") != std::string::npos);
    CHECK(refusal(LockedShare{"abd", 1, 3}).find("another run writes here") != std::string::npos);
    CHECK(refusal(LockedShare{"abc", 1, 4}).find("shares of 3 of run abc") != std::string::npos);
    CHECK(refusal().find("another run writes here") != std::string::npos);
  }
  {
    const DirectoryLock whole(scratch.path());
    CHECK(refusal(LockedShare{"abc", 0, 3}).find("another run writes here") != std::string::npos);
  }
  CHECK(refusal(LockedShare{"abd", 0, 2}) == "none");
}

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

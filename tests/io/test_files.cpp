#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "core/errors.hpp"
#include "core/sha256.hpp"
#include "io/files.hpp"
#include "io/results.hpp"
#include "io/safetensors.hpp"
#include "io/segments.hpp"
#include "tests/io/scratch.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::io;

namespace {

std::vector<std::string> listing(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

/// A file system of 1 MiB, mounted for one test; `mounted()` is false without the right to mount.
class TinyDisk {
 public:
  TinyDisk() { mounted_ = ::mount("tmpfs", scratch_.path().c_str(), "tmpfs", 0, "size=1m") == 0; }
  ~TinyDisk() {
    if (mounted_) ::umount2(scratch_.path().c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  fs::path operator/(const std::string& name) const { return scratch_ / name; }
  const fs::path& path() const { return scratch_.path(); }

 private:
  ScratchDirectory scratch_;
  bool mounted_ = false;
};

}  // namespace

TEST_CASE("a file written atomically reads back the same, replaces the old one and leaves nothing else",
          "[io][files]") {
  const ScratchDirectory scratch;
  const std::string bytes("one\0two\n\xff", 9);
  write_file_atomically(scratch / "a", std::string_view("old and longer than the new one"));
  write_file_atomically(scratch / "a", bytes);
  CHECK(read_file(scratch / "a") == bytes);
  CHECK(listing(scratch.path()) == std::vector<std::string>{"a"});
}

TEST_CASE("a file written atomically obeys the umask", "[io][files]") {
  const ScratchDirectory scratch;
  const mode_t before = ::umask(027);
  write_file_atomically(scratch / "a", std::string_view("x"));
  ::umask(before);
  struct stat status {};
  REQUIRE(::stat((scratch / "a").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0640);
}

TEST_CASE("errors of files name the path, the call and the reason", "[io][files]") {
  const ScratchDirectory scratch;
  CHECK_THROWS_WITH(read_file(scratch / "absent"),
                    (scratch / "absent").string() + ": open: No such file or directory (errno 2)");
  CHECK_THROWS_AS(read_file(scratch.path()), EnvironmentError);
  CHECK_THROWS_AS(write_file_atomically(scratch / "no/such/place", std::string_view("x")), EnvironmentError);
  write_file_atomically(scratch / "file", std::string_view("x"));
  CHECK_THROWS_WITH(make_directories(scratch / "file/below"), Catch::Contains("mkdir: Not a directory"));
  CHECK_THROWS_WITH(make_directories(scratch / "file"), Catch::Contains("mkdir: Not a directory"));
}

TEST_CASE("an atomic file that is not published leaves nothing behind", "[io][files]") {
  const ScratchDirectory scratch;
  {
    AtomicFile file(scratch / "a");
    file.write(std::string_view("half"));
    CHECK(listing(scratch.path()).size() == 1);
    CHECK(is_temporary(listing(scratch.path()).front()));
  }
  CHECK(listing(scratch.path()).empty());
}

TEST_CASE("a target that cannot be replaced keeps what it is and no temporary file stays", "[io][files]") {
  const ScratchDirectory scratch;
  make_directories(scratch / "taken/inside");
  CHECK_THROWS_WITH(write_file_atomically(scratch / "taken", std::string_view("x")), Catch::Contains("rename"));
  CHECK(listing(scratch.path()) == std::vector<std::string>{"taken"});

  const fs::path temporary = temporary_beside(scratch / "taken");
  CHECK_THROWS_AS(publish(temporary, scratch / "taken"), EnvironmentError);
  CHECK(listing(scratch.path()) == std::vector<std::string>{"taken"});
}

TEST_CASE("temporary names differ and are swept without touching finished files", "[io][files]") {
  const ScratchDirectory scratch;
  write_file_atomically(scratch / "results.h5", std::string_view("x"));
  write_file_atomically(scratch / ".hidden", std::string_view("x"));
  write_file_atomically(scratch / "mine.tmp", std::string_view("x"));
  const fs::path first = temporary_beside(scratch / "results.h5");
  const fs::path second = temporary_beside(scratch / "results.h5");
  CHECK(first != second);
  const fs::path other = temporary_beside(scratch / "results.h5.html");
  CHECK(remove_abandoned_temporaries(scratch.path(), "results.h5") == 0);  // this process is there
  std::string gone = first.filename().string();
  const std::string pid = std::to_string(getpid());
  gone.replace(gone.rfind("-" + pid + "-"), pid.size() + 2, "-99999999-");
  write_file_atomically(scratch / gone, std::string_view("x"));
  CHECK(remove_abandoned_temporaries(scratch.path(), "results.h5") == 1);
  CHECK_FALSE(fs::exists(scratch / gone));
  CHECK(remove_stale_temporaries(scratch.path(), "run.json") == 0);
  CHECK(remove_stale_temporaries(scratch.path(), "results.h5.html") == 1);
  CHECK(remove_stale_temporaries(scratch.path()) == 2);
  CHECK(listing(scratch.path()) == std::vector<std::string>{".hidden", "mine.tmp", "results.h5"});
  CHECK(remove_stale_temporaries(scratch / "absent") == 0);
}

TEST_CASE("the hash of a file is the hash of its bytes", "[io][files]") {
  const ScratchDirectory scratch;
  const std::string bytes(3 * (size_t{1} << 20) + 17, 'x');
  write_file_atomically(scratch / "a", bytes);
  CHECK(sha256_file(scratch / "a") == sha256_hex(bytes));
}

TEST_CASE("a full disk costs the new file only: the old one stays and nothing half-written is left",
          "[io][files][full]") {
  const TinyDisk disk;
  if (!disk.mounted()) INVARIA_SKIP("no right to mount a tmpfs: a full disk cannot be made");
  write_file_atomically(disk / "a", std::string_view("old"));
  const std::string large(2 << 20, 'x');

  CHECK_THROWS_WITH(write_file_atomically(disk / "a", large), Catch::Contains("No space left on device"));
  CHECK_THROWS_AS(
      write_safetensors(disk / "b.safetensors",
                        std::vector{TensorView{"w", {2 << 20}, DType::kU8, std::as_bytes(std::span(large))}}),
      EnvironmentError);
  Segment segment;
  segment.tasks.push_back({"known-01", 0, "hash", {large}});
  CHECK_THROWS_WITH(write_segment(disk.path(), 0, 1, segment), Catch::Contains("No space left on device"));
  Results results;
  results.content = segment;
  CHECK_THROWS_WITH(write_results(disk / "results.h5", results), Catch::Contains("No space left on device"));

  CHECK(listing(disk.path()) == std::vector<std::string>{"a"});
  CHECK(read_file(disk / "a") == "old");
}

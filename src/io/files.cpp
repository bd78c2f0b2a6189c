#include "io/files.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "core/errors.hpp"
#include "core/sha256.hpp"

namespace invaria::io {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;

[[noreturn]] void throw_errno(const char* call, const fs::path& path, int code) {
  throw_environment("{}: {}: {} (errno {})", path.string(), call, std::strerror(code), code);
}

/// Repeat a call that a signal interrupted.
template <class Call>
auto retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

Descriptor open_checked(const fs::path& path, int flags) {
  const int descriptor = retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0666); });
  if (descriptor < 0) throw_errno("open", path, errno);
  return Descriptor(descriptor);
}

/// Read a file front to back, a piece at a time.
template <class Consume>
void read_pieces(const fs::path& path, Consume consume) {
  const Descriptor descriptor = open_checked(path, O_RDONLY);
  std::vector<std::byte> piece(kPieceBytes);
  while (true) {
    const ssize_t n = retry([&] { return ::read(descriptor.get(), piece.data(), piece.size()); });
    if (n < 0) throw_errno("read", path, errno);
    if (n == 0) return;
    consume(std::span<const std::byte>(piece.data(), static_cast<size_t>(n)));
  }
}

fs::path directory_of(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

void sync(const Descriptor& descriptor, const fs::path& path) {
  if (retry([&] { return ::fsync(descriptor.get()); }) != 0) throw_errno("fsync", path, errno);
}

void sync_directory(const fs::path& directory) {
  const Descriptor descriptor = open_checked(directory, O_RDONLY | O_DIRECTORY);
  // EINVAL: a file system that knows no fsync of directories; its rename is as durable as it gets.
  if (retry([&] { return ::fsync(descriptor.get()); }) != 0 && errno != EINVAL) throw_errno("fsync", directory, errno);
}

void rename_and_sync(const fs::path& temporary, const fs::path& final_path) {
  if (std::rename(temporary.c_str(), final_path.c_str()) != 0) throw_errno("rename", final_path, errno);
  sync_directory(directory_of(final_path));
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "host";
  return name.data();
}

}  // namespace

void DescriptorTraits::close(Type descriptor) noexcept {
  ::close(descriptor);
}

Descriptor open_for_reading(const fs::path& path) {
  return open_checked(path, O_RDONLY);
}

std::string read_file(const fs::path& path) {
  std::string bytes;
  std::error_code ignored;
  const auto expected = fs::file_size(path, ignored);
  if (!ignored) bytes.reserve(expected);
  read_pieces(path, [&](std::span<const std::byte> piece) {
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  });
  return bytes;
}

std::string sha256_file(const fs::path& path) {
  Sha256 hash;
  read_pieces(path, [&](std::span<const std::byte> piece) { hash.update(piece); });
  return hash.hex();
}

fs::path temporary_beside(const fs::path& path) {
  const std::string stem = fmt::format(".{}.{}-{}", path.filename().string(), host_name(), ::getpid());
  for (int64_t n = 0;; ++n) {
    const fs::path candidate = directory_of(path) / fmt::format("{}-{}.tmp", stem, n);
    const int descriptor =
        retry([&] { return ::open(candidate.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); });
    if (descriptor >= 0) {
      ::close(descriptor);
      return candidate;
    }
    if (errno != EEXIST) throw_errno("open", candidate, errno);
  }
}

bool is_temporary(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with('.') && name.ends_with(".tmp");
}

void publish(const fs::path& temporary, const fs::path& final_path) {
  try {
    sync(open_checked(temporary, O_RDONLY), temporary);
    rename_and_sync(temporary, final_path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

void make_directories(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) throw_errno("mkdir", directory, error.value());
  if (!fs::is_directory(directory, error)) throw_errno("mkdir", directory, ENOTDIR);
}

namespace {

template <class Belongs>
int64_t remove_temporaries(const fs::path& directory, std::string_view of, const Belongs& belongs) {
  std::error_code error;
  if (!fs::exists(directory, error) && !error) return 0;
  const std::string beginning = of.empty() ? "." : fmt::format(".{}.", of);
  std::vector<fs::path> found;
  for (auto entry = fs::directory_iterator(directory, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(beginning) || !is_temporary(entry->path()) || entry->is_directory()) continue;
    if (belongs(name.substr(beginning.size()))) found.push_back(entry->path());
  }
  if (error) throw_errno("readdir", directory, error.value());
  for (const fs::path& path : found) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno("unlink", path, errno);
  }
  return static_cast<int64_t>(found.size());
}

}  // namespace

int64_t remove_stale_temporaries(const fs::path& directory, std::string_view of) {
  return remove_temporaries(directory, of, [](const std::string&) { return true; });
}

int64_t remove_abandoned_temporaries(const fs::path& directory, std::string_view of) {
  return remove_temporaries(directory, of, [](const std::string& rest) {  // "<host>-<pid>-<n>.tmp"
    const std::string host = host_name() + "-";
    pid_t pid = 0;
    const char* const begin = rest.data() + std::min(host.size(), rest.size());
    const auto [end, error] = std::from_chars(begin, rest.data() + rest.size(), pid);
    return rest.starts_with(host) && error == std::errc() && end != begin && *end == '-' && pid > 0 &&
           ::kill(pid, 0) != 0 && errno == ESRCH;
  });
}

AtomicFile::AtomicFile(fs::path final_path)
    : final_path_(std::move(final_path)), temporary_(temporary_beside(final_path_)) {
  try {
    descriptor_ = open_checked(temporary_, O_WRONLY);
  } catch (...) {
    ::unlink(temporary_.c_str());
    throw;
  }
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = retry([&] { return ::write(descriptor_.get(), bytes.data(), bytes.size()); });
    if (n < 0) throw_errno("write", final_path_, errno);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

void AtomicFile::write(std::string_view bytes) {
  write(std::as_bytes(std::span(bytes)));
}

void AtomicFile::write_at(int64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = retry([&] { return ::pwrite(descriptor_.get(), bytes.data(), bytes.size(), offset); });
    if (n < 0) throw_errno("pwrite", final_path_, errno);
    bytes.remove_prefix(static_cast<size_t>(n));
    offset += n;
  }
}

void AtomicFile::publish() {
  require(!temporary_.empty(), "AtomicFile::publish() called twice for {}", final_path_.string());
  sync(descriptor_, final_path_);
  if (::close(descriptor_.release()) != 0) throw_errno("close", final_path_, errno);
  rename_and_sync(temporary_, final_path_);
  temporary_.clear();
}

void write_file_atomically(const fs::path& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.publish();
}

void write_file_atomically(const fs::path& path, std::string_view bytes) {
  write_file_atomically(path, std::as_bytes(std::span(bytes)));
}

}  // namespace invaria::io

#include "core/log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "core/errors.hpp"
#include "core/timer.hpp"

namespace invaria {

void drop_torn_line(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return;  // missing, or EventLog says why
  const off_t size = lseek(file, 0, SEEK_END);
  off_t end = size;
  char last = '\n';
  while (end > 0 && pread(file, &last, 1, end - 1) == 1 && last != '\n') --end;
  const bool is_mended = end == size || ftruncate(file, end) == 0;
  const int code = errno;
  close(file);
  if (!is_mended) throw_environment("{}: ftruncate: {} (errno {})", path, std::strerror(code), code);
}

EventLog::EventLog(const std::string& path, int rank)
    : descriptor_(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)), rank_(rank) {
  if (descriptor_ < 0) throw_environment("{}: cannot open for appending: {}", path, std::strerror(errno));
}

EventLog::~EventLog() {
  if (descriptor_ >= 0) close(descriptor_);
}

EventLog::EventLog(EventLog&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), rank_(other.rank_), marks_(std::move(other.marks_)) {}

EventLog& EventLog::operator=(EventLog&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(rank_, other.rank_);
  std::swap(marks_, other.marks_);
  return *this;
}

void EventLog::event(std::string_view name, boost::json::object fields) {
  if (descriptor_ < 0) return;
  const double monotonic_s = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  boost::json::object line{{"time", utc_now()}, {"t", monotonic_s}, {"rank", rank_}, {"event", name}};
  for (const auto& [key, value] : marks_) line[key] = value;
  for (auto& [key, value] : fields) line[key] = std::move(value);
  const std::string text = boost::json::serialize(line) + "\n";
  [[maybe_unused]] const ssize_t written = write(descriptor_, text.data(), text.size());
}

}  // namespace invaria

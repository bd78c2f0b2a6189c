#include "core/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace invaria {

Progress::Progress(std::string title, int64_t total, std::string unit, std::FILE* stream)
    : title_(std::move(title)),
      total_(std::max<int64_t>(total, 1)),
      unit_(std::move(unit)),
      stream_(isatty(fileno(stream)) != 0 ? stream : nullptr) {}

Progress Progress::quiet() {
  return Progress();
}

Progress::~Progress() {
  if (stream_ != nullptr && last_drawn_s_ >= 0.0) std::fputs("\n", stream_);
}

void Progress::update(int64_t done, const std::string& note) {
  if (stream_ == nullptr) return;
  if (first_done_ < 0) first_done_ = std::max<int64_t>(done - 1, 0);
  const double elapsed_s = timer_.seconds();
  if (last_drawn_s_ >= 0.0 && elapsed_s - last_drawn_s_ < 0.1 && done < total_) return;
  last_drawn_s_ = elapsed_s;
  const double rate = static_cast<double>(done - first_done_) / std::max(elapsed_s, 1e-9);
  const double remaining_s = static_cast<double>(total_ - done) / std::max(rate, 1e-9);
  fmt::print(stream_, "\r\033[K{} {}/{} {} ({:.0f}%), {:.3g} {}/s, {} left{}{}", title_, done, total_, unit_,
             100.0 * static_cast<double>(done) / static_cast<double>(total_), rate, unit_, format_duration(remaining_s),
             note.empty() ? "" : ", ", note);
  std::fflush(stream_);
}

std::string format_duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

}  // namespace invaria

// An event file is a sequence of TFRecords (tensorflow/core/lib/io/record_writer.h): length, its masked CRC, bytes,
// their masked CRC, all little-endian; the bytes are a protocol buffer `Event` (tensorflow/core/util/event.proto), of
// which only wall_time, step, file_version and summary.value{tag, simple_value} are written.
#include "report/tensorboard.hpp"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <ctime>

#include "io/files.hpp"
#include "report/arms.hpp"
#include "report/summary_view.hpp"
#include "report/table.hpp"

namespace invaria::report {

namespace {

static_assert(std::endian::native == std::endian::little, "event files are little-endian");

template <class T>
std::string bytes_of(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

/// TensorFlow's disguise of a CRC that itself is part of what a CRC is taken of.
uint32_t masked(uint32_t crc) {
  return (crc >> 15 | crc << 17) + 0xa282ead8U;
}

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

// Wire types of protocol buffers.
constexpr uint64_t kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;

std::string key(uint64_t field, uint64_t type) {
  return varint(field << 3 | type);
}

std::string embedded(uint64_t field, const std::string& bytes) {
  return key(field, kBytes) + varint(bytes.size()) + bytes;
}

std::string record(const std::string& event) {
  const std::string length = bytes_of(static_cast<uint64_t>(event.size()));
  return length + bytes_of(masked(crc32c(length))) + event + bytes_of(masked(crc32c(event)));
}

/// One run's events.
class EventFile {
 public:
  explicit EventFile(double wall_time_s) : wall_time_s_(wall_time_s) {
    bytes_ = record(begin(0) + embedded(3, "brain.Event:2"));  // Event.file_version
  }

  /// Nothing where the value is not finite: TensorBoard would draw it as a gap of its own making.
  void scalar(const std::string& tag, int64_t step, double value) {
    if (!std::isfinite(value)) return;
    const std::string summary_value =
        embedded(1, tag) + key(2, kFixed32) + bytes_of(static_cast<float>(value));  // Value.tag, Value.simple_value
    bytes_ += record(begin(step) + embedded(5, embedded(1, summary_value)));        // Event.summary, Summary.value
    ++n_scalars_;
  }

  bool empty() const { return n_scalars_ == 0; }
  const std::string& bytes() const { return bytes_; }

 private:
  /// Event.wall_time and Event.step.
  std::string begin(int64_t step) const {
    return key(1, kFixed64) + bytes_of(wall_time_s_) + key(2, kVarint) + varint(static_cast<uint64_t>(step));
  }

  double wall_time_s_;
  std::string bytes_;
  int64_t n_scalars_ = 0;
};

double seconds_of(const std::string& time) {
  std::tm parts{};
  return strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr ? 0.0 : static_cast<double>(timegm(&parts));
}

void add_columns(const io::Table& table, const std::string& prefix, EventFile& file) {
  if (!table.contains("step")) return;
  const std::vector<int64_t>& steps = table.integers("step");
  const bool by_corner = prefix == "monitor" && table.contains("corner");  // its steps repeat for each corner
  for (const io::Column& column : table.columns()) {
    const auto* values = std::get_if<std::vector<double>>(&column.cells);
    if (values == nullptr) continue;
    for (size_t row = 0; row < steps.size(); ++row) {
      const std::string corner = by_corner ? "/" + table.texts("corner")[row] : "";
      file.scalar(fmt::format("{}/{}{}", prefix, column.name, corner), steps[row], (*values)[row]);
    }
  }
}

void add_trajectory(const io::JobRecord& job, const std::vector<std::string>& axes, EventFile& file) {
  const io::Trajectory& path = job.trajectory;
  for (size_t point = 0; point < path.loss.size(); ++point) {
    const auto step = static_cast<int64_t>(point);
    for (size_t axis = 0; axis < axes.size() && axis < path.invariance[point].size(); ++axis) {
      file.scalar("i/" + axes[axis], step, path.invariance[point][axis]);
    }
    file.scalar("learning/loss", step, path.loss[point]);
    file.scalar("learning/validation", step, path.validation[point]);
  }
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static const std::array<uint32_t, 256> kTable = [] {
    std::array<uint32_t, 256> table{};
    for (uint32_t n = 0; n < 256; ++n) {
      uint32_t remainder = n;
      for (int bit = 0; bit < 8; ++bit) remainder = remainder >> 1 ^ ((remainder & 1U) != 0 ? 0x82f63b78U : 0U);
      table[n] = remainder;
    }
    return table;
  }();
  uint32_t crc = 0xffffffffU;
  for (const char c : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 0xffU];
  return ~crc;
}

std::vector<std::filesystem::path> write_event_files(const io::Results& results, const std::filesystem::path& folder) {
  const double time_s = seconds_of(results.info.finished);
  std::vector<std::filesystem::path> files;
  const auto write = [&](const std::filesystem::path& run, const EventFile& file) {
    if (file.empty()) return;
    io::make_directories(folder / run);
    files.push_back(folder / run / fmt::format("events.out.tfevents.{:010.0f}.invaria", time_s));
    io::write_file_atomically(files.back(), file.bytes());
  };

  Slugs encoders, jobs;
  for (const io::EncoderRecord& encoder : results.content.encoders) {
    EventFile file(time_s);
    add_columns(encoder.pretraining, "pretraining", file);
    add_columns(encoder.monitor, "monitor", file);
    write(
        std::filesystem::path("encoders") / encoders.unlike(io::encoder_group_name(encoder, results.content.encoders)),
        file);
  }
  const SummaryView view(results);
  for (const io::JobRecord& job : results.content.jobs) {
    if (job.status != "finished" || !view.tasks().contains(job.task) || job.metric != view.main_metric_of(job.task))
      continue;
    EventFile file(time_s);
    add_trajectory(job, results.axes, file);
    write(std::filesystem::path("jobs") / jobs.unlike(fmt::format("{}-{}-{}-seed{}-repeat{}", job.task, job.arm,
                                                                  job.encoder, job.encoder_seed, job.repeat)),
          file);
  }
  EventFile summary(time_s);
  for (const ArmName& arm : view.arms()) {
    for (const std::string& task : view.tasks()) {
      const SummaryCell* cell = view.find(arm, task, view.main_metric_of(task));
      if (cell == nullptr) continue;
      summary.scalar(fmt::format("{}/{} ({})", task, view.label(arm), view.main_metric_of(task)), 0, cell->mean);
    }
  }
  write("summary", summary);
  return files;
}

}  // namespace invaria::report

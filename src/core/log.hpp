#pragma once
/// @file
/// log.jsonl: one event a line, appended by every rank, so that what happened where and when can be read with jq or
/// pandas.

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

namespace invaria {

/// Drop a last line of the file that a full disk cut off; a file that does not exist is left alone. Call it on one rank
/// before any opens the log. @throws EnvironmentError
void drop_torn_line(const std::string& path);

/// Appends events to a file of JSON lines. Each line goes out in one write(2) in append mode, so ranks of a node do not
/// tear lines.
class EventLog {
 public:
  /// Write nowhere (tests, ranks without an output directory).
  EventLog() = default;
  /// @param path  the file, made if missing
  /// @throws EnvironmentError if it cannot be opened for appending
  EventLog(const std::string& path, int rank);
  ~EventLog();
  EventLog(EventLog&&) noexcept;
  EventLog& operator=(EventLog&&) noexcept;

  /// Put a field into every event from now on.
  void mark(const std::string& field, const std::string& value) { marks_[field] = value; }

  /// Append {"time": ISO 8601, "t": seconds on the node's monotonic clock, "rank": r, "event": name, fields...}. A full
  /// disk costs the event, not the run; drop_torn_line() mends what it left.
  void event(std::string_view name, boost::json::object fields = {});

 private:
  int descriptor_ = -1;
  int rank_ = 0;
  boost::json::object marks_;
};

}  // namespace invaria

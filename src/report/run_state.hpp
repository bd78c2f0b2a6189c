#pragma once
/// @file
/// How far a run is, from the events of its log.jsonl: for whoever sees its files, on whatever machine.

#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace invaria::report {

/// What the events say of the last session of a run, the one that began last.
class RunState {
 public:
  /// Take in more of the file; the piece may end anywhere, the rest of a line comes with the next one. Lines that are
  /// no event are passed over.
  void add(std::string_view more);

  bool has_begun() const { return begun_.has_value(); }
  /// finished, "some failed", stopped or error; empty while it runs (or was killed).
  const std::string& end() const { return end_; }
  /// The exit code of a run that ended with an error.
  int64_t error_code() const { return error_code_; }
  bool is_valid() const { return valid_; }
  /// Whether a session that was a part of the run, such as pretraining alone, ended with failures.
  bool part_failed() const { return part_end_ == "some failed"; }
  /// Seconds since 1970 of the last event; 0 before the first.
  double last_event_s() const { return last_event_s_; }

  /// A few lines for people: stage, share, what each rank does, what failed. `now_s` is in seconds since 1970; clocks
  /// of other machines may differ from the one that wrote. Shares of a sweep that run side by side have a line each.
  std::string text(double now_s) const;

 private:
  struct Encoder {
    int64_t step = 0, steps = 0;
    double loss = 0.0;
    double first_s = 0.0, last_s = 0.0;  ///< of its steps in this session
    int64_t first_step = 0;
    bool is_done = false;
  };
  struct Rank {
    std::string unit;  ///< empty between units
    double since_s = 0.0;
  };

  void take(const boost::json::object& event, double time_s);
  void take_of_share(const std::string& share, const boost::json::object& event, double time_s);
  void take_pretraining(std::string_view name, const boost::json::object& event, double time_s);
  void take_unit(std::string_view name, const boost::json::object& event, double time_s);
  std::string pretraining_line() const;
  std::string units_text(double now_s) const;
  std::string share_line(const std::string& share, double now_s) const;

  std::string rest_;  ///< of a line
  std::optional<double> begun_;
  std::string suite_, end_, encoder_;
  std::string part_end_;  ///< of a session that was a part of the run: finished or "some failed"
  int64_t n_ranks_ = 0, n_encoders_ = 0;
  bool valid_ = false;
  std::string because_;  ///< what the error was
  int64_t error_code_ = 0;
  double last_event_s_ = 0.0;
  std::map<std::string, Encoder> encoders_;
  std::map<int64_t, Rank> ranks_;
  std::optional<double> sweep_begun_;
  int64_t n_units_ = 0, n_before_ = 0, n_finished_ = 0, n_jobs_ = 0;
  double cost_ = 0.0, cost_finished_ = 0.0;
  std::vector<std::string> failed_;
  std::map<std::string, RunState> shares_;  ///< by "K/N"
};

}  // namespace invaria::report

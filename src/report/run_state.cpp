#include "report/run_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cmath>
#include <ctime>

#include "core/progress.hpp"

namespace invaria::report {

namespace {

namespace json = boost::json;

std::string text_of(const json::object& event, const char* key) {
  const json::value* found = event.if_contains(key);
  return found != nullptr && found->is_string() ? std::string(found->as_string()) : std::string();
}

double number_of(const json::object& event, const char* key) {
  const json::value* found = event.if_contains(key);
  return found != nullptr && found->is_number() ? found->to_number<double>() : 0.0;
}

int64_t count_of(const json::object& event, const char* key) {
  return static_cast<int64_t>(number_of(event, key));
}

/// Seconds since 1970 of "2024-05-01T12:00:00.123Z"; 0 of other text.
double seconds_of(const std::string& time) {
  std::tm parts{};
  const char* rest = strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  return rest == nullptr ? 0.0 : static_cast<double>(timegm(&parts)) + std::atof(rest);
}

/// "3/5 (60 %)"
std::string share(int64_t done, int64_t all) {
  return fmt::format("{}/{} ({:.0f} %)", done, all,
                     all > 0 ? 100.0 * static_cast<double>(done) / static_cast<double>(all) : 0.0);
}

}  // namespace

void RunState::add(std::string_view more) {
  rest_ += more;
  size_t from = 0;
  for (size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', from)) {
    boost::system::error_code error;
    const json::value event = json::parse(std::string_view(rest_).substr(from, end - from), error);
    if (!error && event.is_object()) {
      const std::string share = text_of(event.as_object(), "share");
      const double time_s = seconds_of(text_of(event.as_object(), "time"));
      share.empty() ? take(event.as_object(), time_s) : take_of_share(share, event.as_object(), time_s);
    }
    from = end + 1;
  }
  rest_.erase(0, from);
}

void RunState::take_of_share(const std::string& share, const json::object& event, double time_s) {
  if (!begun_ || !end_.empty()) {  // the first of a sweep in shares
    std::string rest = std::move(rest_);
    *this = RunState();
    rest_ = std::move(rest);
    begun_ = time_s;
  }
  RunState& state = shares_[share];
  state.take(event, time_s);
  if (suite_.empty()) suite_ = state.suite_;
  n_ranks_ = 0;
  for (const auto& [name, each] : shares_) n_ranks_ += each.n_ranks_;
  last_event_s_ = time_s;
}

void RunState::take(const json::object& event, double time_s) {
  const std::string name = text_of(event, "event");
  if (name == "run_begin") {
    std::string rest = std::move(rest_);  // what add() is going through
    *this = RunState();
    rest_ = std::move(rest);
    begun_ = time_s;
    suite_ = text_of(event, "suite");
    n_ranks_ = count_of(event, "ranks");
    n_encoders_ = count_of(event, "encoders");
  } else if (name == "run_end") {
    end_ = text_of(event, "end");
    const json::value* valid = event.if_contains("valid");
    valid_ = valid != nullptr && valid->is_bool() && valid->get_bool();
    because_ = text_of(event, "because");
    error_code_ = count_of(event, "code");
  } else if (name == "part_end") {
    part_end_ = text_of(event, "end");
  } else if (name == "sweep_begin") {
    sweep_begun_ = time_s;
    n_units_ = count_of(event, "units");
    n_before_ = count_of(event, "finished_before");
    cost_ = number_of(event, "cost");
  } else if (name.starts_with("pretrain_")) {
    take_pretraining(name, event, time_s);
  } else if (name.starts_with("unit_")) {
    take_unit(name, event, time_s);
  }
  last_event_s_ = time_s;
}

void RunState::take_pretraining(std::string_view name, const json::object& event, double time_s) {
  const std::string key = text_of(event, "encoder");
  Encoder& encoder = encoders_[key];
  if (name == "pretrain_begin") {
    encoder_ = key;
  } else if (name == "pretrain_step") {
    encoder.step = count_of(event, "step");
    encoder.steps = count_of(event, "steps");
    encoder.loss = number_of(event, "loss");
    encoder.last_s = time_s;
    if (encoder.first_s == 0.0) {
      encoder.first_s = time_s;
      encoder.first_step = encoder.step;
    }
  } else if (name == "pretrain_end") {
    encoder.is_done = true;
    encoder_.clear();
    const std::string error = text_of(event, "error");
    if (!error.empty()) failed_.push_back(fmt::format("encoder {}: {}", key, error));
  }
}

void RunState::take_unit(std::string_view name, const json::object& event, double time_s) {
  Rank& rank = ranks_[count_of(event, "rank")];
  rank.since_s = time_s;
  if (name == "unit_begin") {
    rank.unit = text_of(event, "unit");
    return;
  }
  rank.unit.clear();
  ++n_finished_;
  n_jobs_ += count_of(event, "jobs");
  cost_finished_ += number_of(event, "cost");
  const std::string error = text_of(event, "error");
  if (!error.empty())
    failed_.push_back(fmt::format("{}: {}", text_of(event, "unit"), error.substr(0, error.find('\n'))));
}

std::string RunState::pretraining_line() const {
  const auto n_done = std::count_if(encoders_.begin(), encoders_.end(), [](const auto& e) { return e.second.is_done; });
  std::string line = fmt::format("pretraining  {} encoders", share(n_done, std::max<int64_t>(n_encoders_, n_done)));
  const auto found = encoders_.find(encoder_);
  if (found == encoders_.end() || found->second.steps == 0) return line + "\n";
  const Encoder& encoder = found->second;
  line += fmt::format("; {}: step {}, loss {:.3f}", encoder_, share(encoder.step, encoder.steps), encoder.loss);
  if (encoder.step > encoder.first_step) {
    const double step_s = (encoder.last_s - encoder.first_s) / static_cast<double>(encoder.step - encoder.first_step);
    line += fmt::format(", about {} left", format_duration(step_s * static_cast<double>(encoder.steps - encoder.step)));
  }
  return line + "\n";
}

std::string RunState::units_text(double now_s) const {
  std::string line = fmt::format("{} units, {} jobs finished", share(n_finished_, n_units_), n_jobs_);
  if (n_before_ > 0) line += fmt::format(", {} units were before", n_before_);
  // Floating-point operations that are left, at the speed of those that are done.
  if (end_.empty() && part_end_.empty() && cost_finished_ > 0.0 && cost_ > cost_finished_) {
    const double elapsed_s = std::max(0.0, std::max(now_s, last_event_s_) - *sweep_begun_);
    line += fmt::format(", about {} left", format_duration(elapsed_s * (cost_ - cost_finished_) / cost_finished_));
  }
  return line;
}

std::string RunState::share_line(const std::string& name, double now_s) const {
  std::string line = fmt::format("{:<12} {}", "share " + name, sweep_begun_ ? units_text(now_s) : "looks at its data");
  if (!part_end_.empty()) line += "; " + part_end_;
  if (end_ == "error") line += "; ended with an error: " + because_;
  if (end_ == "stopped") line += "; stopped, to be started again";
  return line + "\n";
}

std::string RunState::text(double now_s) const {
  if (!begun_) return "no run has begun here\n";
  std::string out =
      fmt::format("{} on {} {}, begun {} ago, last event {} ago\n", suite_, n_ranks_, n_ranks_ == 1 ? "rank" : "ranks",
                  format_duration(now_s - *begun_), format_duration(now_s - last_event_s_));
  if (!encoders_.empty()) out += pretraining_line();
  if (sweep_begun_) out += fmt::format("sweep        {}\n", units_text(now_s));
  for (const auto& [name, state] : shares_) {
    out += state.share_line(name, now_s);
    for (const std::string& failure : state.failed_) out += "failed       " + failure + "\n";
  }
  if (end_.empty()) {
    for (const auto& [number, rank] : ranks_) {
      out += fmt::format("rank {:<7} {} for {}\n", number, rank.unit.empty() ? "between units" : rank.unit,
                         format_duration(now_s - rank.since_s));
    }
  }
  for (const std::string& failure : failed_) out += "failed       " + failure + "\n";
  if (!end_.empty()) {
    if (end_ == "stopped") {
      out += "stopped; the same command continues\n";
    } else if (end_ == "error") {
      out += fmt::format("ended with an error: {}\n", because_);
    } else {
      out += fmt::format("{}, {}\n", end_, valid_ ? "VALID" : "INVALID (invaria report says why)");
    }
  }
  return out;
}

}  // namespace invaria::report

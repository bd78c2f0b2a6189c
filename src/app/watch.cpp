#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include "app/app.hpp"
#include "report/run_state.hpp"

namespace invaria::app {

namespace {

double now_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Reads what was appended to a file since the last call.
class Tail {
 public:
  explicit Tail(std::filesystem::path path) : path_(std::move(path)) {}

  std::string more() {
    std::ifstream file(path_, std::ios::binary);
    if (!file.seekg(static_cast<std::streamoff>(read_))) return "";
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    read_ += text.size();
    return text;
  }

 private:
  std::filesystem::path path_;
  size_t read_ = 0;
};

/// What a run that has ended came to, as `run` itself would have told.
ExitCode code_of(const report::RunState& state) {
  if (state.end() == "stopped") return ExitCode::kStopped;
  if (state.end() == "error") return static_cast<ExitCode>(state.error_code());
  return state.end() == "finished" && state.is_valid() ? ExitCode::kOk : ExitCode::kSomeFailed;
}

/// Whether a batch job of scripts/slurm/submit has begun and will go on, by itself or queued again: its script keeps a
/// file for as long.
bool goes_on_in_slurm(const std::filesystem::path& output) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(output / "slurm", error)) {
    if (entry.path().filename().string().starts_with("going-on-")) return true;
  }
  return false;
}

}  // namespace

ExitCode watch_command(const WatchOptions& options) {
  const std::filesystem::path log = options.output / "log.jsonl";
  // A chain of batch jobs begins when the queue lets it, and begins again after a stop.
  if (!std::filesystem::exists(options.output / "slurm") && !std::filesystem::exists(log)) {
    throw_config("{}: no log.jsonl; `invaria run` writes one into its --output, which is what watch wants",
                 options.output.string());
  }
  Tail tail(log);
  report::RunState state;
  const bool is_terminal = isatty(STDOUT_FILENO) != 0;
  int64_t n_lines = 0;
  while (true) {
    state.add(tail.more());
    const std::string text = state.text(now_s());
    if (is_terminal && n_lines > 0) fmt::print("\033[{}F\033[J", n_lines);  // back to where the last one began
    fmt::print("{}{}", text, is_terminal ? "" : "\n");
    std::fflush(stdout);
    n_lines = std::count(text.begin(), text.end(), '\n');
    const bool may_go_on = state.end() == "stopped" || state.end() == "error";
    const bool waits = may_go_on && !options.once && goes_on_in_slurm(options.output);
    if (!state.end().empty() && !waits) return code_of(state);
    if (state.part_failed()) return ExitCode::kSomeFailed;  // what would follow does not
    if (options.once) return ExitCode::kOk;
    std::this_thread::sleep_for(std::chrono::duration<double>(options.every_s));
  }
}

}  // namespace invaria::app

#include "bench/measure.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <boost/json/value_to.hpp>
#include <cstring>
#include <memory>

#include "bench/peer_process.hpp"
#include "bench/scratch.hpp"
#include "core/errors.hpp"
#include "core/timer.hpp"
#include "io/files.hpp"

namespace invaria::bench {
namespace {

namespace json = boost::json;

/// Floats that an adapter wrote, in the shape that it names.
at::Tensor read_floats(const std::filesystem::path& path, const json::value& shape) {
  const auto sizes = json::value_to<std::vector<int64_t>>(shape);
  at::Tensor values = at::empty(sizes, at::kFloat);
  const std::string bytes = io::read_file(path);
  require(bytes.size() == values.nbytes(), "{}: {} bytes for {} floats", path.string(), bytes.size(), values.numel());
  std::memcpy(values.mutable_data_ptr<float>(), bytes.data(), bytes.size());
  return values;
}

/// One peer of a stage, ready to run; or why it is not.
class Peer {
 public:
  Peer(PeerProcess& process, const PeerStage& stage) : process_(process), stage_(stage) {
    rates.name = stage.name;
    json::object request = stage.request;
    request["do"] = "prepare";
    request["peer"] = stage.name;
    const json::object answer = process.ask(request);
    if (const json::value* problem = answer.if_contains("problem")) {
      rates.problem = std::string(problem->as_string());
      return;
    }
    rates.version = std::string(answer.at("version").as_string());
    const Scratch scratch;
    const std::filesystem::path file = scratch.path() / "made";
    const json::object made = process.ask({{"do", "make"}, {"peer", stage.name}, {"file", file.string()}});
    if (const json::value* problem = made.if_contains("problem")) {
      rates.problem = std::string(problem->as_string());
      return;
    }
    try {
      stage.check(read_floats(file, made.at("shape")));
    } catch (const WrongResult& wrong) {
      rates.problem = wrong.what();
    }
  }

  /// Seconds of a run, over as many as fill the time.
  double seconds(double at_least) {
    const json::object answer = process_.ask({{"do", "run"}, {"peer", stage_.name}, {"seconds", at_least}});
    return answer.at("seconds").to_number<double>();
  }

  PeerRates rates;

 private:
  PeerProcess& process_;
  const PeerStage& stage_;
};

double seconds_of(const Stage& stage, double at_least, c10::Device device) {
  const Timer timer;
  int64_t runs = 0;
  while (timer.seconds() < at_least || runs == 0) {
    stage.run();
    wait_for(device);
    ++runs;
  }
  return timer.seconds() / static_cast<double>(runs);
}

}  // namespace

at::Tensor stacked(const std::vector<at::Tensor>& made) {
  return made.size() == 1 ? made.front() : at::stack(made);
}

Spread spread_of(std::vector<double> values) {
  require(!values.empty(), "spread_of: no values");
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values[middle] : 0.5 * (values[middle - 1] + values[middle]);
  return {median, values.front(), values.back()};
}

StageRates measure(const Stage& stage, const MachinePeaks& peaks, const MeasureOptions& options) {
  const at::NoGradGuard no_grad;
  StageRates rates{stage.name, stage.what, stage.unit, {}, {}, 0.0, false, {}};
  try {
    stage.check(stacked(stage.run()).cpu());
  } catch (const WrongResult& wrong) {
    rates.problem = wrong.what();
    return rates;
  }
  const Limit limit = limit_of(stage.work, peaks);
  rates.limit_per_s = stage.items / limit.seconds;
  rates.is_memory_bound = limit.is_memory;

  std::optional<PeerProcess> process;
  std::vector<std::unique_ptr<Peer>> peers;
  if (!options.python.empty() && !stage.peers.empty()) {
    process.emplace(options.python, options.adapters / stage.adapter, options.threads);
    for (const PeerStage& peer : stage.peers) peers.push_back(std::make_unique<Peer>(*process, peer));
  }
  for (int64_t pair = 0; pair < options.pairs; ++pair) {
    const double ours_s = seconds_of(stage, options.seconds, options.device);
    rates.per_s.push_back(stage.items / ours_s);
    for (const auto& peer : peers) {
      if (!peer->rates.problem.empty()) continue;
      const double peer_s = peer->seconds(options.seconds);
      peer->rates.per_s.push_back(stage.items / peer_s);
      peer->rates.times_ours.push_back(peer_s / ours_s);
    }
  }
  for (const auto& peer : peers) rates.peers.push_back(peer->rates);
  return rates;
}

}  // namespace invaria::bench

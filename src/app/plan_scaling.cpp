#include "app/plan_scaling.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <set>

namespace invaria::app {
namespace {

constexpr int64_t kFirstRanks = 8, kLastRanks = 1024;

/// Ranks with at least one picture each.
std::vector<int64_t> rank_counts(const Scaling& scaling) {
  std::vector<int64_t> all;
  for (int64_t ranks = kFirstRanks; ranks <= std::min(kLastRanks, scaling.batch); ranks *= 2) all.push_back(ranks);
  return all;
}

/// Work per second and rank, as a share of what one rank alone does with as many pictures as it has.
double weak_efficiency(const Scaling& scaling, const suite::Network& network, int64_t ranks) {
  const int64_t each = std::max<int64_t>(scaling.batch / kFirstRanks, 1);
  return suite::scaled_step(scaling.time, scaling.messages, network, each, 1).total_s() /
         suite::scaled_step(scaling.time, scaling.messages, network, each * ranks, ranks).total_s();
}

}  // namespace

std::vector<Scaling> measure_scaling(const suite::Plan& plan, const suite::CalibrationPlace& place) {
  std::vector<Scaling> all;
  std::set<std::string> seen;
  for (const train::EncoderPlan& encoder : plan.encoders) {
    const train::PretrainSettings& settings = encoder.settings;
    if (settings.steps == 0 || !seen.insert(boost::json::serialize(config::write(settings))).second) continue;
    all.push_back(
        {encoder.key(), settings.global_batch, suite::measure_step_time(encoder, place), suite::messages_of(encoder)});
  }
  return all;
}

void print_scaling(const std::vector<Scaling>& all, const suite::Network& network, report::Style style) {
  for (const Scaling& scaling : all) {
    report::Table table("plan-scaling", {report::key_column("ranks"),
                                         {"step", "ms"},
                                         {"computes", "ms"},
                                         {"waits", "ms"},
                                         {"samples", "1/s"},
                                         {"strong", "%"},
                                         {"weak", "%"}});
    const double alone_s = suite::scaled_step(scaling.time, scaling.messages, network, scaling.batch, 1).total_s();
    for (const int64_t ranks : rank_counts(scaling)) {
      const suite::ScaledStep step = suite::scaled_step(scaling.time, scaling.messages, network, scaling.batch, ranks);
      const double strong = alone_s / step.total_s() / static_cast<double>(ranks);
      table.add_row({{std::to_string(ranks)},
                     {fmt::format("{:.3g}", 1e3 * step.total_s())},
                     {fmt::format("{:.3g}", 1e3 * step.compute_s)},
                     {fmt::format("{:.3g}", 1e3 * step.exposed_s)},
                     {fmt::format("{:.4g}", static_cast<double>(scaling.batch) / step.total_s())},
                     {fmt::format("{:.0f}", 100.0 * strong)},
                     {fmt::format("{:.0f}", 100.0 * weak_efficiency(scaling, network, ranks))}});
    }
    fmt::print("\nSteps of {} on more ranks, by a model\n{}\n", scaling.encoder, report::text(table, style));
    fmt::print(
        "Measured here on one rank: {:.3g} ms a step and {:.3g} ms a sample. Said in a step: {:.3g} MB of gradients, "
        "{:.3g} MB of embeddings of all {} samples, {} small sums.\n",
        1e3 * scaling.time.fixed_s, 1e3 * scaling.time.picture_s, scaling.messages.gradient_bytes / 1e6,
        scaling.messages.embedding_bytes * static_cast<double>(scaling.batch) / 1e6, scaling.batch,
        scaling.messages.small_sums);
  }
  fmt::print(
      "Assumed: {:.3g} us and {:.3g} GB/s between any two ranks; gradients travel behind the backward pass, two thirds "
      "of a sample's time; nothing else is hidden; BatchNorm is synchronised, and the objective says what SimCLR does; "
      "samples are there when they are asked for. Strong: the suite's "
      "batch on all ranks; weak: of each rank an eighth of it, whatever their number.\n",
      1e6 * network.latency_s, network.bytes_per_s / 1e9);
}

boost::json::array scaling_record(const std::vector<Scaling>& all, const suite::Network& network) {
  boost::json::array encoders;
  for (const Scaling& scaling : all) {
    boost::json::array steps;
    for (const int64_t ranks : rank_counts(scaling)) {
      const suite::ScaledStep step = suite::scaled_step(scaling.time, scaling.messages, network, scaling.batch, ranks);
      steps.push_back({{"ranks", ranks},
                       {"compute_s", step.compute_s},
                       {"exposed_s", step.exposed_s},
                       {"weak_efficiency", weak_efficiency(scaling, network, ranks)}});
    }
    encoders.push_back({{"encoder", scaling.encoder},
                        {"fixed_s", scaling.time.fixed_s},
                        {"sample_s", scaling.time.picture_s},
                        {"gradient_bytes", scaling.messages.gradient_bytes},
                        {"embedding_bytes", scaling.messages.embedding_bytes},
                        {"small_sums", scaling.messages.small_sums},
                        {"latency_s", network.latency_s},
                        {"bytes_per_s", network.bytes_per_s},
                        {"steps", std::move(steps)}});
  }
  return encoders;
}

}  // namespace invaria::app

#include "app/chosen_encoder.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <charconv>

#include "app/loaded_suite.hpp"
#include "app/results.hpp"
#include "core/errors.hpp"
#include "core/node_memory.hpp"
#include "downstream/features.hpp"
#include "io/results.hpp"
#include "suite/clean_pictures.hpp"
#include "suite/load.hpp"
#include "suite/plan.hpp"
#include "train/pretrain.hpp"

namespace invaria::app {
namespace {

const train::EncoderPlan& find_plan(const suite::Plan& plan, const EncoderOptions& options) {
  std::string names, seeds;
  for (const train::EncoderPlan& candidate : plan.encoders) {
    if (candidate.name == options.encoder && (!options.seed || candidate.seed == *options.seed)) return candidate;
    std::string& list = candidate.name == options.encoder ? seeds : names;
    const std::string item = candidate.name == options.encoder ? std::to_string(candidate.seed) : candidate.name;
    if (candidate.name == options.encoder || candidate.seed == plan.encoders.front().seed)
      list += (list.empty() ? "" : ", ") + item;
  }
  if (seeds.empty()) throw_config("--encoder {}: the run has no such encoder; it has {}", options.encoder, names);
  throw_config("--encoder-seed {}: {} was pretrained with {}", *options.seed, options.encoder, seeds);
}

/// "1,0.5" as numbers.
config::Invariance parse_invariance(const std::string& text, const train::EncoderPlan& plan) {
  std::string axes;
  for (const augment::Axis& axis : plan.axes) axes += (axes.empty() ? "" : ",") + axis.name;
  if (!plan.is_conditioned()) {
    if (text.empty()) return {};
    throw_config("--invariance {}: encoder {} is not conditioned; leave the option out", text, plan.name);
  }
  config::Invariance invariance;
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  while (at < end) {
    double value = 0.0;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc() || !(value >= 0 && value <= 1) || (next != end && *next != ',')) break;
    invariance.push_back(value);
    at = next == end ? end : next + 1;
  }
  if (at != end || text.ends_with(',') || static_cast<int64_t>(invariance.size()) != plan.n_axes()) {
    throw_config("--invariance \"{}\": expected {} numbers in [0, 1] with commas between, in the order {}", text,
                 plan.n_axes(), axes);
  }
  return invariance;
}

bool wants_reestimation(const EncoderOptions& options, const suite::Suite& suite, const train::EncoderPlan& plan) {
  if (options.bn_statistics == "running") return false;
  if (options.bn_statistics == "as-swept") {
    if (suite::reestimates(suite, plan) && suite.downstream.bn_statistics == downstream::BnStatistics::kValidated) {
      throw_config(
          "--statistics as-swept: the run chose on each task's validation set (bn_statistics of /jobs says "
          "what); say running or re-estimated");
    }
    return suite::reestimates(suite, plan);
  }
  if (!plan.settings.model.has_batch_norm())
    throw_config("--statistics re-estimated: encoder {} has no BatchNorm layers", plan.name);
  return true;
}

}  // namespace

model::BatchNormPass ChosenEncoder::batch_norm() const {
  return statistics ? model::BatchNormPass::with(*statistics) : model::BatchNormPass::running();
}

std::map<std::string, std::string> ChosenEncoder::provenance() const {
  std::string axes;
  for (const augment::Axis& axis : plan.axes) axes += (axes.empty() ? "" : ",") + axis.name;
  return {{"suite", suite.name},
          {"encoder", plan.name},
          {"encoder_seed", std::to_string(plan.seed)},
          {"axes", axes},
          {"invariance", config::to_string(invariance)},
          {"bn_statistics", statistics ? "re-estimated" : "running"},
          {"encoder_hash", encoder.hash()},
          {"settings", config::json::serialize(plan.identity)}};
}

ChosenEncoder choose_encoder(const EncoderOptions& options, c10::Device device) {
  const std::filesystem::path file = results_file(options.results);
  const io::Results results = io::read_results(file);
  suite::Suite suite = suite_of_record(results.info.settings, file.string());
  const suite::Plan run = suite::make_plan(suite);
  const train::EncoderPlan& plan = find_plan(run, options);
  const config::Invariance invariance = parse_invariance(options.invariance, plan);
  const bool reestimates = wants_reestimation(options, suite, plan);

  const std::filesystem::path directory = file.parent_path().empty() ? "." : file.parent_path();
  train::TrainedEncoder trained = train::load_encoder(plan, directory);
  downstream::freeze(trained.encoder);
  trained.encoder.to(device);
  ChosenEncoder chosen{std::move(suite), plan,
                       trained.encoder,  trained.record.checkpoint_hash,
                       invariance,       trained.encoder.generate(invariance),
                       std::nullopt};
  if (reestimates) {
    const data::Dataset data = load_named_dataset(chosen, plan.settings.data, options.data_folders);
    const at::Tensor pictures =
        suite::clean_pictures(plan, data.split(plan.settings.split), chosen.suite.downstream.batch_norm.images);
    chosen.statistics = downstream::reestimate_statistics(chosen.encoder, chosen.generated, pictures,
                                                          chosen.suite.downstream.batch_norm.batch);
  }
  return chosen;
}

data::Dataset load_named_dataset(const ChosenEncoder& chosen, const std::string& name,
                                 const std::vector<std::filesystem::path>& data_folders) {
  const auto of_name = [&](const data::DatasetSettings& settings) { return settings.name == name; };
  const std::vector<data::DatasetSettings>& of_suite = chosen.suite.data;
  const auto found = std::find_if(of_suite.begin(), of_suite.end(), of_name);
  data::DatasetSettings settings = found != of_suite.end() ? *found : chosen.suite.dataset(chosen.plan.settings.data);
  settings.name = name;

  suite::Suite only = chosen.suite;
  only.data = {settings};
  const suite::DataFolders folders{{}, data_folders};
  config::Problems problems;
  const suite::Manifests manifests = suite::find_manifests(only, folders, problems);
  problems.throw_if_any("data set " + name);
  return data::load_dataset(manifests.at(name), settings, {data_folders, at::get_num_threads(), {}},
                            NodeMemory::private_memory());
}

}  // namespace invaria::app

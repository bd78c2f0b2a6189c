#include "app/loaded_suite.hpp"

#include <algorithm>

#include "core/errors.hpp"
#include "io/files.hpp"
#include "report/published.hpp"
#include "suite/unread.hpp"
#include "train/initial_weights.hpp"

namespace invaria::app {
namespace {

/// Weights to start from are known by their contents: the hash goes into the suite, and so into the record. Encoders in
/// which something else is wrong are passed over: their network may be none.
void resolve_initial_weights(suite::Suite& suite, config::Problems& problems) {
  for (size_t index = 0; index < suite.encoders.size(); ++index) {
    train::PretrainSettings& pretraining = suite.encoders[index].pretraining;
    const std::string entry = fmt::format("encoders[{}]", index);
    const std::vector<config::Problem>& known = problems.list();
    const bool is_wrong = std::any_of(known.begin(), known.end(), [&](const config::Problem& problem) {
      return problem.where.starts_with(entry) || problem.where.starts_with("encoder_defaults");
    });
    if (pretraining.init_from.empty() || is_wrong) continue;
    const config::StoredShape stored = suite::stored_shape(suite, pretraining.data);
    try {
      pretraining.init_from_hash =
          train::check_initial_weights(pretraining, augment::view_shape(pretraining.views(), stored));
    } catch (const ConfigError& error) {
      problems.add(entry + ".pretraining.init_from", "\"" + pretraining.init_from + "\"",
                   "the weights of such a network", error.what());
    }
  }
}

void check_published(const suite::Suite& suite, config::Problems& problems) {
  for (size_t index = 0; index < suite.published.size(); ++index) {
    try {
      report::read_published(suite.published[index]);
    } catch (const ConfigError& error) {
      problems.add(fmt::format("published[{}]", index), "\"" + suite.published[index] + "\"",
                   "a table of results/published", error.what());
    }
  }
}

}  // namespace

LoadedSuite load_suite(const SuiteOptions& options, data::CheckDepth depth) {
  if (!std::filesystem::exists(options.suite)) throw_config("{}: no such suite file", options.suite);
  if (std::filesystem::is_directory(options.suite))
    throw_config("{}: a directory, expected a suite file", options.suite);
  for (const std::filesystem::path& folder : options.data_folders) {
    if (!std::filesystem::is_directory(folder))
      throw_config("--data or INVARIA_DATA: {} is no directory", folder.string());
  }
  config::json::value text = config::parse_text(io::read_file(options.suite), options.suite);
  for (const std::string& assignment : options.overrides) config::apply_override(text, assignment);

  config::Problems problems;
  LoadedSuite loaded;
  loaded.folders = {std::filesystem::path(options.suite).parent_path(), options.data_folders};
  loaded.suite = suite::read_suite(text, problems);
  suite::validate_suite(loaded.suite, problems);
  if (problems.empty()) suite::check_unread(text, loaded.suite, problems);
  resolve_initial_weights(loaded.suite, problems);
  check_published(loaded.suite, problems);
  loaded.manifests = suite::find_manifests(loaded.suite, loaded.folders, problems);
  loaded.found = suite::check_data(loaded.suite, loaded.manifests, loaded.folders, depth, problems);
  problems.throw_if_any(options.suite);

  loaded.plan = suite::make_plan(loaded.suite);
  suite::estimate_costs(loaded.plan, loaded.suite, suite::task_sizes(loaded.suite, loaded.found));
  return loaded;
}

suite::Suite suite_of_record(const std::string& resolved, const std::string& source) {
  config::Problems problems;
  const suite::Suite suite = suite::read_suite(config::parse_text(resolved, source), problems);
  suite::validate_suite(suite, problems);
  problems.throw_if_any(source + ": the settings recorded in it");
  return suite;
}

}  // namespace invaria::app

#pragma once
/// @file
/// A suite of seconds on made pictures, as JSON text to be edited, and what a run needs beside it.

#include <filesystem>
#include <string>
#include <vector>

#include "suite/load.hpp"
#include "suite/plan.hpp"
#include "suite/suite.hpp"

namespace invaria::suite::testing {

inline constexpr const char* kSmallSuite = R"({
  "name": "small",
  "data": [{"name": "shapes", "size": 36}],
  "encoder_defaults": {"pretraining": {"data": "shapes", "steps": 4, "global_batch": 16,
                                       "model": {"width": 4, "conditioning": "none"},
                                       "projection": {"hidden": 12, "out": 8}}},
  "encoders": [{"name": "amortised", "pretraining": {"model": {"conditioning": "hypernetwork"}}},
               {"name": "fixed-default"},
               {"name": "random", "pretraining": {"steps": 0}}],
  "task_defaults": {"data": "shapes"},
  "tasks": [{"name": "shapes-4"},
            {"name": "known-10", "kind": "known",
             "known": {"marks": "10", "classes": 20, "train_per_class": 2, "validation_per_class": 1,
                       "test_per_class": 2, "min_saturation": 0.0}}],
  "arms": ["learned-projected", "learned-joint", "corners", "centre", "grid"],
  "repeats": 2,
  "downstream": {"projected": {"steps": 3}, "joint": {"epochs": 2}, "batch_norm": {"images": 32, "batch": 16}},
  "sensitivity": {"data": "shapes", "images": 20}
})";

/// The suite with `--set` assignments. Everything wrong with it goes to `problems`.
inline Suite read_small(const std::vector<std::string>& assignments, config::Problems& problems,
                        const std::string& text = kSmallSuite) {
  config::json::value value = config::parse_text(text, "small");
  for (const std::string& assignment : assignments) config::apply_override(value, assignment);
  const Suite suite = read_suite(value, problems);
  validate_suite(suite, problems);
  return suite;
}

/// A sound one. @throws ConfigError if it is not
inline Suite small_suite(const std::vector<std::string>& assignments = {}) {
  config::Problems problems;
  const Suite suite = read_small(assignments, problems);
  problems.throw_if_any("small");
  return suite;
}

/// Four classes; "few" has two training pictures of each.
inline Manifests small_manifests() {
  Manifests manifests;
  for (const auto& [name, train] : {std::pair<const char*, int64_t>{"shapes", 64}, {"few", 8}}) {
    data::Manifest manifest;
    manifest.name = name;
    manifest.kind = data::DatasetKind::kSynthetic;
    manifest.classes = 4;
    manifest.synthetic.shapes = manifest.synthetic.colours = 2;
    manifest.splits = {{"train", "", {}, train, "", ""}, {"test", "", {}, 40, "", ""}};
    manifests.emplace(name, manifest);
  }
  return manifests;
}

/// What data sets of made pictures hold, by their manifests.
inline Summaries summaries_of(const Manifests& manifests) {
  Summaries summaries;
  for (const auto& [name, manifest] : manifests) {
    data::DatasetSummary& summary = summaries[name];
    summary.n_classes = manifest.classes;
    summary.n_targets = 2;
    summary.target_names = {"target_x", "target_y"};
    for (int64_t label = 0; label < manifest.classes; ++label) summary.classes.push_back(fmt::format("class{}", label));
    for (const data::SplitManifest& split : manifest.splits) {
      summary.splits.emplace_back(split.name, *split.count);
      summary.class_counts[split.name].assign(static_cast<size_t>(manifest.classes), *split.count / manifest.classes);
    }
  }
  return summaries;
}

inline Plan small_plan(const Suite& suite) {
  Plan plan = make_plan(suite);
  estimate_costs(plan, suite, task_sizes(suite, summaries_of(small_manifests())));
  return plan;
}

}  // namespace invaria::suite::testing

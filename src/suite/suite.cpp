#include "suite/suite.hpp"

#include <algorithm>

#include "augment/named_axes.hpp"
#include "core/errors.hpp"
#include "data/sample_files.hpp"

namespace invaria::suite {
namespace {

using config::json::object;
using config::json::value;

/// RFC 7396: members of `patch` replace those of `target`, objects are merged member by member.
void merge_patch(value& target, const value& patch) {
  if (!patch.is_object()) {
    target = patch;
    return;
  }
  if (!target.is_object()) target.emplace_object();
  for (const auto& member : patch.get_object()) merge_patch(target.get_object()[member.key()], member.value());
}

/// A section's defaults and the list whose entries they are put under.
struct DefaultsSection {
  std::string defaults;
  std::string list;
};
const DefaultsSection kEncoderSection{"encoder_defaults", "encoders"};
const DefaultsSection kTaskSection{"task_defaults", "tasks"};

/// Put the section's defaults under every entry of its list and take them out. They are checked alone, as an entry with
/// a name, so that a mistake in them is reported where it is.
template <class Entry>
void spread_defaults(object& suite, const DefaultsSection& section, config::Problems& problems) {
  const auto found = suite.find(section.defaults);
  if (found == suite.end()) return;
  const value defaults = found->value();
  suite.erase(found);
  if (!defaults.is_object()) {
    problems.add(section.defaults, config::excerpt(defaults), "an object");
    return;
  }
  value probe = defaults;
  merge_patch(probe, {{"name", "x"}});
  config::Problems mine;
  config::parse<Entry>(probe, section.defaults, mine);
  for (const config::Problem& problem : mine.list()) {
    if (!problem.found.empty()) problems.add(problem);  // the others are values that the entries themselves give
  }
  const auto list = suite.find(section.list);
  if (list == suite.end() || !list->value().is_array()) return;
  for (value& entry : list->value().get_array()) {
    if (!entry.is_object()) continue;
    value merged = defaults;
    merge_patch(merged, entry);
    entry = merged;
  }
}

/// `"axes": "k5"` stands for the axes of that name.
void resolve_named_axes(object& suite, config::Problems& problems) {
  value* axes = suite.if_contains("axes");
  if (axes == nullptr || !axes->is_string()) return;
  config::Problems mine;
  const auto which = config::parse<augment::NamedAxes>(*axes, "axes", mine);
  for (const config::Problem& problem : mine.list()) problems.add(problem);
  *axes = config::write(augment::named_axes(which));
}

/// Whether an entry's problem came with the defaults, which have reported it.
bool is_inherited(const config::Problem& problem, const DefaultsSection& section, const config::Problems& reported) {
  const size_t end = problem.where.find(']');
  if (!problem.where.starts_with(section.list + "[") || end == std::string::npos) return false;
  const std::string at_defaults = section.defaults + problem.where.substr(end + 1);
  return std::any_of(reported.list().begin(), reported.list().end(), [&](const config::Problem& known) {
    return known.where == at_defaults && known.found == problem.found;
  });
}

/// Put what the protocol gives under the suite's own section `downstream`. An unknown protocol is left to the parser.
void spread_protocol(object& suite) {
  const value* given = suite.if_contains("downstream");
  const value* name = given != nullptr && given->is_object() ? given->get_object().if_contains("protocol") : nullptr;
  if (name == nullptr) return;
  config::Problems reported;  // by the parser, later
  const auto protocol = config::parse<downstream::Protocol>(*name, "", reported);
  if (!reported.empty()) return;
  value merged = downstream::protocol_defaults(protocol);
  merge_patch(merged, *given);
  suite["downstream"] = std::move(merged);
}

/// The paper's protocol learns i jointly with the readout, in every repeat, where a suite does not say otherwise.
/// @param text  the merged suite that `suite` was read from
void resolve_arms(Suite& suite, const object& text) {
  if (suite.downstream.protocol != downstream::Protocol::kPaper) return;
  if (!text.contains("arms"))
    std::replace(suite.arms.begin(), suite.arms.end(), Arm::kLearnedProjected, Arm::kLearnedJoint);
  boost::system::error_code absent;
  if (value(text).find_pointer("/downstream/joint/repeats", absent) == nullptr)
    suite.downstream.joint.repeats = suite.repeats;
}

/// The paper's protocol judges regression by r2_flat first, where a task does not say otherwise.
void resolve_metrics(Suite& suite) {
  using downstream::Metric;
  if (suite.downstream.protocol != downstream::Protocol::kPaper) return;
  for (downstream::TaskSettings& task : suite.tasks) {
    std::vector<Metric> metrics = task.resolved_metrics();
    const auto flat = std::find(metrics.begin(), metrics.end(), Metric::kR2Flat);
    if (!task.metrics.empty() || flat == metrics.end()) continue;
    std::rotate(metrics.begin(), flat, flat + 1);
    task.metrics = metrics;
  }
}

/// Under the paper's protocol, which chooses nothing on validation, a task learns from all of train, where it does not
/// say otherwise.
/// @param text  the merged suite that `suite` was read from
void resolve_validation(Suite& suite, const object& text) {
  const value* tasks = text.if_contains("tasks");
  if (suite.downstream.protocol != downstream::Protocol::kPaper || suite.downstream.chooses_on_validation() ||
      tasks == nullptr || !tasks->is_array())
    return;
  for (size_t index = 0; index < suite.tasks.size(); ++index) {
    const object* given = tasks->get_array().at(index).if_object();
    if (given != nullptr && !given->contains("validation_fraction") && may_cut_none(suite.tasks[index]))
      suite.tasks[index].validation_fraction = 0.0;
  }
}

/// What a known task does not say of its strengths is as in the reference encoder's pretraining, or as in the preset
/// that the task names, but for milder crops.
/// @param text  the merged suite that `suite` was read from
void resolve_known_strengths(Suite& suite, const object& text) {
  const value* tasks = text.if_contains("tasks");
  if (suite.encoders.empty() || tasks == nullptr || !tasks->is_array()) return;
  const augment::AugmentSettings strengths = downstream::milder_crops(reference_encoder(suite).pretraining.augment);
  for (size_t index = 0; index < suite.tasks.size(); ++index) {
    downstream::TaskSettings& task = suite.tasks[index];
    if (task.kind != downstream::TaskKind::kKnown) continue;
    task.known.augment = strengths;
    task.known.sound = reference_encoder(suite).pretraining.sound.augment;
    boost::system::error_code absent;
    config::Problems reported;  // already
    if (const value* given = tasks->get_array().at(index).find_pointer("/known/sound", absent))
      config::read(*given, "", {}, task.known.sound, reported);
    const value* own = tasks->get_array().at(index).find_pointer("/known/augment", absent);
    if (own == nullptr) continue;
    config::read(*own, "", {}, task.known.augment, reported);
    // A preset of its own replaces the reference's strengths, and the milder crops with them.
    const object* given = own->if_object();
    if (given != nullptr && given->contains("preset") && !given->contains("crop_area"))
      task.known.augment = downstream::milder_crops(task.known.augment);
  }
}

/// Take every "required" out of a schema, at all depths.
void allow_absence(value& schema) {
  if (object* members = schema.if_object()) {
    members->erase("required");
    for (auto& member : *members) allow_absence(member.value());
  }
}

}  // namespace

Suite read_suite(const value& text, config::Problems& problems) {
  if (!text.is_object()) {
    problems.add("", config::excerpt(text), "an object");
    return {};
  }
  value merged = text;
  spread_defaults<EncoderEntry>(merged.get_object(), kEncoderSection, problems);
  spread_defaults<downstream::TaskSettings>(merged.get_object(), kTaskSection, problems);
  resolve_named_axes(merged.get_object(), problems);
  spread_protocol(merged.get_object());
  config::Problems found;
  Suite suite = config::parse<Suite>(merged, "", found);
  resolve_arms(suite, merged.get_object());
  resolve_metrics(suite);
  resolve_validation(suite, merged.get_object());
  resolve_known_strengths(suite, merged.get_object());
  const config::Problems reported = problems;
  for (const config::Problem& problem : found.list()) {
    if (!is_inherited(problem, kEncoderSection, reported) && !is_inherited(problem, kTaskSection, reported))
      problems.add(problem);
  }
  return suite;
}

config::json::object suite_schema() {
  object schema = config::schema<Suite>();
  // What an entry must say may stand in the defaults as well: of an entry alone only its name can be asked for.
  const auto add_defaults = [&schema](const char* list, const char* key, const char* help) {
    object& properties = schema["properties"].get_object();
    value& entry = properties[list].get_object()["items"];
    allow_absence(entry);
    object defaults = entry.get_object();
    defaults["description"] = help;
    entry.get_object()["required"] = config::json::array{"name"};
    properties[key] = std::move(defaults);
  };
  add_defaults("encoders", "encoder_defaults", "merged under every entry of encoders, whose own values win");
  add_defaults("tasks", "task_defaults", "merged under every entry of tasks, whose own values win");
  object& axes = schema["properties"].get_object()["axes"].get_object();
  object list{{"type", axes["type"]}, {"items", axes["items"]}};
  axes.erase("type");
  axes.erase("items");
  axes["anyOf"] = config::json::array{list, config::schema<augment::NamedAxes>()};
  object whole{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "Invaria suite"}};
  for (const auto& member : schema) whole[member.key()] = member.value();
  return whole;
}

const data::DatasetSettings& Suite::dataset(const std::string& dataset_name) const {
  const auto found =
      std::find_if(data.begin(), data.end(), [&](const auto& entry) { return entry.name == dataset_name; });
  require(found != data.end(), "Suite::dataset: no data set {}", dataset_name);
  return *found;
}

config::StoredShape stored_shape(const Suite& suite, const std::string& data) {
  const auto found = std::find_if(suite.data.begin(), suite.data.end(), [&](const auto& d) { return d.name == data; });
  return data::stored_shape(augment::media_of(suite.axes),
                            found == suite.data.end() ? data::DatasetSettings() : *found);
}

const EncoderEntry& reference_encoder(const Suite& suite) {
  require(!suite.encoders.empty(), "reference_encoder: a suite without encoders");
  const auto conditioned = std::find_if(suite.encoders.begin(), suite.encoders.end(), [](const EncoderEntry& entry) {
    return entry.pretraining.model.is_conditioned();
  });
  return conditioned == suite.encoders.end() ? suite.encoders.front() : *conditioned;
}

bool is_pretrained_on(const Suite& suite, const std::string& data, const std::string& split) {
  return std::any_of(suite.encoders.begin(), suite.encoders.end(), [&](const EncoderEntry& encoder) {
    return encoder.pretraining.steps > 0 && encoder.pretraining.data == data && encoder.pretraining.split == split;
  });
}

bool allows_learned_episodes(const downstream::TaskSettings& task) {
  return task.kind == downstream::TaskKind::kFewShot && task.few_shot.shots >= 2;
}

bool may_cut_none(const downstream::TaskSettings& task) {
  return task.validation.empty() && task.kind != downstream::TaskKind::kKnown &&
         task.kind != downstream::TaskKind::kFewShot;
}

std::vector<config::Invariance> corners_of(const EncoderEntry& encoder, int64_t n_axes) {
  std::vector<config::Invariance> corners;
  for (const std::string& bits : encoder.corners) corners.push_back(config::from_bits(bits));
  if (!corners.empty()) return corners;
  if (!encoder.pretraining.model.is_conditioned()) return {config::Invariance(static_cast<size_t>(n_axes), 1.0)};
  for (const config::Invariance& corner : config::all_corners(n_axes)) {
    if (std::count(corner.begin(), corner.end(), 1.0) >= encoder.min_ones) corners.push_back(corner);
  }
  return corners;
}

}  // namespace invaria::suite

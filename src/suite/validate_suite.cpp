// What spans the settings of a suite.
#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "suite/suite.hpp"

namespace invaria::suite {
namespace {

constexpr std::array<const char*, 3> kArmPrefixes = {"learned-", "corner-", "grid-"};
constexpr int64_t kMostGridPoints = 10'000;  // an axis more multiplies them

std::vector<std::string> names_of(const auto& entries) {
  std::vector<std::string> names;
  for (const auto& entry : entries) names.push_back(entry.name);
  return names;
}

void check_unique(const std::vector<std::string>& names, const std::string& path, config::Problems& problems) {
  std::set<std::string> seen;
  for (size_t index = 0; index < names.size(); ++index) {
    if (!seen.insert(names[index]).second)
      problems.add(fmt::format("{}[{}].name", path, index), "\"" + names[index] + "\"",
                   "a name that no other entry has");
  }
}

void check_known(const std::string& name, const std::vector<std::string>& known, const std::string& path,
                 const std::string& rule, config::Problems& problems) {
  if (std::find(known.begin(), known.end(), name) == known.end())
    problems.add(path, "\"" + name + "\"", rule, config::name_hint(name, known));
}

/// Encoders without conditioning lend their arms their names: these stand for something else.
bool is_name_of_an_arm(const std::string& name) {
  if (name == "centre" || name == "oracle") return true;
  return std::any_of(kArmPrefixes.begin(), kArmPrefixes.end(),
                     [&](const char* prefix) { return name.starts_with(prefix); });
}

void validate_corners(const EncoderEntry& encoder, size_t n_axes, const std::string& path, config::Problems& problems) {
  std::set<std::string> seen;
  for (size_t corner = 0; corner < encoder.corners.size(); ++corner) {
    const std::string& bits = encoder.corners[corner];
    const std::string where = fmt::format("{}.corners[{}]", path, corner);
    if (bits.size() != n_axes || bits.find_first_not_of("01") != std::string::npos)
      problems.add(where, "\"" + bits + "\"", fmt::format("{} bits, one an axis, each 0 or 1", n_axes));
    if (!seen.insert(bits).second) problems.add(where, "\"" + bits + "\"", "each corner once");
  }
}

/// Each corner of a mixed batch contrasts its own pictures: it needs two or more.
void validate_mixed_corners(const EncoderEntry& encoder, size_t n_axes, const std::string& path,
                            config::Problems& problems) {
  const train::PretrainSettings& pretraining = encoder.pretraining;
  if (pretraining.corners_per_step != train::CornersPerStep::kMixed) return;
  const auto n_corners =
      encoder.corners.empty() ? corners_of(encoder, static_cast<int64_t>(n_axes)).size() : encoder.corners.size();
  if (pretraining.global_batch < 2 * static_cast<int64_t>(n_corners)) {
    problems.add(path + ".pretraining.global_batch", std::to_string(pretraining.global_batch),
                 fmt::format("two samples for each of {} corners", n_corners));
  }
}

bool are_sounds(const Suite& suite) {
  return augment::media_of(suite.axes) == config::Media::kSounds;
}

/// What an encoder and the sounds of a data set must agree on.
void validate_sounds(const train::PretrainSettings& pretraining, const data::DatasetSettings& data,
                     const std::string& path, config::Problems& problems) {
  const augment::MelSettings& mel = pretraining.sound.mel;
  const data::SoundShapeSettings& sound = data.sound;
  const std::string where = fmt::format("{}.pretraining.sound.", path);
  const double half = static_cast<double>(sound.rate) / 2;
  if (mel.highest_Hz > half)
    problems.add(where + "mel.highest_Hz", fmt::to_string(mel.highest_Hz),
                 fmt::format("at most {}, half the rate of {}", half, data.name));
  if (mel.lowest_Hz >= half)
    problems.add(where + "mel.lowest_Hz", fmt::to_string(mel.lowest_Hz),
                 fmt::format("below {}, half the rate of {}", half, data.name));
  const auto check_length = [&](const char* setting, int64_t length, int64_t least) {
    if (sound.n_values() >= least) return;
    problems.add(where + setting, std::to_string(length),
                 fmt::format("one that fits the {} values of a sound of {}", sound.n_values(), data.name));
  };
  check_length("mel.hop", mel.hop, mel.hop);
  if (mel.padding == augment::Padding::kReflect) check_length("mel.n_fft", mel.n_fft, mel.n_fft / 2 + 1);
  const augment::SoundAugmentSettings& strengths = pretraining.sound.augment;
  if (strengths.method == augment::SoundMethod::kWaveform)
    check_length("augment.vocoder_n_fft", strengths.vocoder_n_fft, strengths.vocoder_n_fft / 2 + 1);
}

/// All sounds of a suite have one rate: bands of a spectrogram stand for frequencies.
void validate_rates(const Suite& suite, config::Problems& problems) {
  for (size_t index = 1; index < suite.data.size(); ++index) {
    const int64_t rate = suite.data[index].sound.rate;
    if (rate == suite.data[0].sound.rate) continue;
    problems.add(
        fmt::format("data[{}].sound.rate", index), std::to_string(rate),
        fmt::format("{}, as of {}: encoders see frequencies as bands", suite.data[0].sound.rate, suite.data[0].name));
  }
}

void validate_encoders(const Suite& suite, config::Problems& problems) {
  const std::vector<std::string> data = names_of(suite.data);
  for (size_t index = 0; index < suite.encoders.size(); ++index) {
    const EncoderEntry& encoder = suite.encoders[index];
    const std::string path = fmt::format("encoders[{}]", index);
    check_known(encoder.pretraining.data, data, path + ".pretraining.data", "a data set of the suite", problems);
    const train::MonitorSettings& monitor = encoder.pretraining.monitor;
    if (monitor.every > 0) {
      check_known(monitor.data, data, path + ".pretraining.monitor.data", "a data set of the suite", problems);
      if (is_pretrained_on(suite, monitor.data, monitor.split)) {
        problems.add(path + ".pretraining.monitor.split", "\"" + monitor.split + "\"",
                     "a split that no encoder is pretrained on");
      }
    }
    if (are_sounds(suite)) {
      if (encoder.pretraining.model.is_vit()) {
        problems.add(path + ".pretraining.model.backbone",
                     fmt::format("\"{}\"", config::name_of(encoder.pretraining.model.backbone)),
                     "a ResNet: spectrograms of sounds are not square");
      }
      for (const data::DatasetSettings& entry : suite.data) validate_sounds(encoder.pretraining, entry, path, problems);
    }
    const bool is_conditioned = encoder.pretraining.model.is_conditioned();
    if (is_name_of_an_arm(encoder.name))
      problems.add(path + ".name", "\"" + encoder.name + "\"", "a name that no arm of a conditioned encoder has");
    validate_corners(encoder, suite.axes.size(), path, problems);
    validate_mixed_corners(encoder, suite.axes.size(), path, problems);
    if (!encoder.corner_weights.empty() && encoder.corner_weights.size() != encoder.corners.size()) {
      problems.add(path + ".corner_weights", config::excerpt(config::write(encoder.corner_weights)),
                   fmt::format("one weight for each of the {} corners that corners names", encoder.corners.size()));
    }
    if (!is_conditioned && encoder.corners.size() > 1) {
      problems.add(path + ".corners", config::excerpt(config::write(encoder.corners)),
                   "one corner: without conditioning the encoder cannot tell them apart",
                   "set pretraining.model.conditioning to \"hypernetwork\"");
    }
    if (encoder.corners.empty() && is_conditioned && encoder.min_ones > static_cast<int64_t>(suite.axes.size())) {
      problems.add(path + ".min_ones", std::to_string(encoder.min_ones),
                   fmt::format("at most {}, the number of axes", suite.axes.size()));
    }
  }
}

void validate_tasks(const Suite& suite, config::Problems& problems) {
  const std::vector<std::string> data = names_of(suite.data);
  for (size_t index = 0; index < suite.tasks.size(); ++index) {
    const downstream::TaskSettings& task = suite.tasks[index];
    const std::string path = fmt::format("tasks[{}]", index);
    check_known(task.data, data, path + ".data", "a data set of the suite", problems);
    const bool is_known = task.kind == downstream::TaskKind::kKnown;
    if (is_known && !(are_sounds(suite) && !problems.empty())) {  // sounds that do not fit cannot be rendered
      downstream::validate_known(task.known, suite.axes, reference_encoder(suite).pretraining.views(),
                                 stored_shape(suite, task.data), path + ".known", problems);
    }
    // learned-joint chooses its epoch on a cut of the base classes in few-shot tasks, whatever their episodes choose
    // by.
    const bool cuts =
        task.validation.empty() || (task.kind == downstream::TaskKind::kFewShot && suite.asks_for_joint());
    if (task.validation_fraction == 0.0 && cuts && (suite.downstream.chooses_on_validation() || !may_cut_none(task))) {
      problems.add(path + ".validation_fraction", "0", "more than 0: something is chosen on validation",
                   "downstream.protocol paper chooses nothing");
    }
    const std::string judged = is_known ? task.known.split : task.test;
    if (is_pretrained_on(suite, task.data, judged)) {
      problems.add(path + (is_known ? ".known.split" : ".test"), "\"" + judged + "\"",
                   "a split that no encoder is pretrained on");
    }
  }
}

void validate_arms(const Suite& suite, config::Problems& problems) {
  if (std::set(suite.arms.begin(), suite.arms.end()).size() != suite.arms.size())
    problems.add("arms", config::excerpt(config::write(suite.arms)), "each arm once");
  const bool any_conditioned = std::any_of(suite.encoders.begin(), suite.encoders.end(), [](const EncoderEntry& entry) {
    return entry.pretraining.model.is_conditioned();
  });
  if (any_conditioned && suite.arms.empty() && !suite.tasks.empty())
    problems.add("arms", "[]", "at least one: without an arm a conditioned encoder is judged at no i");
  const double points =
      std::pow(static_cast<double>(suite.downstream.grid_per_axis), static_cast<double>(suite.axes.size()));
  if (suite.asks_for(Arm::kGrid) && points > kMostGridPoints) {
    problems.add("downstream.grid_per_axis", std::to_string(suite.downstream.grid_per_axis),
                 fmt::format("at most {} points of the grid in all, not {:.0f}", kMostGridPoints, points));
  }
}

/// learned-episode needs a task whose episodes it can learn on, and statistics that are no choice of each i.
void validate_few_shot_arms(const Suite& suite, config::Problems& problems) {
  if (suite.asks_for(Arm::kLearnedEpisode) && suite.downstream.bn_statistics == downstream::BnStatistics::kValidated) {
    problems.add("downstream.bn_statistics", "\"validated\"",
                 "running or re-estimated: arm learned-episode has no validation set at the i of an episode");
  }
  if (!suite.asks_for(Arm::kLearnedEpisode) ||
      std::any_of(suite.tasks.begin(), suite.tasks.end(), allows_learned_episodes))
    return;
  problems.add("arms", config::excerpt(config::write(suite.arms)),
               "learned-episode only with a few-shot task of two shots or more, whose support has halves");
}

}  // namespace

void validate_suite(const Suite& suite, config::Problems& problems) {
  augment::validate_axes(suite.axes, "axes", problems);
  check_unique(names_of(suite.data), "data", problems);
  check_unique(names_of(suite.encoders), "encoders", problems);
  check_unique(names_of(suite.tasks), "tasks", problems);
  if (suite.data.empty()) problems.add("data", "[]", "at least one data set");
  if (suite.encoders.empty()) problems.add("encoders", "[]", "at least one encoder");
  if (std::set(suite.encoder_seeds.begin(), suite.encoder_seeds.end()).size() != suite.encoder_seeds.size() ||
      suite.encoder_seeds.empty()) {
    problems.add("encoder_seeds", config::excerpt(config::write(suite.encoder_seeds)), "one or more different seeds");
  }
  validate_arms(suite, problems);
  if (!problems.empty()) return;
  if (are_sounds(suite)) validate_rates(suite, problems);
  validate_encoders(suite, problems);
  validate_tasks(suite, problems);
  validate_few_shot_arms(suite, problems);
  if (!suite.sensitivity.data.empty()) {
    check_known(suite.sensitivity.data, names_of(suite.data), "sensitivity.data", "a data set of the suite", problems);
  }
  if (!suite.measure.data.empty() && are_sounds(suite))
    problems.add("measure.data", fmt::format("\"{}\"", suite.measure.data), "nothing: what is measured are pictures");
  if (!suite.measure.data.empty())
    check_known(suite.measure.data, names_of(suite.data), "measure.data", "a data set of the suite", problems);
}

}  // namespace invaria::suite

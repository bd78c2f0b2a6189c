#include "data/load.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <cstring>
#include <limits>
#include <mutex>
#include <numeric>

#include "core/errors.hpp"
#include "core/sha256.hpp"
#include "data/decode.hpp"
#include "data/listing.hpp"
#include "data/pack.hpp"
#include "data/parallel.hpp"
#include "data/resize.hpp"
#include "data/sample_files.hpp"
#include "data/splits.hpp"
#include "data/synthetic.hpp"
#include "data/targets.hpp"

namespace invaria::data {
namespace {

constexpr size_t kNamesInMessage = 20;
constexpr size_t kReasonBytes = 512;
constexpr size_t kHashDigits = 64;

/// What became of one sample; lies in memory that the node's ranks share.
struct SampleState {
  int32_t is_there = 0;  ///< decoded, or found in a pack; a sound may give fewer parts than there is room for
  int32_t is_corrupt = 0;
  int64_t height = 0;  ///< stored_size()
  int64_t width = 0;
  std::array<char, kHashDigits> content_hash{};  ///< SHA-256 of the sample as it lies in memory; of its file if
                                                 ///< streamed; what a pack says of its own
};

std::string corrupt_message(config::Media media, const std::vector<std::string>& names,
                            const std::vector<std::string>& reasons) {
  const size_t shown = std::min(names.size(), kNamesInMessage);
  std::string text = fmt::format("{} corrupt {}{}: {}", names.size(),
                                 media == config::Media::kSounds ? "sound" : "picture", names.size() == 1 ? "" : "s",
                                 fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (shown < names.size()) text += fmt::format(" and {} more", names.size() - shown);
  for (const std::string& reason : reasons) text += "\n  " + reason;
  return text + "\nmend or remove them, or set on_corrupt to \"leave-out\"";
}

/// "a.wav" of the part "a.wav#2".
std::string file_name(const std::string& sample, bool has_parts) {
  return has_parts ? sample.substr(0, sample.rfind('#')) : sample;
}

/// Files, or samples of one, that decoding counts.
int64_t n_files(const SplitListing& split) {
  return std::count_if(split.samples.begin(), split.samples.end(),
                       [](const Sample& sample) { return sample.part == 0; });
}

/// Counts this rank's samples and passes that on, one call at a time.
class Counter {
 public:
  Counter(const LoadOptions& options, int64_t total) : options_(options), total_(total) {}
  void add() {
    if (!options_.progress) return;
    const std::lock_guard lock(mutex_);
    options_.progress(++done_, total_);
  }

 private:
  const LoadOptions& options_;
  int64_t total_;
  int64_t done_ = 0;
  std::mutex mutex_;
};

/// Decode a whole split and keep nothing: the samples that cannot be decoded, ascending, and why.
std::vector<std::pair<int64_t, std::string>> corrupt_samples(const Manifest& manifest, const DatasetSettings& settings,
                                                             const SplitListing& split, int threads, Counter& counter) {
  std::vector<std::pair<int64_t, std::string>> corrupt;
  if (!split.files && !split.pack) return corrupt;
  if (split.pack && split.pack->is_read_in_place(settings)) {
    for (int64_t i = 0; i < std::ssize(split.samples); ++i) {
      const Sample& sample = split.samples[static_cast<size_t>(i)];
      const std::string reason = split.pack->reason(sample.record);
      if (!reason.empty() && sample.part == 0) corrupt.emplace_back(i, reason);
    }
    return corrupt;
  }
  std::vector<int64_t> all(split.samples.size());
  std::iota(all.begin(), all.end(), 0);
  std::mutex mutex;
  decode_samples(manifest, settings, split, all, threads,
                 {.on_sample =
                      [&](int64_t i, const Decoded&) {
                        if (split.samples[static_cast<size_t>(i)].part == 0) counter.add();
                      },
                  .on_corrupt =
                      [&](int64_t i, const std::string& why) {
                        const std::lock_guard lock(mutex);
                        corrupt.emplace_back(i, why);
                      }});
  std::sort(corrupt.begin(), corrupt.end());
  return corrupt;
}

/// The decoding of one split by this rank and its neighbours.
class SplitLoader {
 public:
  SplitLoader(const Manifest& manifest, const DatasetSettings& settings, const Listing& listing,
              const SplitListing& split, const NodeMemory& node)
      : manifest_(manifest),
        settings_(settings),
        listing_(listing),
        split_(split),
        node_(node),
        n_(std::ssize(split.samples)),
        shape_(stored_shape(manifest.media, settings)),
        has_parts_(most_parts(manifest, settings) > 1),
        lies_in_pack_(split.pack && split.pack->is_read_in_place(settings)),
        bytes_(lies_in_pack_ ? nullptr : node.allocate(static_cast<size_t>(n_ * shape_.bytes()))),
        states_(node.allocate(static_cast<size_t>(n_) * sizeof(SampleState))),
        reasons_(node.allocate(static_cast<size_t>(node.size) * kReasonBytes)) {}

  /// Collective over the node.
  DataSplit load(int threads, Counter& counter, std::vector<std::string>& left_out) {
    together(node_, "decoding a data set", [&] { decode_share(threads, counter); });
    node_.barrier();
    std::vector<std::string> corrupt;
    std::vector<int64_t> whole;
    for (int64_t i = 0; i < n_; ++i) {
      if (state(i).is_corrupt != 0) {
        corrupt.push_back(split_.name + "/" + file_name(sample(i).name, has_parts_));
      } else if (state(i).is_there != 0) {
        whole.push_back(i);
      }
    }
    if (!corrupt.empty() && settings_.on_corrupt == OnCorrupt::kFail) {
      throw_config("{}: {}", manifest_.name, corrupt_message(manifest_.media, corrupt, shared_reasons()));
    }
    if (whole.empty()) throw_config("{}: no sample of {} can be decoded", manifest_.name, split_.name);
    left_out.insert(left_out.end(), corrupt.begin(), corrupt.end());
    return describe(whole);
  }

 private:
  const Sample& sample(int64_t i) const { return split_.samples[static_cast<size_t>(i)]; }
  SampleState& state(int64_t i) const { return reinterpret_cast<SampleState*>(states_.get())[i]; }
  std::span<uint8_t> room(int64_t i) const {
    return {reinterpret_cast<uint8_t*>(bytes_.get()) + i * shape_.bytes(), static_cast<size_t>(shape_.bytes())};
  }

  void decode_share(int threads, Counter& counter) {
    std::vector<int64_t> mine;
    int64_t file = -1;
    for (int64_t i = 0; i < n_; ++i) {
      if (sample(i).part == 0) ++file;  // the parts of a sound are decoded together
      if (file % node_.size == node_.rank) mine.push_back(i);
    }
    if (lies_in_pack_) {
      for (const int64_t i : mine) {
        take_from_pack(i);
        if (sample(i).part == 0) counter.add();
      }
      return;
    }
    if (!split_.files && !split_.pack) {
      parallel_for(std::ssize(mine), threads, [&](int64_t position) {
        const int64_t i = mine[static_cast<size_t>(position)];
        draw_synthetic(manifest_.synthetic, split_.drawn_from, sample(i).record, settings_.size, room(i));
        finish(i, {1, 1});  // its targets are in shares of the picture's side
        counter.add();
      });
      return;
    }
    std::mutex mutex;
    decode_samples(manifest_, settings_, split_, mine, threads,
                   {.on_sample =
                        [&](int64_t i, const Decoded& decoded) {
                          fit_into(decoded, settings_, sample(i).part, room(i));
                          finish(i, stored_size(decoded));
                          if (sample(i).part == 0) counter.add();
                        },
                    .on_corrupt =
                        [&](int64_t i, const std::string& reason) {
                          const std::lock_guard lock(mutex);
                          refuse(i, reason);
                        }});
  }

  /// Sample i lies in memory, from a file of this size.
  void finish(int64_t i, std::pair<int64_t, int64_t> size) {
    set_state(i, size, Sha256().update(std::as_bytes(room(i))).hex());
  }

  void take_from_pack(int64_t i) {
    const std::string reason = split_.pack->reason(sample(i).record);
    if (!reason.empty()) {
      if (sample(i).part == 0) refuse(i, reason);
      return;
    }
    const std::pair<int64_t, int64_t> stored_size = split_.pack->stored_size(sample(i).record);
    if (stored_size.first < 1 || stored_size.second < 1) {
      throw_config("{}: the pack does not know the sample's size, as streaming needs it; pack the data set again",
                   describe_sample(split_, i));
    }
    if (sample(i).part < n_parts(manifest_.media, stored_size, settings_))
      set_state(i, stored_size, split_.pack->hash(sample(i).record));
  }

  void set_state(int64_t i, std::pair<int64_t, int64_t> stored_size, const std::string& hash) {
    state(i) = {1, 0, stored_size.first, stored_size.second, {}};
    std::copy_n(hash.begin(), kHashDigits, state(i).content_hash.begin());
  }

  /// Sample i is corrupt; of this rank's reasons the first sample's is kept.
  void refuse(int64_t i, const std::string& reason) {
    state(i).is_corrupt = 1;
    if (i >= first_corrupt_) return;
    first_corrupt_ = i;
    char* slot = reinterpret_cast<char*>(reasons_.get()) + static_cast<size_t>(node_.rank) * kReasonBytes;
    std::memset(slot, 0, kReasonBytes);
    std::memcpy(slot, reason.data(), std::min(reason.size(), kReasonBytes - 1));
  }

  /// Each rank's first reason, the same on all ranks.
  std::vector<std::string> shared_reasons() const {
    std::vector<std::string> reasons;
    for (int rank = 0; rank < node_.size; ++rank) {
      const char* slot = reinterpret_cast<const char*>(reasons_.get()) + static_cast<size_t>(rank) * kReasonBytes;
      if (*slot != '\0') reasons.emplace_back(slot);
    }
    return reasons;
  }

  DataSplit describe(const std::vector<int64_t>& whole) const {
    DataSplit out;
    out.n = std::ssize(whole);
    out.shape = shape_;
    out.source =
        lies_in_pack_ ? samples_in_pack(split_.pack, manifest_, settings_) : samples_in_memory(bytes_, shape_.bytes());
    std::vector<std::string> content_hashes;
    int64_t next_sound = 0;
    for (const int64_t i : whole) {
      out.places.push_back(lies_in_pack_ ? sample(i).record * most_parts(manifest_, settings_) + sample(i).part : i);
      if (has_parts_) out.sounds.push_back(sample(i).part == 0 ? next_sound++ : next_sound - 1);
      out.names.push_back(sample(i).name);
      content_hashes.emplace_back(state(i).content_hash.data(), kHashDigits);
      if (!listing_.classes.empty()) out.labels.push_back(sample(i).label);
      if (listing_.targets.empty()) continue;
      const Framing frame = framing(state(i).height, state(i).width, settings_.size, settings_.resize);
      std::vector<double> targets = sample(i).targets;
      move_targets(listing_.targets, frame.map(), targets);
      out.targets.push_back(std::move(targets));
    }
    out.hash = split_hash(out.names, out.labels, out.targets, content_hashes);
    return out;
  }

  const Manifest& manifest_;
  const DatasetSettings& settings_;
  const Listing& listing_;
  const SplitListing& split_;
  const NodeMemory& node_;
  int64_t n_;
  config::StoredShape shape_;
  bool has_parts_;     ///< sounds may give several samples
  bool lies_in_pack_;  ///< nothing is decoded here
  int64_t first_corrupt_ = std::numeric_limits<int64_t>::max();
  std::shared_ptr<std::byte> bytes_;    ///< [n, shape.bytes()], unless they lie in a pack
  std::shared_ptr<std::byte> states_;   ///< [n] SampleState
  std::shared_ptr<std::byte> reasons_;  ///< [node ranks][kReasonBytes], zero-terminated
};

}  // namespace

int64_t DatasetSummary::count(const std::string& split) const {
  const auto found = std::find_if(splits.begin(), splits.end(), [&](const auto& s) { return s.first == split; });
  return found == splits.end() ? 0 : found->second;
}

DatasetSummary summary_of(const Dataset& dataset) {
  DatasetSummary summary{{}, std::ssize(dataset.classes), std::ssize(dataset.target_columns)};
  summary.classes = dataset.classes;
  summary.target_names = dataset.target_names;
  summary.class_splits = dataset.class_splits;
  if (!dataset.splits.empty()) summary.shape = dataset.splits.begin()->second.shape;
  for (const auto& [name, split] : dataset.splits) {
    summary.splits.emplace_back(name, split.n);
    std::vector<int64_t>& counts = summary.class_counts[name];
    counts.resize(dataset.classes.size());
    for (size_t sample = 0; sample < split.labels.size(); ++sample) {
      const bool is_later_part =
          !split.sounds.empty() && sample > 0 && split.sounds[sample] == split.sounds[sample - 1];
      if (!is_later_part) ++counts[static_cast<size_t>(split.labels[sample])];
    }
  }
  return summary;
}

namespace {

DatasetSummary summary_of(const Listing& listing, const Manifest& manifest, const DatasetSettings& settings) {
  DatasetSummary summary{{}, std::ssize(listing.classes), std::ssize(listing.targets)};
  summary.classes = listing.classes;
  for (const TargetColumn& target : listing.targets) summary.target_names.push_back(target.name);
  summary.class_splits = listing.class_splits;
  for (const SplitListing& split : listing.splits) {
    summary.splits.emplace_back(split.name, std::ssize(split.samples));
    std::vector<int64_t>& counts = summary.class_counts[split.name];
    counts.resize(listing.classes.size());
    for (const Sample& sample : split.samples) {
      if (sample.label >= 0 && sample.part == 0) ++counts[static_cast<size_t>(sample.label)];
    }
  }
  summary.parts = most_parts(manifest, settings);
  summary.shape = stored_shape(manifest.media, settings);
  summary.decoded_bytes = decoded_bytes(listing, manifest, settings);
  return summary;
}

}  // namespace

std::optional<DatasetSummary> check_dataset(const Manifest& manifest, const DatasetSettings& settings,
                                            const LoadOptions& options, CheckDepth depth, const std::string& where,
                                            config::Problems& problems) {
  const size_t problems_before = problems.list().size();
  if (settings.stream && !has_sample_files(manifest.kind)) {
    problems.add(config::join_path(where, "stream"), "true",
                 fmt::format("false: the samples of {} are no files; packed with --pixels they are read as needed",
                             manifest.name));
    return std::nullopt;
  }
  if (depth == CheckDepth::kPromise) {
    const Listing promised = list_promised(manifest, settings, where, problems);
    if (problems.list().size() != problems_before) return std::nullopt;
    return summary_of(promised, manifest, settings);
  }
  const Listing listing =
      list_dataset(manifest, settings, options.data_folders, options.threads, where, problems, options.packs);
  check_memory(listing, manifest, settings, where, problems);
  if (problems.list().size() != problems_before) return std::nullopt;
  DatasetSummary summary = summary_of(listing, manifest, settings);
  if (depth == CheckDepth::kListing) return summary;
  int64_t total = 0;
  for (const SplitListing& split : listing.splits) total += n_files(split);
  Counter counter(options, total);
  std::vector<std::string> names;
  std::string reason;
  for (size_t s = 0; s < listing.splits.size(); ++s) {
    const auto corrupt = corrupt_samples(manifest, settings, listing.splits[s], options.threads, counter);
    for (const auto& [i, why] : corrupt) {
      const Sample& sample = listing.splits[s].samples[static_cast<size_t>(i)];
      names.push_back(listing.splits[s].name + "/" + file_name(sample.name, summary.parts > 1));
      if (sample.label >= 0) --summary.class_counts[listing.splits[s].name][static_cast<size_t>(sample.label)];
      if (reason.empty()) reason = why;
    }
    summary.splits[s].second -= std::ssize(corrupt) * summary.parts;
  }
  if (names.empty() || settings.on_corrupt == OnCorrupt::kLeaveOut) return summary;
  problems.add(where, corrupt_message(manifest.media, names, {reason}), "files that can be decoded");
  return std::nullopt;
}

Dataset load_dataset(const Manifest& manifest, const DatasetSettings& settings, const LoadOptions& options,
                     const NodeMemory& node) {
  Listing listing;
  together(node, "listing a data set", [&] {
    config::Problems problems;
    listing = list_dataset(manifest, settings, options.data_folders, options.threads, "", problems, options.packs);
    check_memory(listing, manifest, settings, "", problems);
    problems.throw_if_any("data set " + manifest.name);
  });
  Dataset dataset;
  dataset.name = manifest.name;
  dataset.classes = listing.classes;
  dataset.target_columns = listing.targets;
  for (const TargetColumn& target : listing.targets) dataset.target_names.push_back(target.name);
  dataset.class_splits = listing.class_splits;
  dataset.record.name = manifest.name;
  dataset.record.manifest = boost::json::serialize(config::write(manifest));
  dataset.record.settings = boost::json::serialize(config::write(settings.identity()));
  dataset.record.checksum = listing.checksum;
  int64_t total = 0;
  for (const SplitListing& split : listing.splits) total += (n_files(split) - node.rank + node.size - 1) / node.size;
  Counter counter(options, total);
  for (const SplitListing& split : listing.splits) {
    SplitLoader loader(manifest, settings, listing, split, node);
    DataSplit loaded = loader.load(options.threads, counter, dataset.record.files_left_out);
    dataset.record.split_hashes[split.name] = loaded.hash;
    dataset.splits.emplace(split.name, std::move(loaded));
  }
  return dataset;
}

}  // namespace invaria::data

#include "data/pack.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <mutex>
#include <numeric>
#include <tuple>

#include "core/errors.hpp"
#include "core/sha256.hpp"
#include "data/decode.hpp"
#include "data/parallel.hpp"
#include "data/sample_files.hpp"
#include "data/synthetic.hpp"
#include "io/hdf5.hpp"

namespace invaria::data {
namespace {

// Columns of the index beside io::kPack...; targets are numbered, their names are in the header.
constexpr const char* kName = "name";
constexpr const char* kLabel = "label";
constexpr const char* kHeight = "height";  ///< of the picture that was packed
constexpr const char* kWidth = "width";
constexpr const char* kReason = "reason";  ///< why the picture could not be decoded; "" if it could

std::string target_name(size_t t) {
  return fmt::format("target_{}", t);
}

/// What a manifest says of the samples, its words for people left out.
std::string manifest_digest(const Manifest& manifest) {
  config::json::object all = config::write(manifest).as_object();
  for (const char* key : {"found_as", "licence", "citation", "how_to_get"}) all.erase(key);
  // What older packs do not know of, where it says nothing.
  if (manifest.media == config::Media::kPictures) all.erase("media");
  for (config::json::value& split : all.at("splits").as_array()) {
    if (!split.at("rest").as_bool()) split.as_object().erase("rest");
  }
  return sha256_hex(boost::json::serialize(all));
}

std::string file_name(const std::string& split, PackContents contents, const DatasetSettings& settings) {
  if (contents == PackContents::kFiles) return split + ".files";
  return fmt::format("{}.{}-{}", split, settings.size, config::name_of(settings.resize));
}

PackHeader header_of(const Manifest& manifest, const DatasetSettings& settings, const Listing& listing,
                     const SplitListing& split, PackContents contents, int threads) {
  PackHeader header{.dataset = manifest.name, .split = split.name, .contents = contents};
  if (contents == PackContents::kPixels) {
    header.size = settings.size;
    header.resize = settings.resize;
  }
  header.manifest = manifest_digest(manifest);
  header.checksum = split.checksum;
  if (split.files) header.content_checksum = content_checksum(*split.files, split.checked_files, threads);
  header.classes = listing.classes;
  header.targets = listing.targets;
  return header;
}

/// The index of a split while its records are written.
class PackIndex {
 public:
  explicit PackIndex(size_t n) : offsets(n), lengths(n), hashes(n), heights(n), widths(n), reasons(n) {}

  std::vector<int64_t> offsets;
  std::vector<int64_t> lengths;
  std::vector<std::string> hashes;
  std::vector<int64_t> heights;
  std::vector<int64_t> widths;
  std::vector<std::string> reasons;

  io::Table table(const SplitListing& split, const Listing& listing) const {
    std::vector<std::string> names;
    std::vector<int64_t> labels;
    for (const Sample& sample : split.samples) {
      names.push_back(sample.name);
      labels.push_back(sample.label);
    }
    io::Table table({{io::kPackOffset, offsets, "byte", ""},
                     {io::kPackBytes, lengths, "byte", ""},
                     {io::kPackHash, hashes, "", ""},
                     {kName, names, "", ""},
                     {kLabel, labels, "", ""},
                     {kHeight, heights, "", "of a picture in pixels; of a sound its rate"},
                     {kWidth, widths, "", "of a picture in pixels; of a sound its values"},
                     {kReason, reasons, "", ""}});
    for (size_t t = 0; t < listing.targets.size(); ++t) {
      std::vector<double> values;
      for (const Sample& sample : split.samples) values.push_back(sample.targets[t]);
      table.add_column({target_name(t), std::move(values), "", listing.targets[t].column});
    }
    return table;
  }
};

std::vector<int64_t> all_of(const SplitListing& split) {
  std::vector<int64_t> all(split.samples.size());
  std::iota(all.begin(), all.end(), 0);
  return all;
}

/// One record that is ready, from any thread.
using Put = std::function<void(int64_t sample, std::string_view bytes)>;

/// The files as they are; each is decoded once, for its size and to know the corrupt ones when they are streamed.
void write_files(config::Media media, const SplitListing& split, int threads, PackIndex& index, const Put& put) {
  int64_t offset = 0;
  for (size_t i = 0; i < split.samples.size(); ++i) {
    index.offsets[i] = offset;
    index.lengths[i] = split.files->files()[static_cast<size_t>(split.samples[i].file)].bytes;
    offset += index.lengths[i];
  }
  read_samples(split, all_of(split), threads, [&](const std::vector<int64_t>& samples, std::string_view bytes) {
    const int64_t sample = samples.front();  // each is a file
    const auto at = static_cast<size_t>(sample);
    if (std::ssize(bytes) != index.lengths[at]) {
      throw_environment("{}: {} bytes, but {} when it was listed: it changed meanwhile", describe_sample(split, sample),
                        bytes.size(), index.lengths[at]);
    }
    try {
      std::tie(index.heights[at], index.widths[at]) =
          stored_size(decode_file(media, bytes, describe_sample(split, sample)));
    } catch (const ConfigError& error) {
      index.reasons[at] = error.what();
    }
    put(sample, bytes);
  });
}

void write_pixels(const Manifest& manifest, const DatasetSettings& settings, const SplitListing& split, int threads,
                  PackIndex& index, const Put& put) {
  const int64_t picture_bytes = settings.size * settings.size * 3;
  for (size_t i = 0; i < split.samples.size(); ++i) {
    index.offsets[i] = static_cast<int64_t>(i) * picture_bytes;
    index.lengths[i] = picture_bytes;
  }
  const auto put_pixels = [&](int64_t sample, const std::vector<uint8_t>& pixels) {
    put(sample, {reinterpret_cast<const char*>(pixels.data()), pixels.size()});
  };
  const auto room = [&] { return std::vector<uint8_t>(static_cast<size_t>(picture_bytes)); };
  if (!split.files) {
    parallel_for(std::ssize(split.samples), threads, [&](int64_t sample) {
      std::vector<uint8_t> pixels = room();
      const Sample& made = split.samples[static_cast<size_t>(sample)];
      draw_synthetic(manifest.synthetic, split.drawn_from, made.record, settings.size, pixels);
      index.heights[static_cast<size_t>(sample)] = index.widths[static_cast<size_t>(sample)] = 1;
      put_pixels(sample, pixels);
    });
    return;
  }
  decode_samples(manifest, settings, split, all_of(split), threads,
                 {.on_sample =
                      [&](int64_t sample, const Decoded& decoded) {
                        std::vector<uint8_t> pixels = room();
                        fit_into(decoded, settings, 0, pixels);
                        const auto at = static_cast<size_t>(sample);
                        std::tie(index.heights[at], index.widths[at]) = stored_size(decoded);
                        put_pixels(sample, pixels);
                      },
                  .on_corrupt =
                      [&](int64_t sample, const std::string& reason) {
                        index.reasons[static_cast<size_t>(sample)] = reason;
                        put_pixels(sample, room());
                      }});
}

void check_manifest(const Manifest& manifest, const Pack& pack) {
  if (pack.header.manifest != manifest_digest(manifest)) {
    throw_config("{}: packed with another manifest of {}; pack it again, or remove it", pack.file.path().string(),
                 manifest.name);
  }
}

std::vector<fs::path> folders_of_packs(const Manifest& manifest, const std::vector<fs::path>& data_folders) {
  std::vector<fs::path> folders;
  for (const fs::path& folder : data_folders) folders.push_back(folder / (manifest.name + ".pack"));
  if (!manifest.source.empty()) folders.push_back(manifest.source.parent_path() / (manifest.name + ".pack"));
  return folders;
}

class StreamedSamples : public SampleSource {
 public:
  StreamedSamples(std::shared_ptr<const Pack> pack, const Manifest& manifest, const DatasetSettings& settings)
      : pack_(std::move(pack)),
        media_(manifest.media),
        settings_(settings),
        sample_bytes_(stored_shape(manifest.media, settings).bytes()),
        most_parts_(most_parts(manifest, settings)) {}

  SampleBytes sample(int64_t place) const override {
    const int64_t record = place / most_parts_;
    const std::string_view bytes = pack_->file.record(record);
    if (sha256_hex(bytes) != pack_->hash(record)) {
      throw_config("{}: has changed since it was packed; pack the data set again", pack_->describe(record));
    }
    // The memory of a new array suits floats, too.
    const std::shared_ptr<uint8_t[]> room(new uint8_t[static_cast<size_t>(sample_bytes_)]);
    fit_into(decode_file(media_, bytes, pack_->describe(record)), settings_, place % most_parts_,
             {room.get(), static_cast<size_t>(sample_bytes_)});
    return {room, room.get()};
  }
  bool decodes() const override { return true; }

 private:
  std::shared_ptr<const Pack> pack_;
  config::Media media_;
  DatasetSettings settings_;
  int64_t sample_bytes_;
  int64_t most_parts_;
};

/// All splits' packs of one sort in one folder, or nothing if some are missing.
std::vector<std::shared_ptr<const Pack>> open_packs(const Manifest& manifest, const DatasetSettings& settings,
                                                    PackContents contents, const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const SplitManifest& split : manifest.splits) {
    paths.push_back(folder / file_name(split.name, contents, settings));
    std::error_code error;
    if (!fs::is_regular_file(paths.back(), error)) return {};
  }
  std::vector<std::shared_ptr<const Pack>> packs;
  for (const fs::path& path : paths) {
    packs.push_back(std::make_shared<Pack>(path));
    check_manifest(manifest, *packs.back());
  }
  return packs;
}

}  // namespace

Pack::Pack(const fs::path& path) : file(path) {
  config::Problems problems;
  header = config::parse<PackHeader>(config::parse_text(file.header(), path.string()), "", problems);
  problems.throw_if_any(path.string());
  const io::Table& index = file.index();
  std::vector<std::string> columns{kName, kLabel, kHeight, kWidth, kReason};
  for (size_t t = 0; t < header.targets.size(); ++t) columns.push_back(target_name(t));
  for (const std::string& column : columns) {
    if (!index.contains(column)) {
      throw_config("{}: its index has no column {}; pack the data set again", path.string(), column);
    }
  }
  // Pixels are mapped as they lie, labels count classes.
  const int64_t picture_bytes = header.size * header.size * 3;
  const std::vector<int64_t>& offsets = index.integers(io::kPackOffset);
  const std::vector<int64_t>& lengths = index.integers(io::kPackBytes);
  const std::vector<int64_t>& labels = index.integers(kLabel);
  for (size_t i = 0; i < labels.size(); ++i) {
    const bool fits = header.contents == PackContents::kFiles ||
                      (offsets[i] == static_cast<int64_t>(i) * picture_bytes && lengths[i] == picture_bytes);
    if (fits && labels[i] >= -1 && labels[i] < std::ssize(header.classes)) continue;
    throw_config(
        "{}: record {} has label {} of {} classes, {} bytes at {}: not as packs are written; pack the data set again",
        path.string(), i, labels[i], header.classes.size(), lengths[i], offsets[i]);
  }
}

bool Pack::has_pixels(const DatasetSettings& settings) const {
  return header.contents == PackContents::kPixels && header.size == settings.size && header.resize == settings.resize;
}

std::string Pack::describe(int64_t record) const {
  return fmt::format("{}:{}", file.path().string(), file.index().texts(kName)[static_cast<size_t>(record)]);
}

std::string Pack::reason(int64_t record) const {
  return file.index().texts(kReason)[static_cast<size_t>(record)];
}

std::pair<int64_t, int64_t> Pack::stored_size(int64_t record) const {
  const auto at = static_cast<size_t>(record);
  return {file.index().integers(kHeight)[at], file.index().integers(kWidth)[at]};
}

const std::string& Pack::hash(int64_t record) const {
  return file.index().texts(io::kPackHash)[static_cast<size_t>(record)];
}

std::vector<std::shared_ptr<const Pack>> find_packs(const Manifest& manifest, const DatasetSettings& settings,
                                                    const std::vector<fs::path>& data_folders) {
  for (const fs::path& folder : folders_of_packs(manifest, data_folders)) {
    for (const PackContents contents : {PackContents::kPixels, PackContents::kFiles}) {
      if (settings.stream && contents == PackContents::kPixels) continue;
      auto packs = open_packs(manifest, settings, contents, folder);
      if (!packs.empty()) return packs;
    }
  }
  return {};
}

SplitListing list_pack(std::shared_ptr<const Pack> pack, Listing& listing) {
  const io::Table& index = pack->file.index();
  SplitListing split;
  split.name = split.drawn_from = pack->header.split;
  split.checksum = pack->header.checksum;
  const std::vector<std::string>& names = index.texts(kName);
  const std::vector<int64_t>& labels = index.integers(kLabel);
  for (size_t i = 0; i < names.size(); ++i) {
    split.samples.push_back({.name = names[i],
                             .class_name = {},
                             .file = static_cast<int64_t>(i),
                             .record = static_cast<int64_t>(i),
                             .label = labels[i],
                             .targets = {}});
  }
  for (size_t t = 0; t < pack->header.targets.size(); ++t) {
    const std::vector<double>& values = index.doubles(target_name(t));
    for (size_t i = 0; i < values.size(); ++i) split.samples[i].targets.push_back(values[i]);
  }
  listing.classes = pack->header.classes;
  listing.targets = pack->header.targets;
  split.pack = std::move(pack);
  return split;
}

std::shared_ptr<const SampleSource> samples_in_pack(std::shared_ptr<const Pack> pack, const Manifest& manifest,
                                                    const DatasetSettings& settings) {
  if (pack->header.contents == PackContents::kFiles)
    return std::make_shared<StreamedSamples>(std::move(pack), manifest, settings);
  return samples_in_memory(pack->file.records(), settings.size * settings.size * 3);
}

std::vector<fs::path> write_packs(const Manifest& manifest, const DatasetSettings& settings, const Listing& listing,
                                  PackContents contents, const fs::path& folder, int threads,
                                  const std::function<void(int64_t done, int64_t total)>& progress) {
  if (contents == PackContents::kFiles && !has_sample_files(manifest.kind)) {
    throw_config("{}: its samples are no files, expected it to be packed as pixels", manifest.name);
  }
  if (contents == PackContents::kPixels && manifest.media == config::Media::kSounds) {
    throw_config("{}: its samples are sounds, expected it to be packed as files", manifest.name);
  }
  const fs::path into = folder / (manifest.name + ".pack");
  io::make_directories(into);
  std::mutex mutex;
  int64_t done = 0;
  int64_t total = 0;
  for (const SplitListing& split : listing.splits) total += std::ssize(split.samples);
  std::vector<fs::path> written;
  for (const SplitListing& split : listing.splits) {
    const fs::path path = into / file_name(split.name, contents, settings);
    const PackHeader header = header_of(manifest, settings, listing, split, contents, threads);
    for (const Sample& sample : split.samples) {
      if (io::valid_utf8(sample.name) != sample.name) {
        throw_config("{}: a name that is not UTF-8 cannot be packed",
                     describe_sample(split, &sample - &split.samples[0]));
      }
    }
    io::remove_abandoned_temporaries(into,
                                     path.filename().string());  // of a packing that was killed: as large as this one
    io::PackWriter writer(path, boost::json::serialize(config::write(header)));
    PackIndex index(split.samples.size());
    const Put put = [&](int64_t sample, std::string_view bytes) {
      const auto at = static_cast<size_t>(sample);
      index.hashes[at] = sha256_hex(bytes);
      writer.write_record(index.offsets[at], bytes);
      if (!progress) return;
      const std::lock_guard lock(mutex);
      progress(++done, total);
    };
    if (contents == PackContents::kFiles) {
      write_files(manifest.media, split, threads, index, put);
    } else {
      write_pixels(manifest, settings, split, threads, index, put);
    }
    writer.finish(index.table(split, listing));
    written.push_back(path);
  }
  return written;
}

std::vector<fs::path> pack_files(const Manifest& manifest, const std::vector<fs::path>& data_folders) {
  std::vector<fs::path> files;
  for (const fs::path& folder : folders_of_packs(manifest, data_folders)) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (!io::is_temporary(entry.path())) files.push_back(entry.path());
    }
  }
  // The manifest's own folder may be a --data folder.
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

PackHeader verify_pack(const Manifest& manifest, const fs::path& path, int threads) {
  const Pack pack(path);
  check_manifest(manifest, pack);
  const std::vector<int64_t> changed = pack.file.changed_records(threads);
  if (!changed.empty()) {
    throw_config("{}: {} records have changed since they were written, the first {}; pack it again", path.string(),
                 changed.size(), pack.describe(changed.front()));
  }
  return pack.header;
}

}  // namespace invaria::data

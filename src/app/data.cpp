#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>

#include "app/app.hpp"
#include "core/progress.hpp"
#include "core/timer.hpp"
#include "data/load.hpp"
#include "data/pack.hpp"

namespace invaria::app {
namespace {

using data::Manifest;

/// @throws ConfigError if there is no such data set, or its manifest is broken
Manifest need_manifest(const DataOptions& options) {
  config::Problems problems;
  auto manifest = data::find_manifest(options.name, data::manifest_folders({}, options.folders), "NAME", problems);
  problems.throw_if_any("data");
  return *manifest;
}

std::string splits_of(const Manifest& manifest) {
  std::vector<std::string> splits;
  for (const data::SplitManifest& split : manifest.splits) {
    splits.push_back(split.count ? fmt::format("{} {}", *split.count, split.name) : split.name);
  }
  return fmt::format("{}", fmt::join(splits, ", "));
}

/// Where a data set is, itself and packed; "" if nowhere.
std::string place_of(const Manifest& manifest, const std::vector<std::filesystem::path>& folders) {
  std::vector<std::string> places;
  if (manifest.kind == data::DatasetKind::kSynthetic) places.emplace_back("made by formula");
  if (const auto location = data::locate(manifest, folders)) places.push_back(location->path.string());
  std::vector<std::string> packs;
  for (const auto& path : data::pack_files(manifest, folders)) packs.push_back(path.filename().string());
  if (!packs.empty()) places.push_back(fmt::format("packed: {}", fmt::join(packs, ", ")));
  return fmt::format("{}", fmt::join(places, "; "));
}

/// Whether every split says what its files hold.
bool knows_contents(const Manifest& manifest) {
  return std::all_of(manifest.splits.begin(), manifest.splits.end(),
                     [](const data::SplitManifest& split) { return !split.content_checksum.empty(); });
}

/// Tells how far the work is, on the terminal.
std::function<void(int64_t done, int64_t total)> told(const std::string& what) {
  return [what, progress = std::shared_ptr<Progress>()](int64_t done, int64_t total) mutable {
    if (!progress) progress = std::make_shared<Progress>(what, total, "samples");
    progress->update(done);
  };
}

}  // namespace

ExitCode data_list_command(const DataOptions& options) {
  const auto folders = data::manifest_folders({}, options.folders);
  std::vector<std::pair<std::string, std::string>> absent;
  std::vector<std::array<std::string, 5>> rows{{"name", "kind", "classes", "splits", "found in"}};
  for (const std::string& name : data::known_datasets(folders)) {
    config::Problems problems;
    const auto manifest = data::find_manifest(name, folders, name, problems);
    if (!manifest) {
      rows.push_back({name, "-", "-", "-", "its manifest is broken: " + problems.list().front().hint});
      continue;
    }
    const std::string place = place_of(*manifest, options.folders);
    if (place.empty()) absent.emplace_back(name, manifest->how_to_get);
    rows.push_back({name, config::name_of(manifest->kind),
                    manifest->classes > 0 ? fmt::to_string(manifest->classes) : "-", splits_of(*manifest),
                    place.empty() ? "-" : place});
  }
  std::array<size_t, 4> widths{};
  for (const auto& row : rows) {
    for (size_t c = 0; c < widths.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  for (const auto& row : rows) {
    fmt::print("{:{}}  {:{}}  {:>{}}  {:{}}  {}\n", row[0], widths[0], row[1], widths[1], row[2], widths[2], row[3],
               widths[3], row[4]);
  }
  if (!absent.empty())
    fmt::print("\nNot found ({}). How to get them:\n",
               options.folders.empty() ? "no --data folders" : "in the --data folders");
  for (const auto& [name, text] : absent) fmt::print("  {}: {}\n", name, text);
  return ExitCode::kOk;
}

ExitCode data_verify_command(const DataOptions& options) {
  const Manifest manifest = need_manifest(options);
  const auto packs = data::pack_files(manifest, options.folders);
  const bool is_here =
      manifest.kind == data::DatasetKind::kSynthetic || data::locate(manifest, options.folders).has_value();
  const int threads = at::get_num_threads();
  config::Problems problems;
  if (is_here || packs.empty()) {
    data::DatasetSettings settings;
    settings.name = manifest.name;
    settings.size = 4;  // what is kept of a sample does not matter here
    settings.sound = {.rate = 1000, .seconds = 0.05};
    settings.check_contents = knows_contents(manifest);
    const auto found = data::check_dataset(
        manifest, settings, {options.folders, threads, told("verify " + manifest.name), data::PreferPacks::kNo},
        data::CheckDepth::kContents, manifest.name, problems);
    if (found) {
      fmt::print("{}: every file decodes; {}\n", place_of(manifest, options.folders),
                 settings.check_contents
                     ? "counts, names, sizes and contents are the manifest's"
                     : "counts (and names and sizes, where the manifest has a checksum) are its own");
      for (const auto& [split, count] : found->splits) fmt::print("  {} {}\n", count, split);
    }
  }
  for (const auto& path : packs) {
    try {
      data::verify_pack(manifest, path, threads);
      fmt::print("{}: every record is as it was written\n", path.string());
    } catch (const ConfigError& error) {
      problems.add(path.string(), error.what(), "a sound pack");
    }
  }
  if (problems.empty()) {
    fmt::print("VALID\n");
    return ExitCode::kOk;
  }
  fmt::print("{}INVALID: {}\n", problems.to_string(), manifest.name);
  return ExitCode::kSomeFailed;
}

ExitCode data_pack_command(const DataOptions& options) {
  const Manifest manifest = need_manifest(options);
  std::filesystem::path output = options.output;
  if (output.empty()) {
    if (options.folders.empty()) throw_config("found neither --output nor --data, expected a folder for the packs");
    output = options.folders.front();
  }
  const bool as_pixels = options.pixels > 0;
  data::DatasetSettings settings;
  settings.name = manifest.name;
  if (as_pixels) settings.size = options.pixels;
  for (const auto& [mode, name] : config::EnumNames<data::ResizeMode>::kNames) {
    if (options.resize == name) settings.resize = mode;
  }
  const int threads = at::get_num_threads();
  config::Problems problems;
  const data::Listing listing =
      data::list_dataset(manifest, settings, options.folders, threads, manifest.name, problems, data::PreferPacks::kNo);
  problems.throw_if_any("data set " + manifest.name);
  const Timer timer;
  const auto written = data::write_packs(manifest, settings, listing,
                                         as_pixels ? data::PackContents::kPixels : data::PackContents::kFiles, output,
                                         threads, told("pack " + manifest.name));
  for (const auto& path : written) {
    fmt::print("{}: {:.1f} MiB\n", path.string(), static_cast<double>(std::filesystem::file_size(path)) / (1 << 20));
  }
  fmt::print("packed in {:.1f} s\n", timer.seconds());
  return ExitCode::kOk;
}

}  // namespace invaria::app

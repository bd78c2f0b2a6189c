#include "data/manifest.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>
#include <set>

#include "core/errors.hpp"
#include "io/files.hpp"

namespace invaria::data {
namespace {

/// The JSON of a manifest file, or nothing if it is JSON of another sort (a suite, say).
std::optional<config::json::value> manifest_json(const fs::path& path) {
  config::json::value value = config::parse_text(io::read_file(path), path.string());
  const config::json::object* object = value.if_object();
  if (object == nullptr || !object->contains("kind") || !object->contains("splits")) return std::nullopt;
  return value;
}

fs::path program_folder() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path() : program.parent_path();
}

}  // namespace

void Manifest::validate(const std::string& path, config::Problems& problems) const {
  const auto add = [&](const std::string& key, std::string found, std::string rule) {
    problems.add(config::join_path(path, key), std::move(found), std::move(rule));
  };
  const bool is_cifar = kind == DatasetKind::kCifar10 || kind == DatasetKind::kCifar100;
  std::set<std::string> names;
  if (splits.empty()) add("splits", "[]", "at least one split");
  for (size_t i = 0; i < splits.size(); ++i) {
    const SplitManifest& split = splits[i];
    const std::string at = fmt::format("splits[{}]", i);
    if (!names.insert(split.name).second) add(at + ".name", split.name, "a name that no other split has");
    if (split.name != "train" && split.name != "validation" && split.name != "test") {
      add(at + ".name", split.name, "train, validation or test");
    }
    if (is_cifar && split.files.empty()) add(at + ".files", "[]", "the batch files of the split");
    if (!is_cifar && !split.files.empty()) add(at + ".files", "files", "none: only CIFAR's splits list files");
    if (!split.labels.empty() && (kind != DatasetKind::kImageFolder || classes == 0)) {
      add(at + ".labels", split.labels, "none: only an image-folder with classes has them");
    }
    if (kind == DatasetKind::kSynthetic && !split.count) add(at + ".count", "", "how many pictures to draw");
  }
  if (is_cifar) {
    const int64_t expected = kind == DatasetKind::kCifar10 ? 10 : 100;
    if (classes != expected) add("classes", fmt::to_string(classes), fmt::format("{}", expected));
    if (static_cast<int64_t>(class_names.size()) != classes) {
      add("class_names", fmt::format("{} names", class_names.size()), fmt::format("{} names", classes));
    }
  } else if (!class_names.empty()) {
    add("class_names", fmt::format("{} names", class_names.size()), "none: this kind's files name the classes");
  }
  if (kind == DatasetKind::kSynthetic && classes != synthetic.shapes * synthetic.colours) {
    add("classes", fmt::to_string(classes), fmt::format("shapes x colours = {}", synthetic.shapes * synthetic.colours));
  }
  if (kind != DatasetKind::kImageCsv && !targets.empty()) add("targets", "targets", "none: only image-csv has them");
}

const SplitManifest* Manifest::find_split(const std::string& split) const {
  const auto found = std::find_if(splits.begin(), splits.end(), [&](const auto& s) { return s.name == split; });
  return found == splits.end() ? nullptr : &*found;
}

std::vector<std::string> Manifest::folder_names() const {
  return found_as.empty() ? std::vector<std::string>{name} : found_as;
}

Manifest read_manifest(const fs::path& path) {
  config::Problems problems;
  auto manifest = config::parse<Manifest>(config::parse_text(io::read_file(path), path.string()), "", problems);
  if (problems.empty() && path.stem() != manifest.name) {
    problems.add("name", manifest.name, fmt::format("\"{}\", as the file is named", path.stem().string()));
  }
  problems.throw_if_any(path.string());
  manifest.source = path;
  return manifest;
}

std::vector<fs::path> manifest_folders(const fs::path& suite_folder, const std::vector<fs::path>& data_folders) {
  std::vector<fs::path> folders{suite_folder, suite_folder / "datasets"};
  folders.insert(folders.end(), data_folders.begin(), data_folders.end());
  folders.push_back(program_folder() / "datasets");
  folders.emplace_back(INVARIA_DATASETS_DIR);
  return folders;
}

std::vector<std::string> known_datasets(const std::vector<fs::path>& folders) {
  std::set<std::string> names;
  for (const fs::path& folder : folders) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (entry.path().extension() != ".json") continue;
      try {
        if (manifest_json(entry.path())) names.insert(entry.path().stem().string());
      } catch (const std::runtime_error&) {
        // Unreadable or no JSON: it names no data set; asked for by name, it is reported.
      }
    }
  }
  return {names.begin(), names.end()};
}

std::optional<Manifest> find_manifest(const std::string& name, const std::vector<fs::path>& folders,
                                      const std::string& where, config::Problems& problems) {
  const bool is_plain = !name.empty() && name.find('/') == std::string::npos && name.front() != '.';
  for (const fs::path& folder : folders) {
    const fs::path path = folder / (name + ".json");
    std::error_code error;
    if (!is_plain || !fs::is_regular_file(path, error)) continue;
    try {
      if (manifest_json(path)) return read_manifest(path);
    } catch (const std::runtime_error& broken) {
      problems.add(where, fmt::format("\"{}\"", name), "a data set with a sound manifest", broken.what());
      return std::nullopt;
    }
  }
  problems.add(
      where, fmt::format("\"{}\"", name), "the name of a data set's manifest",
      fmt::format("{}; looked for {}.json in {}", config::name_hint(name, known_datasets(folders)), name,
                  fmt::join(folders | std::views::transform([](const fs::path& f) { return f.string(); }), ", ")));
  return std::nullopt;
}

}  // namespace invaria::data

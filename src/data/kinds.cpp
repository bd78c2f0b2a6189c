#include "data/kinds.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "core/errors.hpp"
#include "data/sample_files.hpp"
#include "data/synthetic.hpp"
#include "data/table_kind.hpp"
#include "io/cifar.hpp"

namespace invaria::data {
namespace {

/// What a lister needs of the world.
struct Source {
  const Manifest& manifest;
  Location location;
};

// -- image-folder

SplitListing list_image_folder(const Source& source, const SplitManifest& split) {
  SplitListing found;
  found.files = std::make_shared<FileSet>(source.location, split.path, source.manifest.folder_names(),
                                          source.manifest.archives_inside);
  const FileSet& files = *found.files;
  for (const std::string& link : files.links()) {
    if (has_extension(source.manifest.media, link)) files.need(link, source.manifest.name);
  }
  for (size_t i = 0; i < files.files().size(); ++i) {
    const std::string& name = files.files()[i].name;
    if (!has_extension(source.manifest.media, name)) continue;
    const auto index = static_cast<int64_t>(i);
    if (source.manifest.classes > 0 && name.find('/') == std::string::npos) {
      throw_config("{}: found a file outside the class folders, expected <class>/<file>", files.describe(index));
    }
    found.checked_files.push_back(index);
    found.samples.push_back({.name = name, .class_name = name.substr(0, name.find('/')), .file = index, .targets = {}});
  }
  return found;
}

// -- CIFAR

io::CifarKind cifar_kind(const Manifest& manifest) {
  return manifest.kind == DatasetKind::kCifar10 ? io::CifarKind::kCifar10 : io::CifarKind::kCifar100;
}

SplitListing list_cifar(const Source& source, const SplitManifest& split) {
  SplitListing found;
  found.files = std::make_shared<FileSet>(source.location, split.path, source.manifest.folder_names(),
                                          source.manifest.archives_inside);
  const FileSet& files = *found.files;
  for (const std::string& name : split.files) {
    found.checked_files.push_back(files.need(name, source.manifest.name));
  }
  std::sort(found.checked_files.begin(), found.checked_files.end());
  files.read(found.checked_files, 1, [&](int64_t position, std::string_view bytes) {
    const int64_t index = found.checked_files[static_cast<size_t>(position)];
    const std::string& file = files.files()[static_cast<size_t>(index)].name;
    const io::CifarBatch batch = io::read_cifar(bytes, cifar_kind(source.manifest), files.describe(index));
    const std::string stem = fs::path(file).replace_extension().generic_string();
    for (int64_t record = 0; record < batch.count; ++record) {
      found.samples.push_back({.name = fmt::format("{}/{:05}", stem, record),
                               .class_name = {},
                               .file = index,
                               .record = record,
                               .label = batch.labels[static_cast<size_t>(record)],
                               .targets = {}});
    }
  });
  return found;
}

// -- synthetic

SplitListing list_synthetic(const Manifest& manifest, const SplitManifest& split,
                            const std::vector<std::string>& classes) {
  SplitListing found;
  for (int64_t n = 0; n < split.count.value_or(0); ++n) {
    const SyntheticSample sample = synthetic_sample(manifest.synthetic, split.name, n);
    found.samples.push_back({.name = fmt::format("{}/{:06}", classes[static_cast<size_t>(sample.label)], n),
                             .class_name = {},
                             .record = n,
                             .label = sample.label,
                             .targets = {sample.centre_x, sample.centre_y}});
  }
  return found;
}

}  // namespace

std::vector<SplitListing> list_splits(const Manifest& manifest, const Location& location, Listing& listing) {
  const Source source{manifest, location};
  if (manifest.kind == DatasetKind::kTable) return list_table(manifest, location, listing);
  if (manifest.kind == DatasetKind::kSynthetic) {
    listing.classes = synthetic_classes(manifest.synthetic);
    listing.targets = synthetic_targets();
  } else {
    listing.classes = manifest.class_names;
  }
  std::vector<SplitListing> found;
  for (const SplitManifest& split : manifest.splits) {
    switch (manifest.kind) {
      case DatasetKind::kSynthetic:
        found.push_back(list_synthetic(manifest, split, listing.classes));
        break;
      case DatasetKind::kImageFolder:
        found.push_back(list_image_folder(source, split));
        break;
      default:
        found.push_back(list_cifar(source, split));
    }
  }
  if (manifest.kind == DatasetKind::kImageFolder && manifest.classes > 0) label_by_class(found, listing);
  return found;
}

void label_by_class(std::vector<SplitListing>& found, Listing& listing) {
  std::set<std::string> classes;
  for (const SplitListing& split : found) {
    for (const Sample& sample : split.samples) classes.insert(sample.class_name);
  }
  listing.classes.assign(classes.begin(), classes.end());
  for (SplitListing& split : found) {
    for (Sample& sample : split.samples) {
      const auto at = std::lower_bound(listing.classes.begin(), listing.classes.end(), sample.class_name);
      sample.label = at - listing.classes.begin();
    }
  }
}

std::string shortened(const std::vector<std::string>& lines) {
  constexpr size_t kShown = 10;
  const auto end = lines.begin() + static_cast<std::ptrdiff_t>(std::min(lines.size(), kShown));
  const std::string shown = fmt::format("{}", fmt::join(lines.begin(), end, ", "));
  return lines.size() <= kShown ? shown : fmt::format("{} and {} more", shown, lines.size() - kShown);
}

}  // namespace invaria::data

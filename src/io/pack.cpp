#include "io/pack.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <span>
#include <thread>

#include "core/errors.hpp"
#include "core/sha256.hpp"
#include "io/hdf5_table.hpp"

namespace invaria::io {
namespace {

constexpr std::string_view kMagic = "INVPACK1";
constexpr int64_t kAlignment = 4096;
constexpr const char* kGroup = "records";
constexpr size_t kHashDigits = 64;

/// The end of the file.
struct Footer {
  int64_t records_at = 0;
  int64_t index_at = 0;
  int64_t index_bytes = 0;
  char hash[kHashDigits] = {};
  char magic[8] = {};
};
static_assert(sizeof(Footer) == 96);

template <class T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

std::string hash_of(std::string_view header, std::string_view index) {
  return Sha256().update(header).update(index).hex();
}

std::shared_ptr<const std::byte> map_file(const fs::path& path, size_t& size) {
  const Descriptor file = open_for_reading(path);
  struct stat status = {};
  if (fstat(file.get(), &status) != 0) throw_environment("fstat {}: {}", path.string(), std::strerror(errno));
  size = static_cast<size_t>(status.st_size);
  if (size < kMagic.size() + sizeof(int64_t) + sizeof(Footer)) {
    throw_config("{}: {} bytes, too short for a pack", path.string(), size);
  }
  void* const start = mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (start == MAP_FAILED) throw_environment("mmap {}: {}", path.string(), std::strerror(errno));
  return {static_cast<const std::byte*>(start),
          [size](const std::byte* bytes) { munmap(const_cast<std::byte*>(bytes), size); }};
}

}  // namespace

PackWriter::PackWriter(const fs::path& path, std::string header) : file_(path), header_(std::move(header)) {
  const auto length = static_cast<int64_t>(header_.size());
  const int64_t end = static_cast<int64_t>(kMagic.size() + sizeof(length)) + length;
  records_at_ = (end + kAlignment - 1) / kAlignment * kAlignment;
  file_.write_at(0, std::string(kMagic) + std::string(bytes_of(length)) + header_);
}

void PackWriter::write_record(int64_t offset, std::string_view bytes) {
  file_.write_at(records_at_ + offset, bytes);
}

void PackWriter::finish(const Table& index) {
  Footer footer;
  footer.records_at = records_at_;
  footer.index_at = records_at_;
  const std::vector<int64_t>& offsets = index.integers(kPackOffset);
  const std::vector<int64_t>& lengths = index.integers(kPackBytes);
  for (size_t i = 0; i < offsets.size(); ++i) {
    footer.index_at = std::max(footer.index_at, records_at_ + offsets[i] + lengths[i]);
  }
  FileHandle hdf5 = create_file("index");
  write_table(create_group(hdf5.get(), kGroup).get(), index, kPackOffset);
  const std::string bytes = close_file(std::move(hdf5), "index");
  footer.index_bytes = static_cast<int64_t>(bytes.size());
  std::copy_n(hash_of(header_, bytes).begin(), kHashDigits, footer.hash);
  std::copy(kMagic.begin(), kMagic.end(), footer.magic);
  file_.write_at(footer.index_at, bytes + std::string(bytes_of(footer)));
  file_.publish();
}

PackFile::PackFile(fs::path path) : path_(std::move(path)) {
  size_t size = 0;
  map_ = map_file(path_, size);
  const std::string_view all(reinterpret_cast<const char*>(map_.get()), size);
  Footer footer;
  std::memcpy(&footer, all.data() + size - sizeof(footer), sizeof(footer));
  int64_t header_bytes = 0;
  std::memcpy(&header_bytes, all.data() + kMagic.size(), sizeof(header_bytes));
  const auto header_at = static_cast<int64_t>(kMagic.size() + sizeof(header_bytes));
  const auto index_end = static_cast<int64_t>(size - sizeof(footer));
  const bool fits = footer.index_bytes >= 0 && footer.index_at == index_end - footer.index_bytes && header_bytes >= 0 &&
                    footer.records_at >= header_at && header_bytes <= footer.records_at - header_at &&
                    footer.records_at <= footer.index_at;
  if (!all.starts_with(kMagic) || std::string_view(footer.magic, kMagic.size()) != kMagic || !fits) {
    throw_config("{}: no pack, or one that is cut off; pack the data set again", path_.string());
  }
  header_ = all.substr(static_cast<size_t>(header_at), static_cast<size_t>(header_bytes));
  const std::string index(all.substr(static_cast<size_t>(footer.index_at), static_cast<size_t>(footer.index_bytes)));
  if (hash_of(header_, index) != std::string_view(footer.hash, kHashDigits)) {
    throw_config("{}: its header or index has changed since it was written; pack the data set again", path_.string());
  }
  records_at_ = footer.records_at;
  const FileHandle hdf5 = open_bytes(index, path_);
  index_ = read_table(open_group(hdf5.get(), kGroup).get());
  check_records(footer.index_at - footer.records_at);
}

void PackFile::check_records(int64_t extent) const {
  for (const char* column : {kPackOffset, kPackBytes, kPackHash}) {
    if (!index_.contains(column)) {
      throw_config("{}: its index has no column {}; pack the data set again", path_.string(), column);
    }
  }
  const std::vector<int64_t>& offsets = index_.integers(kPackOffset);
  const std::vector<int64_t>& lengths = index_.integers(kPackBytes);
  for (size_t i = 0; i < offsets.size(); ++i) {
    if (offsets[i] >= 0 && lengths[i] >= 0 && lengths[i] <= extent && offsets[i] <= extent - lengths[i]) continue;
    throw_config("{}: record {} is {} bytes at {}, beyond the {} bytes of all records; pack the data set again",
                 path_.string(), i, lengths[i], offsets[i], extent);
  }
}

std::string_view PackFile::record(int64_t i) const {
  const auto at = static_cast<size_t>(i);
  const char* const records = reinterpret_cast<const char*>(map_.get()) + records_at_;
  return {records + index_.integers(kPackOffset)[at], static_cast<size_t>(index_.integers(kPackBytes)[at])};
}

std::shared_ptr<const std::byte> PackFile::records() const {
  return {map_, map_.get() + records_at_};
}

std::vector<int64_t> PackFile::changed_records(int threads) const {
  std::vector<char> is_changed(static_cast<size_t>(n()), 0);
  std::atomic<int64_t> next{0};
  const std::vector<std::string>& hashes = index_.texts(kPackHash);
  const auto work = [&] {
    for (int64_t i = next++; i < n(); i = next++) {
      const auto at = static_cast<size_t>(i);
      is_changed[at] = sha256_hex(record(i)) != hashes[at] ? 1 : 0;
    }
  };
  {
    std::vector<std::jthread> pool;
    for (int thread = 1; thread < threads; ++thread) pool.emplace_back(work);
    work();
  }
  std::vector<int64_t> changed;
  for (int64_t i = 0; i < n(); ++i) {
    if (is_changed[static_cast<size_t>(i)] != 0) changed.push_back(i);
  }
  return changed;
}

}  // namespace invaria::io

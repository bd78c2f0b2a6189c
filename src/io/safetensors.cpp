#include "io/safetensors.hpp"

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "core/errors.hpp"

namespace invaria::io {

namespace json = boost::json;

namespace {

constexpr int64_t kLengthBytes = 8;
constexpr int64_t kDataAlignment = 64;
/// The limit of the reference implementation: a longer header is a corrupt length.
constexpr int64_t kMaxHeaderBytes = 100'000'000;

struct DTypeRow {
  DType dtype;
  const char* name;
  int64_t bytes;
};
constexpr std::array<DTypeRow, 6> kDTypes{{{DType::kF64, "F64", 8},
                                           {DType::kF32, "F32", 4},
                                           {DType::kF16, "F16", 2},
                                           {DType::kBF16, "BF16", 2},
                                           {DType::kI64, "I64", 8},
                                           {DType::kU8, "U8", 1}}};

const DTypeRow& row_of(DType dtype) {
  return *std::find_if(kDTypes.begin(), kDTypes.end(), [&](const DTypeRow& row) { return row.dtype == dtype; });
}

/// Bytes of a tensor; nothing if the shape is negative or the product overflows.
std::optional<int64_t> byte_count(const std::vector<int64_t>& shape, DType dtype) {
  int64_t bytes = size_of(dtype);
  for (const int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(bytes, extent, &bytes)) return std::nullopt;
  }
  return bytes;
}

/// An integer in [0, 2^63), or nothing.
std::optional<int64_t> as_count(const json::value& value) {
  if (const int64_t* number = value.if_int64(); number != nullptr && *number >= 0) return *number;
  return std::nullopt;
}

/// The entry of one tensor in the header. `data` is everything after the header.
TensorView parse_tensor(const std::string& name, const json::value& entry, std::span<const std::byte> data,
                        const std::string& file) {
  const auto fail = [&](const std::string& what) { throw_config("{}: tensor \"{}\": {}", file, name, what); };
  const json::object* object = entry.if_object();
  if (object == nullptr) fail("its header entry is not an object");
  const auto member = [&](const char* key) -> const json::value& {
    const json::value* value = object->if_contains(key);
    if (value == nullptr) fail(fmt::format("its header entry has no \"{}\"", key));
    return *value;
  };
  TensorView view;
  view.name = name;

  const json::string* dtype = member("dtype").if_string();
  const auto row = std::find_if(kDTypes.begin(), kDTypes.end(),
                                [&](const DTypeRow& r) { return dtype != nullptr && *dtype == r.name; });
  if (row == kDTypes.end()) {
    fail(fmt::format("dtype {}, expected one of F64, F32, F16, BF16, I64, U8", json::serialize(member("dtype"))));
  }
  view.dtype = row->dtype;

  const json::array* shape = member("shape").if_array();
  if (shape == nullptr) fail("its shape is not a list");
  for (const json::value& extent : *shape) {
    const auto count = as_count(extent);
    if (!count) fail(fmt::format("shape {}, expected integers of at least 0", json::serialize(*shape)));
    view.shape.push_back(*count);
  }

  const json::array* offsets = member("data_offsets").if_array();
  const auto begin = offsets != nullptr && offsets->size() == 2 ? as_count((*offsets)[0]) : std::nullopt;
  const auto end = offsets != nullptr && offsets->size() == 2 ? as_count((*offsets)[1]) : std::nullopt;
  if (!begin || !end || *begin > *end || *end > static_cast<int64_t>(data.size())) {
    fail(fmt::format("data_offsets {}, expected a range inside the file's {} bytes of data",
                     json::serialize(member("data_offsets")), data.size()));
  }
  if (byte_count(view.shape, view.dtype) != *end - *begin) {
    fail(fmt::format("shape [{}] of {} does not fill its {} bytes", fmt::join(view.shape, ", "), row->name,
                     *end - *begin));
  }
  view.bytes = data.subspan(static_cast<size_t>(*begin), static_cast<size_t>(*end - *begin));
  return view;
}

std::map<std::string, std::string> parse_metadata(const json::value& value, const std::string& file) {
  std::map<std::string, std::string> metadata;
  const json::object* object = value.if_object();
  if (object == nullptr) throw_config("{}: __metadata__ is not an object", file);
  for (const auto& member : *object) {
    const json::string* text = member.value().if_string();
    if (text == nullptr) throw_config("{}: __metadata__: \"{}\" is not text", file, std::string(member.key()));
    metadata.emplace(member.key(), *text);
  }
  return metadata;
}

/// Views ordered by where their data lie.
std::vector<const TensorView*> in_data_order(const std::map<std::string, TensorView>& tensors) {
  std::vector<const TensorView*> order;
  for (const auto& [name, view] : tensors) order.push_back(&view);
  // Empty tensors share their offset with the next one: they come before it.
  std::stable_sort(order.begin(), order.end(), [](const TensorView* a, const TensorView* b) {
    return std::pair(a->bytes.data(), a->bytes.size()) < std::pair(b->bytes.data(), b->bytes.size());
  });
  return order;
}

std::string header_text(std::span<const TensorView* const> order, const std::map<std::string, std::string>& metadata) {
  json::object header;
  if (!metadata.empty()) {
    json::object& object = header["__metadata__"].emplace_object();
    for (const auto& [key, text] : metadata) object[key] = text;
  }
  int64_t begin = 0;
  for (const TensorView* view : order) {
    const int64_t end = begin + static_cast<int64_t>(view->bytes.size());
    header[view->name] = {{"dtype", name_of(view->dtype)},
                          {"shape", json::array(view->shape.begin(), view->shape.end())},
                          {"data_offsets", json::array{begin, end}}};
    begin = end;
  }
  std::string text = json::serialize(header);
  const auto unaligned = (static_cast<int64_t>(text.size()) + kLengthBytes) % kDataAlignment;
  text.append(static_cast<size_t>((kDataAlignment - unaligned) % kDataAlignment), ' ');
  return text;
}

}  // namespace

int64_t size_of(DType dtype) {
  return row_of(dtype).bytes;
}
const char* name_of(DType dtype) {
  return row_of(dtype).name;
}

void write_safetensors(const fs::path& path, std::span<const TensorView> tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::set<std::string> names;
  std::vector<const TensorView*> order;
  for (const TensorView& view : tensors) {
    require(!view.name.empty() && view.name != "__metadata__" && names.insert(view.name).second,
            "{}: tensor name \"{}\" is empty, reserved or repeated", path.string(), view.name);
    require(byte_count(view.shape, view.dtype) == static_cast<int64_t>(view.bytes.size()),
            "{}: tensor \"{}\": shape [{}] of {} does not fill {} bytes", path.string(), view.name,
            fmt::join(view.shape, ", "), name_of(view.dtype), view.bytes.size());
    order.push_back(&view);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const TensorView* a, const TensorView* b) { return size_of(a->dtype) > size_of(b->dtype); });

  const std::string header = header_text(order, metadata);
  std::array<std::byte, kLengthBytes> length{};
  for (size_t k = 0; k < length.size(); ++k) length[k] = static_cast<std::byte>(header.size() >> (8 * k));

  AtomicFile file(path);
  file.write(length);
  file.write(header);
  for (const TensorView* view : order) file.write(view->bytes);
  file.publish();
}

SafetensorsFile::SafetensorsFile(fs::path path) : path_(std::move(path)) {
  if (fs::exists(path_) && !fs::is_regular_file(path_)) throw_config("{}: not a regular file", path_.string());
  bytes_ = std::make_shared<const std::string>(read_file(path_));
  parse(std::as_bytes(std::span(*bytes_)));
}

void SafetensorsFile::parse(std::span<const std::byte> file) {
  const auto fail = [&](const std::string& what) {
    throw_config("{}: not a safetensors file: {}", path_.string(), what);
  };
  if (file.size() < kLengthBytes) fail(fmt::format("{} bytes, expected at least {}", file.size(), kLengthBytes));
  uint64_t length = 0;
  for (size_t k = 0; k < kLengthBytes; ++k) length |= uint64_t{std::to_integer<uint8_t>(file[k])} << (8 * k);
  const std::span<const std::byte> rest = file.subspan(kLengthBytes);
  if (length > rest.size() || length > kMaxHeaderBytes) {
    fail(fmt::format("a header of {} bytes in a file of {}; it may be truncated", length, file.size()));
  }
  const std::span<const std::byte> data = rest.subspan(length);

  boost::system::error_code error;
  const json::value header = json::parse({reinterpret_cast<const char*>(rest.data()), length}, error);
  if (error) fail(fmt::format("its header is not JSON: {}", error.message()));
  if (!header.is_object()) fail("its header is not a JSON object");
  for (const auto& member : header.get_object()) {
    const std::string name(member.key());
    if (name == "__metadata__") {
      metadata_ = parse_metadata(member.value(), path_.string());
    } else {
      tensors_.emplace(name, parse_tensor(name, member.value(), data, path_.string()));
    }
  }

  const std::byte* expected = data.data();
  for (const TensorView* view : in_data_order(tensors_)) {
    if (view->bytes.data() != expected) {
      fail(fmt::format("the data of tensor \"{}\" overlap the previous ones or leave a gap", view->name));
    }
    expected += view->bytes.size();
  }
  const auto trailing = data.data() + data.size() - expected;
  if (trailing != 0) fail(fmt::format("{} bytes after the last tensor", trailing));
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> names;
  for (const TensorView* view : in_data_order(tensors_)) names.push_back(view->name);
  return names;
}

const TensorView& SafetensorsFile::view(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    throw_config("{}: no tensor \"{}\" among its {}", path_.string(), name, tensors_.size());
  }
  return found->second;
}

}  // namespace invaria::io

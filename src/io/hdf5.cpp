#include "io/hdf5.hpp"

#include <hdf5_hl.h>

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <utility>

#include "core/errors.hpp"
#include "io/hdf5_check.hpp"

namespace invaria::io {

using hdf5::check;

namespace {

/// Let a group (or the root group, made with its file) remember the order of its members.
void track_order(hid_t creation_list, const fs::path& path) {
  check(H5Pset_link_creation_order(creation_list, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED),
        "H5Pset_link_creation_order", H5I_INVALID_HID, path.string());
}

/// Values of a file that claims more are not read: the claim of a corrupt file must not become an allocation.
constexpr int64_t kMaxElements = int64_t{1} << 31;

FileHandle in_memory(const fs::path& path, std::string* image) {
  hdf5::silence();
  const ListHandle access(check(H5Pcreate(H5P_FILE_ACCESS), "H5Pcreate", H5I_INVALID_HID, path.string()));
  constexpr size_t kGrowth = size_t{1} << 18;
  check(H5Pset_fapl_core(access.get(), kGrowth, 0), "H5Pset_fapl_core", H5I_INVALID_HID, path.string());
  if (image == nullptr) {
    const ListHandle creation(check(H5Pcreate(H5P_FILE_CREATE), "H5Pcreate", H5I_INVALID_HID, path.string()));
    track_order(creation.get(), path);
    return FileHandle(check(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), "H5Fcreate",
                            H5I_INVALID_HID, path.string()));
  }
  check(H5Pset_file_image(access.get(), image->data(), image->size()), "H5Pset_file_image", H5I_INVALID_HID,
        path.string());
  // The core driver refuses an image under the name of a file that exists.
  const std::string name = path.string() + hdf5::kImageSuffix;
  return FileHandle(
      check(H5Fopen(name.c_str(), H5F_ACC_RDONLY, access.get()), "H5Fopen", H5I_INVALID_HID, path.string()));
}

}  // namespace

FileHandle create_file(const fs::path& path) {
  return in_memory(path, nullptr);
}

FileHandle open_file(const fs::path& path) {
  return open_bytes(read_file(path), path);
}

FileHandle open_bytes(std::string bytes, const fs::path& path) {
  if (bytes.empty()) throw_environment("{}: an empty file, expected HDF5", path.string());
  return in_memory(path, &bytes);
}

std::string close_file(FileHandle file, const fs::path& path) {
  require(open_objects(file.get()) == 0, "{}: {} objects of the file are still open", path.string(),
          open_objects(file.get()));
  check(H5Fflush(file.get(), H5F_SCOPE_LOCAL), "H5Fflush", file.get(), path.string());
  const ssize_t bytes = check(H5Fget_file_image(file.get(), nullptr, 0), "H5Fget_file_image", file.get());
  std::string image(static_cast<size_t>(bytes), '\0');
  check(H5Fget_file_image(file.get(), image.data(), image.size()), "H5Fget_file_image", file.get());
  check(H5Fclose(file.release()), "H5Fclose", H5I_INVALID_HID, path.string());
  return image;
}

void publish_file(FileHandle file, const fs::path& path) {
  write_file_atomically(path, close_file(std::move(file), path));
}

GroupHandle create_group(hid_t parent, const std::string& name) {
  const ListHandle creation(check(H5Pcreate(H5P_GROUP_CREATE), "H5Pcreate", parent, name));
  track_order(creation.get(), name);
  return GroupHandle(
      check(H5Gcreate2(parent, name.c_str(), H5P_DEFAULT, creation.get(), H5P_DEFAULT), "H5Gcreate2", parent, name));
}

GroupHandle open_group(hid_t parent, const std::string& name) {
  return GroupHandle(check(H5Gopen2(parent, name.c_str(), H5P_DEFAULT), "H5Gopen2", parent, name));
}

DataSetHandle open_dataset(hid_t parent, const std::string& name) {
  return DataSetHandle(check(H5Dopen2(parent, name.c_str(), H5P_DEFAULT), "H5Dopen2", parent, name));
}

bool exists(hid_t parent, const std::string& name) {
  return check(H5Lexists(parent, name.c_str(), H5P_DEFAULT), "H5Lexists", parent, name) > 0;
}

bool is_group(hid_t parent, const std::string& name) {
  const ObjectHandle object(check(H5Oopen(parent, name.c_str(), H5P_DEFAULT), "H5Oopen", parent, name));
  return H5Iget_type(object.get()) == H5I_GROUP;
}

std::vector<std::string> members(hid_t group) {
  H5G_info_t info{};
  check(H5Gget_info(group, &info), "H5Gget_info", group);
  std::vector<std::string> names;
  // The root group of a file by another program may not track the order: then by name.
  const bool ordered = H5Lget_name_by_idx(group, ".", H5_INDEX_CRT_ORDER, H5_ITER_INC, 0, nullptr, 0, H5P_DEFAULT) > 0;
  const H5_index_t index = ordered ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME;
  for (hsize_t n = 0; n < info.nlinks; ++n) {
    const ssize_t length = check(H5Lget_name_by_idx(group, ".", index, H5_ITER_INC, n, nullptr, 0, H5P_DEFAULT),
                                 "H5Lget_name_by_idx", group);
    std::string name(static_cast<size_t>(length) + 1, '\0');
    check(H5Lget_name_by_idx(group, ".", index, H5_ITER_INC, n, name.data(), name.size(), H5P_DEFAULT),
          "H5Lget_name_by_idx", group);
    name.pop_back();
    names.push_back(std::move(name));
  }
  return names;
}

int64_t open_objects(hid_t file) {
  constexpr unsigned kinds = H5F_OBJ_DATASET | H5F_OBJ_GROUP | H5F_OBJ_ATTR;
  return check(H5Fget_obj_count(file, kinds), "H5Fget_obj_count", file);
}

namespace {

SpaceHandle make_space(const std::vector<int64_t>& shape, hid_t parent, const std::string& name) {
  const std::vector<hsize_t> extent(shape.begin(), shape.end());
  return SpaceHandle(check(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr),
                           "H5Screate_simple", parent, name));
}

/// Large arrays lie in compressed chunks of about 64 KiB along the first dimension: most of them are padding.
ListHandle creation_list(const std::vector<int64_t>& shape, hid_t parent, const std::string& name) {
  ListHandle list(check(H5Pcreate(H5P_DATASET_CREATE), "H5Pcreate", parent, name));
  const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  if (shape.size() < 2 || empty) return list;
  std::vector<hsize_t> chunk(shape.begin(), shape.end());
  const hsize_t row_bytes =
      sizeof(double) * std::accumulate(chunk.begin() + 1, chunk.end(), hsize_t{1}, std::multiplies<>());
  chunk[0] = std::clamp<hsize_t>((hsize_t{1} << 16) / row_bytes, 1, chunk[0]);
  check(H5Pset_chunk(list.get(), static_cast<int>(chunk.size()), chunk.data()), "H5Pset_chunk", parent, name);
  if (H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0) {
    check(H5Pset_shuffle(list.get()), "H5Pset_shuffle", parent, name);
    check(H5Pset_deflate(list.get(), 1), "H5Pset_deflate", parent, name);
  }
  return list;
}

/// Make a data set of `stored` elements and fill it from `data`, laid out as `native`.
DataSetHandle write_elements(hid_t parent, const std::string& name, hid_t stored, hid_t native, const void* data,
                             const std::vector<int64_t>& shape) {
  const SpaceHandle space = make_space(shape, parent, name);
  const ListHandle creation = creation_list(shape, parent, name);
  DataSetHandle dataset(
      check(H5Dcreate2(parent, name.c_str(), stored, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
            "H5Dcreate2", parent, name));
  if (data != nullptr) {
    check(H5Dwrite(dataset.get(), native, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), "H5Dwrite", parent, name);
  }
  return dataset;
}

void require_shape(const std::vector<int64_t>& shape, size_t values, const std::string& name) {
  const int64_t product = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  require(!shape.empty() && shape.size() <= 4 && product == static_cast<int64_t>(values),
          "data set \"{}\": {} values do not fill the shape [{}]", name, values, fmt::join(shape, ", "));
}

int64_t element_count(hid_t dataset) {
  const SpaceHandle space(check(H5Dget_space(dataset), "H5Dget_space", dataset));
  const auto count =
      check(static_cast<int64_t>(H5Sget_simple_extent_npoints(space.get())), "H5Sget_simple_extent_npoints", dataset);
  if (count > kMaxElements) {
    throw_environment("{}: claims {} elements, at most {} are read", hdf5::describe(dataset), count, kMaxElements);
  }
  return count;
}

void expect_kind(hid_t dataset, ElementKind expected, const char* words) {
  if (element_kind(dataset) != expected) throw_environment("{}: expected {}", hdf5::describe(dataset), words);
}

}  // namespace

DataSetHandle write_dataset(hid_t parent, const std::string& name, std::span<const double> values,
                            const std::vector<int64_t>& shape) {
  require_shape(shape, values.size(), name);
  return write_elements(parent, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, values.data(), shape);
}

DataSetHandle write_dataset(hid_t parent, const std::string& name, std::span<const int64_t> values,
                            const std::vector<int64_t>& shape) {
  require_shape(shape, values.size(), name);
  return write_elements(parent, name, H5T_STD_I64LE, H5T_NATIVE_INT64, values.data(), shape);
}

DataSetHandle write_dataset(hid_t parent, const std::string& name, std::span<const std::string> values) {
  std::vector<std::string> valid;
  std::vector<const char*> pointers;
  valid.reserve(values.size());
  for (const std::string& value : values) pointers.push_back(valid.emplace_back(valid_utf8(value)).c_str());
  const TypeHandle type = hdf5::text_type();
  return write_elements(parent, name, type.get(), type.get(), pointers.data(), {static_cast<int64_t>(values.size())});
}

ElementKind element_kind(hid_t dataset) {
  const TypeHandle type(check(H5Dget_type(dataset), "H5Dget_type", dataset));
  switch (H5Tget_class(type.get())) {
    case H5T_FLOAT:
      return ElementKind::kDouble;
    case H5T_INTEGER:
      return ElementKind::kInteger;
    case H5T_STRING:
      if (H5Tis_variable_str(type.get()) > 0) return ElementKind::kText;
      [[fallthrough]];
    default:
      throw_environment("{}: elements that are neither numbers nor text of variable length", hdf5::describe(dataset));
  }
}

std::vector<int64_t> shape_of(hid_t dataset) {
  const SpaceHandle space(check(H5Dget_space(dataset), "H5Dget_space", dataset));
  std::array<hsize_t, H5S_MAX_RANK> extent{};
  const int rank =
      check(H5Sget_simple_extent_dims(space.get(), extent.data(), nullptr), "H5Sget_simple_extent_dims", dataset);
  return {extent.begin(), extent.begin() + rank};
}

std::vector<double> read_doubles(hid_t dataset) {
  expect_kind(dataset, ElementKind::kDouble, "floating-point numbers");
  std::vector<double> values(static_cast<size_t>(element_count(dataset)));
  if (!values.empty()) {
    check(H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "H5Dread", dataset);
  }
  return values;
}

std::vector<int64_t> read_integers(hid_t dataset) {
  expect_kind(dataset, ElementKind::kInteger, "integers");
  std::vector<int64_t> values(static_cast<size_t>(element_count(dataset)));
  if (!values.empty()) {
    check(H5Dread(dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "H5Dread", dataset);
  }
  return values;
}

std::vector<std::string> read_texts(hid_t dataset) {
  expect_kind(dataset, ElementKind::kText, "text of variable length");
  std::vector<char*> pointers(static_cast<size_t>(element_count(dataset)), nullptr);
  if (pointers.empty()) return {};
  const TypeHandle type = hdf5::text_type();
  const SpaceHandle space(check(H5Dget_space(dataset), "H5Dget_space", dataset));
  const herr_t status = H5Dread(dataset, type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data());
  // An empty text comes back as a null pointer.
  std::vector<std::string> values;
  if (status >= 0) {
    for (const char* text : pointers) values.emplace_back(text == nullptr ? "" : text);
  }
  check(status, "H5Dread", dataset);
  check(H5Dvlen_reclaim(type.get(), space.get(), H5P_DEFAULT, pointers.data()), "H5Dvlen_reclaim", dataset);
  return values;
}

void make_scale(hid_t dataset, const std::string& name) {
  check(H5DSset_scale(dataset, name.c_str()), "H5DSset_scale", dataset);
}

void attach_scale(hid_t dataset, hid_t scale, int64_t axis) {
  check(H5DSattach_scale(dataset, scale, static_cast<unsigned>(axis)), "H5DSattach_scale", dataset);
}

std::vector<std::string> attached_scales(hid_t dataset) {
  // Takes the first scale of a dimension: a result other than 0 ends the iteration. C++ exceptions must not cross it.
  const auto take_name = [](hid_t, unsigned, hid_t scale, void* out) noexcept -> herr_t {
    std::array<char, 256> name{};
    if (H5DSget_scale_name(scale, name.data(), name.size() - 1) < 0) return -1;
    *static_cast<std::array<char, 256>*>(out) = name;
    return 1;
  };
  std::vector<std::string> names;
  const size_t rank = shape_of(dataset).size();
  for (unsigned axis = 0; axis < rank; ++axis) {
    std::array<char, 256> name{};
    if (check(H5DSget_num_scales(dataset, axis), "H5DSget_num_scales", dataset) > 0) {
      check(H5DSiterate_scales(dataset, axis, nullptr, take_name, &name), "H5DSiterate_scales", dataset);
    }
    names.emplace_back(name.data());
  }
  return names;
}

}  // namespace invaria::io

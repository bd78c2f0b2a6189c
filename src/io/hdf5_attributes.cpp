// Scalar attributes.
#include "core/errors.hpp"
#include "io/hdf5_check.hpp"

namespace invaria::io {

using hdf5::check;

namespace {

void write_scalar(hid_t object, const std::string& name, hid_t stored, hid_t native, const void* value) {
  const SpaceHandle space(check(H5Screate(H5S_SCALAR), "H5Screate", object, name));
  const AttributeHandle attribute(check(H5Acreate2(object, name.c_str(), stored, space.get(), H5P_DEFAULT, H5P_DEFAULT),
                                        "H5Acreate2", object, name));
  check(H5Awrite(attribute.get(), native, value), "H5Awrite", object, name);
}

/// Open an attribute that holds one element of the given class.
AttributeHandle open_scalar(hid_t object, const std::string& name, H5T_class_t expected, const char* words) {
  AttributeHandle attribute(check(H5Aopen(object, name.c_str(), H5P_DEFAULT), "H5Aopen", object, name));
  const TypeHandle type(check(H5Aget_type(attribute.get()), "H5Aget_type", object, name));
  const SpaceHandle space(check(H5Aget_space(attribute.get()), "H5Aget_space", object, name));
  const bool fixed_text = expected == H5T_STRING && H5Tis_variable_str(type.get()) <= 0;
  if (H5Tget_class(type.get()) != expected || fixed_text || H5Sget_simple_extent_npoints(space.get()) != 1) {
    throw_environment("{}: attribute \"{}\": expected {}", hdf5::describe(object), name, words);
  }
  return attribute;
}

}  // namespace

void write_attribute(hid_t object, const std::string& name, std::string_view text) {
  const std::string valid = valid_utf8(text);
  const char* pointer = valid.c_str();
  const TypeHandle type = hdf5::text_type();
  write_scalar(object, name, type.get(), type.get(), &pointer);
}

void write_attribute(hid_t object, const std::string& name, double number) {
  write_scalar(object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &number);
}

void write_attribute(hid_t object, const std::string& name, int64_t number) {
  write_scalar(object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &number);
}

bool has_attribute(hid_t object, const std::string& name) {
  return check(H5Aexists(object, name.c_str()), "H5Aexists", object, name) > 0;
}

std::string read_text_attribute(hid_t object, const std::string& name) {
  const AttributeHandle attribute = open_scalar(object, name, H5T_STRING, "one text of variable length");
  const TypeHandle type = hdf5::text_type();
  const SpaceHandle space(check(H5Aget_space(attribute.get()), "H5Aget_space", object, name));
  char* pointer = nullptr;
  check(H5Aread(attribute.get(), type.get(), &pointer), "H5Aread", object, name);
  std::string text = pointer == nullptr ? "" : pointer;
  check(H5Dvlen_reclaim(type.get(), space.get(), H5P_DEFAULT, &pointer), "H5Dvlen_reclaim", object, name);
  return text;
}

double read_double_attribute(hid_t object, const std::string& name) {
  const AttributeHandle attribute = open_scalar(object, name, H5T_FLOAT, "one floating-point number");
  double number = 0.0;
  check(H5Aread(attribute.get(), H5T_NATIVE_DOUBLE, &number), "H5Aread", object, name);
  return number;
}

int64_t read_integer_attribute(hid_t object, const std::string& name) {
  const AttributeHandle attribute = open_scalar(object, name, H5T_INTEGER, "one integer");
  int64_t number = 0;
  check(H5Aread(attribute.get(), H5T_NATIVE_INT64, &number), "H5Aread", object, name);
  return number;
}

}  // namespace invaria::io

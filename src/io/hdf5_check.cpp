#include "io/hdf5_check.hpp"

#include "core/errors.hpp"

namespace invaria::io {
namespace hdf5 {

void silence() {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

std::string describe(hid_t object) {
  const auto read = [&](auto get) -> std::string {
    const ssize_t length = get(object, nullptr, size_t{0});
    if (length <= 0) return "";
    std::string name(static_cast<size_t>(length) + 1, '\0');
    if (get(object, name.data(), name.size()) < 0) return "";
    name.pop_back();
    return name;
  };
  std::string file = read(H5Fget_name);
  if (file.ends_with(kImageSuffix)) file.resize(file.size() - std::string_view(kImageSuffix).size());
  return file + ":" + read(H5Iget_name);
}

void fail(const char* call, hid_t where, const std::string& name) {
  // Collect the stack before describe() makes calls of its own.
  std::string stack;
  const auto append = [](unsigned, const H5E_error2_t* error, void* out) noexcept -> herr_t {
    auto& text = *static_cast<std::string*>(out);
    try {
      if (error->desc != nullptr && text.size() < 1000) {
        text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", error->func_name, error->desc);
      }
    } catch (...) {
      return -1;
    }
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, append, &stack);
  H5Eclear2(H5E_DEFAULT);
  std::string place = where == H5I_INVALID_HID ? "" : describe(where);
  if (!name.empty()) place += (place.empty() || place.ends_with('/') ? "" : "/") + name;
  throw_environment("{}: {} failed: {}", place, call, stack.empty() ? "no reason given" : stack);
}

TypeHandle text_type() {
  TypeHandle type(check(H5Tcopy(H5T_C_S1), "H5Tcopy", H5I_INVALID_HID));
  check(H5Tset_size(type.get(), H5T_VARIABLE), "H5Tset_size", H5I_INVALID_HID);
  check(H5Tset_cset(type.get(), H5T_CSET_UTF8), "H5Tset_cset", H5I_INVALID_HID);
  return type;
}

}  // namespace hdf5

std::string valid_utf8(std::string_view text) {
  // Lead byte -> number of continuation bytes; the first of them has a narrower range after E0, ED, F0 and F4 (Unicode,
  // table 3-7).
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(text[at]); };
  const auto sequence_length = [&](size_t at) -> size_t {
    const unsigned lead = byte(at);
    if (lead >= 0x01 && lead <= 0x7F) return 1;
    const size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                          : lead >= 0xE0 && lead <= 0xEF ? 3
                          : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                         : 0;
    if (length == 0 || at + length > text.size()) return 0;
    const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (byte(at + 1) < low || byte(at + 1) > high) return 0;
    for (size_t k = 2; k < length; ++k) {
      if (byte(at + k) < 0x80 || byte(at + k) > 0xBF) return 0;
    }
    return length;
  };
  std::string valid;
  valid.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t length = sequence_length(at);
    if (length == 0) {
      valid += "\xEF\xBF\xBD";
      ++at;
    } else {
      valid += text.substr(at, length);
      at += length;
    }
  }
  return valid;
}

}  // namespace invaria::io

#include "io/seal.hpp"

#include <string_view>

#include "core/errors.hpp"
#include "core/sha256.hpp"

namespace invaria::io {
namespace {

constexpr std::string_view kMark = "\ninvaria-sha256:";
constexpr size_t kDigits = 64;

}  // namespace

std::string sealed(std::string bytes) {
  const std::string digits = sha256_hex(bytes);
  return bytes.append(kMark).append(digits);
}

std::string unsealed(std::string bytes, const fs::path& path) {
  constexpr size_t kLength = kMark.size() + kDigits;
  if (bytes.size() < kLength || std::string_view(bytes).substr(bytes.size() - kLength, kMark.size()) != kMark)
    return bytes;
  const std::string wanted = bytes.substr(bytes.size() - kDigits);
  bytes.resize(bytes.size() - kLength);
  if (const std::string found = sha256_hex(bytes); found != wanted)
    throw_environment("{}: its bytes have the SHA-256 {}, its end says {}: altered", path.string(), found, wanted);
  return bytes;
}

}  // namespace invaria::io

#pragma once
/// @file
/// SHA-256 (FIPS 180-4) by OpenSSL: job ids, split, checkpoint and encoder hashes.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace invaria {

/// Hashes what it is fed; then gives lower-case hex.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& update(std::span<const std::byte> bytes);
  Sha256& update(std::string_view text);
  /// 64 hex digits. Ends the hash: later updates throw PreconditionError.
  std::string hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// The hex digest of a text.
std::string sha256_hex(std::string_view text);

}  // namespace invaria

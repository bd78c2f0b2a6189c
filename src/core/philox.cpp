#include "core/philox.hpp"

#include <cmath>
#include <numbers>

#include "core/errors.hpp"

namespace invaria {
namespace {

/// SplitMix64's finaliser: spreads an address over a key.
uint64_t mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

}  // namespace

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product_0 = uint64_t{0xD2511F53} * counter[0];
    const uint64_t product_1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(product_1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(product_1),
               static_cast<uint32_t>(product_0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(product_0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

Draws::Draws(const DrawAddress& address) {
  // The key holds seed, purpose, view and epoch; the counter holds the sample and the block.
  uint64_t key = mix(address.seed);
  key = mix(key ^ static_cast<uint64_t>(address.purpose));
  key = mix(key ^ address.view);
  key = mix(key ^ address.epoch);
  key_ = {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)};
  counter_ = {0, 0, static_cast<uint32_t>(address.sample), static_cast<uint32_t>(address.sample >> 32)};
}

uint32_t Draws::next_u32() {
  if (used_ == 4) {
    block_ = philox4x32(counter_, key_);
    if (++counter_[0] == 0) ++counter_[1];
    used_ = 0;
  }
  return block_[used_++];
}

uint64_t Draws::next_u64() {
  const uint64_t high = next_u32();
  return (high << 32) | next_u32();
}

double Draws::uniform() {
  return (next_u32() >> 8) * 0x1p-24;
}

double Draws::uniform(double low, double high) {
  return low + (high - low) * uniform();
}

int64_t Draws::below(int64_t n) {
  require(n >= 1, "Draws::below: n is {}, expected at least 1", n);
  const uint64_t range = static_cast<uint64_t>(n);
  const uint64_t limit = UINT64_MAX - UINT64_MAX % range;
  uint64_t word = next_u64();
  while (word >= limit) word = next_u64();
  return static_cast<int64_t>(word % range);
}

double Draws::normal() {
  const double radius_u = (next_u32() + 1.0) * 0x1p-32;  // in (0, 1]: its logarithm is finite
  const double angle_u = next_u32() * 0x1p-32;
  return std::sqrt(-2.0 * std::log(radius_u)) * std::cos(2.0 * std::numbers::pi * angle_u);
}

bool Draws::bernoulli(double probability) {
  return uniform() < probability;
}

}  // namespace invaria

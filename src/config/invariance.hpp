#pragma once
/// @file
/// The invariance vector i in [0, 1]^K and its text forms.

#include <cstdint>
#include <string>
#include <vector>

namespace invaria::config {

/// i in [0, 1]^K: per axis, whether the representation should ignore that group of augmentations (1) or stay sensitive
/// to it (0).
using Invariance = std::vector<double>;

/// "01" for (0, 1): only for corners. @throws PreconditionError if an element is neither 0 nor 1
std::string bits(const Invariance& corner);
/// (0, 1) from "01". @throws ConfigError if a character is neither 0 nor 1
Invariance from_bits(const std::string& bits);
/// "0,0.5" for (0, 0.5): shortest exact decimal of each element.
std::string to_string(const Invariance& invariance);
bool is_corner(const Invariance& invariance);
/// (0.5, ..., 0.5)
Invariance centre(int64_t n_axes);
/// All 2^K corners in the order of their bits read as a binary number.
std::vector<Invariance> all_corners(int64_t n_axes);
/// The full factorial grid with `per_axis` >= 2 equidistant values on each axis, last axis fastest.
std::vector<Invariance> grid(int64_t n_axes, int64_t per_axis);

}  // namespace invaria::config

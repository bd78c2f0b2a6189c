#pragma once
/// @file
/// Variables of MATLAB files, read by libmatio.

#include <string>
#include <string_view>
#include <vector>

namespace invaria::io {

/// A variable as rows of text, numbers in their shortest form that reads back the same.
///
/// A numeric array has a row for each index of its last dimension that is not 1, its entries in MATLAB's order, first
/// index fastest: [1, n] and [n, 1] are n rows of one number, [3, 14, n] is n rows of 42. A struct array has a row for
/// each element.
using MatRows = std::vector<std::vector<std::string>>;

/// A numeric array, or of a struct array the fields named in `fields` (each a number or a text).
/// @param bytes   the whole file, of version 5 or 7 (or 7.3 where matio was built with HDF5)
/// @param fields  empty: the variable is numeric
/// @param name    names the file in messages
/// @throws ConfigError naming file, variable and what was found if it is no MATLAB file, has no such variable or field,
///         or the variable is of another type
MatRows read_mat(std::string_view bytes, const std::string& variable, const std::vector<std::string>& fields,
                 const std::string& name);

}  // namespace invaria::io

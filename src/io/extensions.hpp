#pragma once
/// @file
/// What a file is by the end of its name.

#include <initializer_list>
#include <string_view>

namespace invaria::io {

/// Whether a file name ends in one of `endings` (lower case, with their dot), in any case.
bool has_extension(std::string_view file_name, std::initializer_list<std::string_view> endings);

}  // namespace invaria::io

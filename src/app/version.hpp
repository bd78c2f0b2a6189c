#pragma once
/// @file
/// What this program is made of: for --version, doctor and the results file.

#include <boost/json/object.hpp>
#include <string>

namespace invaria::app {

/// Name -> version of every library, as found at run time where the library tells.
boost::json::object library_versions();

/// The text of --version: program, commit, compiler, libraries.
std::string version_text();

}  // namespace invaria::app

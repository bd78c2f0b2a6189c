#pragma once
/// @file
/// Files that are part of the program: the page's own style and script, and the runtime of its charts with its licence.
/// CMakeLists.txt says where each comes from.

#include <string_view>

namespace invaria::report::embedded {

std::string_view style();       ///< page.css
std::string_view script();      ///< page.js
std::string_view vega();        ///< JavaScript
std::string_view vega_lite();   ///< JavaScript
std::string_view vega_embed();  ///< JavaScript
std::string_view notice();      ///< whose the runtime is
std::string_view licence();     ///< the text that comes with it

}  // namespace invaria::report::embedded

#pragma once
/// @file
/// Settings that a suite file gives and that nothing reads: a mistake that would otherwise look like an effect.

#include "config/setting.hpp"
#include "suite/suite.hpp"

namespace invaria::suite {

/// Add a problem for each setting of an entry that its kind, algorithm or arms leave unread; of a defaults section, for
/// each that no entry reads.
/// @param text   the suite file with overrides, as it was before defaults were merged under entries
/// @param suite  what was read from it
void check_unread(const config::json::value& text, const Suite& suite, config::Problems& problems);

}  // namespace invaria::suite

#pragma once
/// @file
/// Numbers for people, with the digits that they carry; and the table cells that show them.

#include <cstdint>
#include <string>

#include "report/table.hpp"

namespace invaria::report {

/// What is shown for a number that is not there.
constexpr const char* kNotAvailable = "-";

/// "78.0" for 0.78; kNotAvailable for NaN.
std::string percent(double fraction);
/// "78.0 ± 2.1" for (0.78, 0.021); without the interval where that is NaN.
std::string percent(double fraction, double half_width);
/// "0.85 s", "12.3 s", "4 min 05 s", "2 h 05 min"; kNotAvailable for NaN.
std::string duration(double seconds);
/// Three significant digits and a factor of 1000: "712 k", "23.0 M", "1.82 G"; kNotAvailable for NaN.
std::string quantity(double number);
/// A number with fixed decimals; kNotAvailable for NaN.
std::string decimal(double number, int decimals);

/// The same as cells. Those of percent() have their value in percent; duration's column says `value_units` "s".
Cell percent_cell(double fraction);
Cell percent_cell(double fraction, double half_width);
Cell duration_cell(double seconds);
Cell quantity_cell(double number);
Cell decimal_cell(double number, int decimals);
Cell count_cell(int64_t count);
/// A cell for what is not there.
Cell no_cell();

}  // namespace invaria::report

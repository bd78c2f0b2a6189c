#include "report/numbers.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace invaria::report {

std::string percent(double fraction) {
  return decimal(100.0 * fraction, 1);
}

std::string percent(double fraction, double half_width) {
  if (std::isnan(fraction) || std::isnan(half_width)) return percent(fraction);
  return fmt::format("{} ± {}", percent(fraction), percent(half_width));
}

std::string duration(double seconds) {
  if (std::isnan(seconds)) return kNotAvailable;
  if (seconds < 9.995) return fmt::format("{:.2f} s", seconds);
  if (seconds < 99.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  const int64_t minutes = (whole + 30) / 60;
  return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

std::string quantity(double number) {
  if (std::isnan(number)) return kNotAvailable;
  constexpr std::array<const char*, 6> kFactors{"", " k", " M", " G", " T", " P"};
  size_t factor = 0;
  // 999.5 would be shown with four digits.
  for (; std::abs(number) >= 999.5 && factor + 1 < kFactors.size(); ++factor) number /= 1000.0;
  const double size = std::abs(number);
  const int decimals = size >= 99.95 || (factor == 0 && number == std::floor(number)) ? 0 : size >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f}{}", number, decimals, kFactors[factor]);
}

std::string decimal(double number, int decimals) {
  if (std::isnan(number)) return kNotAvailable;
  const std::string text = fmt::format("{:.{}f}", number, decimals);
  // A value that rounds to zero has no sign.
  return text.find_first_not_of("-0.") == std::string::npos && text.front() == '-' ? text.substr(1) : text;
}

Cell percent_cell(double fraction) {
  return {percent(fraction), Emphasis::kNone, 100.0 * fraction};
}

Cell percent_cell(double fraction, double half_width) {
  return {percent(fraction, half_width), Emphasis::kNone, 100.0 * fraction, 100.0 * half_width};
}

Cell duration_cell(double seconds) {
  return {duration(seconds), Emphasis::kNone, seconds};
}

Cell quantity_cell(double number) {
  return {quantity(number), Emphasis::kNone, number};
}

Cell decimal_cell(double number, int decimals) {
  return {decimal(number, decimals), Emphasis::kNone, number};
}

Cell count_cell(int64_t count) {
  return {fmt::format("{}", count), Emphasis::kNone, static_cast<double>(count)};
}

Cell no_cell() {
  return {kNotAvailable};
}

}  // namespace invaria::report

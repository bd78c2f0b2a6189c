#pragma once
/// @file
/// Catch2 2 or 3, whichever is installed, and the visible skip.

#if __has_include(<catch2/catch.hpp>)
#include <catch2/catch.hpp>
#else
#include <catch2/catch_all.hpp>
using Catch::Approx;
#endif

#include <fmt/format.h>

#include <cstdio>

/// End a test case that cannot run here. CTest finds the word SKIPPED and reports the test as skipped.
#define INVARIA_SKIP(...)                                  \
  do {                                                     \
    fmt::print("SKIPPED: {}\n", fmt::format(__VA_ARGS__)); \
    std::fflush(stdout);                                   \
    return;                                                \
  } while (false)

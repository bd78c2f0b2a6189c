#pragma once
/// @file
/// What the names of arms and metrics say: which arm is a grid point, which is derived, which competes, which metric
/// leads.

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "config/invariance.hpp"

namespace invaria::report {

/// The best grid point by validation: an ordinary arm.
constexpr const char* kGridBest = "grid-best";
/// The grid point best on the test set: a reference mark, never a contestant.
constexpr const char* kOracle = "oracle";

/// (0, 0.5) of "grid-0,0.5"; nothing if the arm is not a single grid point.
std::optional<config::Invariance> grid_point(std::string_view arm);

/// Whether the arm is made from others at the merge: grid-best, oracle.
bool is_derived(std::string_view arm);

/// Whether the arm is ranked: all but the oracle and single grid points.
bool is_contestant(std::string_view arm);

/// Where a kind of arm stands in a list: learned first, then chosen, given, baselines, the oracle last.
int position(std::string_view arm);

/// The metric that ranks arms on a task: the first of top1, map, box_iou, r2, mean_per_class, top5, r2_flat, nme that
/// is there, else the first by name; empty of nothing.
std::string main_metric(const std::set<std::string>& metrics);

/// A value of a metric such that more is better: an error's sign is turned.
double goodness(std::string_view metric, double value);

}  // namespace invaria::report

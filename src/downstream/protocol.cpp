#include <cmath>

#include "downstream/settings.hpp"

namespace invaria::downstream {
namespace {

/// 45 values, 1e-6 to 1e5, evenly spaced in their logarithms, as transfer studies have them (arXiv:2002.05709, App.
/// B.8; arXiv:2011.13377).
config::json::array transfer_penalties() {
  constexpr int kValues = 45;
  config::json::array penalties;
  for (int k = 0; k < kValues; ++k) penalties.emplace_back(std::pow(10.0, -6.0 + 11.0 * k / (kValues - 1)));
  return penalties;
}

}  // namespace

config::json::object protocol_defaults(Protocol protocol) {
  switch (protocol) {
    case Protocol::kSound:
      return {};
    case Protocol::kTransfer:
      return {{"readout", {{"l2", transfer_penalties()}, {"refit", config::name_of(Refit::kTrainAndValidation)}}}};
    case Protocol::kPaper:
      return {{"readout", {{"solver", config::name_of(Solver::kDescent)}}},
              {"projected", {{"choice", config::name_of(Choice::kLoss)}}},
              {"joint", {{"keep", config::name_of(KeptEpoch::kLast)}}},
              {"bn_statistics", config::name_of(BnStatistics::kRunning)}};
  }
  return {};
}

}  // namespace invaria::downstream

#include "objective/footprint.hpp"

#include "core/errors.hpp"

namespace invaria::objective {

Footprint footprint(const ObjectiveSettings& settings) {
  switch (settings.kind) {
    case Kind::kSimclr:
      return {};
    case Kind::kMocoV2:
      return {.views_kept = 1, .momentum_encoder = true, .keys_per_corner = settings.queue};
    case Kind::kMocoV3:
      return {.views_kept = 2, .momentum_encoder = true, .keys_per_corner = 0};
  }
  throw PreconditionError("footprint: a kind without one");
}

}  // namespace invaria::objective

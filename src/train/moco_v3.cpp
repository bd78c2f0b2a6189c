// MoCo v3 (arXiv:2104.02057, Alg. 1): q = predictor(projector(encoder(x))), k = momentum(x), without gradient;
// loss = ctr(q_1, k_2) + ctr(q_2, k_1) with ctr = 2 t InfoNCE over the keys of the global batch. Each view goes through
// the encoder by itself, so that BatchNorm sees one view at a time, as in the authors' code.
//
// Shape legend: N pictures of the global batch, n of this rank's share, C embedding channels.
#include <ATen/ATen.h>

#include <array>

#include "objective/info_nce.hpp"
#include "train/momentum_encoder.hpp"
#include "train/objective.hpp"
#include "train/objective_kind.hpp"

namespace invaria::train {
namespace {

constexpr const char* kMomentum = "momentum/";
constexpr const char* kPredictors = "predictors/";

class MocoV3 final : public Objective {
 public:
  explicit MocoV3(const ObjectiveStart& start)
      : settings_(start.plan.settings.objective),
        steps_(start.plan.settings.steps),
        momentum_(start),
        predictors_(start.plan.settings.predictor, start.plan.settings.projection.out, start.heads.size(),
                    static_cast<uint64_t>(start.plan.seed)) {}

  std::vector<ViewPlace> views(int64_t, const std::vector<CornerBlock>& blocks,
                               const data::Share& share) const override {
    return both_views(blocks, share);
  }

  Evaluation evaluate(const StepInputs& inputs, const Ranks& ranks) override {
    const auto batch_norm = model::BatchNormPass::train(ranks.sum_over_ranks);
    const int64_t head = head_of(inputs.heads, inputs.corner());
    const model::Generated of_keys = momentum_.generate(inputs.plan.corners[inputs.corner()]);
    const int64_t n = ranks.share().count;
    std::array<at::Tensor, 2> query_nC, keys_NC;
    for (size_t view = 0; view < 2; ++view) {
      const int64_t first = static_cast<int64_t>(view) * n;
      const at::Tensor images_nCHW = inputs.views_BCHW.narrow(0, first, n);
      const model::ForwardPass pass = inputs.pass(batch_norm, first, n);
      const at::Tensor features_nD = inputs.encoder.forward(images_nCHW, inputs.generated, pass);
      query_nC[view] = objective::unit_rows(
          predictors_.forward(head, inputs.heads.forward(head, features_nD, batch_norm), batch_norm));
      keys_NC[view] = ranks.gather_values(momentum_.keys(images_nCHW, of_keys, head, pass));
    }
    const auto contrast = [&](size_t query, size_t key) {
      return objective::info_nce(query_nC[query], keys_NC[key], settings_.temperature, ranks.place());
    };
    const objective::Contrast forth = contrast(0, 1);
    const objective::Contrast back = contrast(1, 0);
    return {{2.0 * settings_.temperature * (forth.loss + back.loss), 0.5 * (forth.top1 + back.top1)},
            query_nC[0].detach(),
            query_nC[1].detach()};
  }

  std::vector<const model::Parameter*> parameters(int64_t head) const override {
    std::vector<const model::Parameter*> parameters;
    for (const model::Parameter& parameter : predictors_.parameters(head)) parameters.push_back(&parameter);
    return parameters;
  }

  WeightAverages averages(int64_t step, std::span<const int64_t> heads) const override {
    return momentum_.averages(objective::momentum_at(settings_, step + 1, steps_), heads);
  }

  model::StateDict state() const override {
    model::StateDict state;
    add_prefixed(state, kMomentum, momentum_.state());
    add_prefixed(state, kPredictors, predictors_.state());
    return state;
  }

  void load_state(const model::StateDict& state) override {
    momentum_.load_state(take_prefixed(state, kMomentum));
    predictors_.load_state(take_prefixed(state, kPredictors));
  }

  void to(c10::Device device) override {
    momentum_.to(device);
    predictors_.to(device);
  }

 private:
  objective::ObjectiveSettings settings_;
  int64_t steps_;
  MomentumEncoder momentum_;
  model::ProjectionHeads predictors_;
};

constexpr const char* kReads[] = {"momentum", "momentum_schedule"};

}  // namespace

/// MoCo v3 (arXiv:2104.02057): momentum encoder, predictors, symmetric loss over the batch.
constinit const ObjectiveKind kinds::kMocoV3{
    .make = [](const ObjectiveStart& start) -> std::unique_ptr<Objective> { return std::make_unique<MocoV3>(start); },
    .footprint =
        [](const objective::ObjectiveSettings&) {
          return Footprint{.views_kept = 2, .momentum_encoder = true, .keys_per_corner = 0};
        },
    .reads = kReads,
    .has_predictor = true,
};

}  // namespace invaria::train

#include <ATen/ATen.h>

#include "objective/nt_xent.hpp"
#include "train/objective.hpp"

namespace invaria::train {
namespace {

class Simclr final : public Objective {
 public:
  explicit Simclr(double temperature) : temperature_(temperature) {}

  std::vector<ViewPlace> views(int64_t, const data::Share& share) const override { return both_views(share); }

  Evaluation evaluate(const StepInputs& inputs, const Ranks& ranks) override {
    const auto batch_norm = model::BatchNormPass::train(ranks.sum_over_ranks);
    const at::Tensor features_BD = inputs.encoder.forward(inputs.views_BCHW, inputs.generated,
                                                          inputs.pass(batch_norm, 0, inputs.views_BCHW.size(0)));
    const at::Tensor embeddings_BC = inputs.heads.forward(inputs.head, features_BD, batch_norm);
    const int64_t n = ranks.share().count;
    const at::Tensor first_nC = embeddings_BC.narrow(0, 0, n);
    const at::Tensor second_nC = embeddings_BC.narrow(0, n, n);
    return {objective::nt_xent(first_nC, second_nC, temperature_, ranks.place(), ranks.gather),
            objective::unit_rows(first_nC.detach()), objective::unit_rows(second_nC.detach())};
  }

 private:
  double temperature_;
};

}  // namespace

std::unique_ptr<Objective> make_simclr(const ObjectiveStart& start) {
  return std::make_unique<Simclr>(start.plan.settings.objective.temperature);
}

}  // namespace invaria::train

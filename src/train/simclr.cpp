// Where corners are mixed in a batch, each block of it is a batch of its own: contrasted within itself, through its
// corner's head, normalised by its own statistics. What one block's ranks have to say to each other all ranks say, also
// those that hold none of it.
//
// Shape legend: N pictures of the global batch, B views of this rank, C embedding channels, D features.
#include <ATen/ATen.h>

#include <algorithm>

#include "objective/nt_xent.hpp"
#include "train/objective.hpp"
#include "train/objective_kind.hpp"

namespace invaria::train {
namespace {

/// The encoder's BatchNorm groups: blocks of the batch, two views a picture.
model::BatchNormGroups groups_of_blocks(const std::vector<CornerBlock>& blocks, const Ranks& ranks) {
  model::BatchNormGroups groups;
  groups.total = static_cast<int64_t>(blocks.size());
  int64_t row = 0;
  for (size_t block = 0; block < blocks.size(); ++block) {
    const int64_t rows = 2 * part_of(blocks[block], ranks.share()).count;
    if (rows > 0 && groups.local.empty()) groups.first = static_cast<int64_t>(block);
    if (rows > 0) groups.local.push_back({row, rows});
    row += rows;
    const auto lies_on = [&](const data::Share& share) { return part_of(blocks[block], share).count > 0; };
    groups.is_split |= std::count_if(ranks.shares.begin(), ranks.shares.end(), lies_on) > 1;
  }
  return groups;
}

/// A head's: one group of all ranks' rows, of which this rank may have none.
model::BatchNormGroups one_group(int64_t rows, const Ranks& ranks) {
  return {{{0, rows}}, 0, 1, ranks.shares.size() > 1};
}

class Simclr final : public Objective {
 public:
  explicit Simclr(double temperature) : temperature_(temperature) {}

  std::vector<ViewPlace> views(int64_t, const std::vector<CornerBlock>& blocks,
                               const data::Share& share) const override {
    return both_views(blocks, share);
  }

  Evaluation evaluate(const StepInputs& inputs, const Ranks& ranks) override {
    const model::BatchNormGroups groups = groups_of_blocks(inputs.blocks, ranks);
    const at::Tensor features_BD = inputs.encoder.forward(
        inputs.views_BCHW, inputs.generated,
        inputs.pass(model::BatchNormPass::train(ranks.sum_over_ranks, groups), 0, inputs.views_BCHW.size(0)));

    std::vector<at::Tensor> losses, hits, first, second;
    int64_t row = 0;
    for (const CornerBlock& block : inputs.blocks) {
      const data::Share part = part_of(block, ranks.share());
      const model::BatchNormGroups rows = one_group(2 * part.count, ranks);
      const at::Tensor embeddings_BC =
          inputs.heads.forward(head_of(inputs.heads, block.corner), features_BD.narrow(0, row, 2 * part.count),
                               model::BatchNormPass::train(ranks.sum_over_ranks, rows));
      const at::Tensor first_nC = embeddings_BC.narrow(0, 0, part.count);
      const at::Tensor second_nC = embeddings_BC.narrow(0, part.count, part.count);
      const objective::Contrast contrast = objective::nt_xent(first_nC, second_nC, temperature_,
                                                              {.first = part.count > 0 ? part.first - block.first : 0,
                                                               .total = block.count,
                                                               .n_ranks = ranks.place().n_ranks},
                                                              ranks.gather);
      const double weight = static_cast<double>(block.count) / static_cast<double>(ranks.place().total);
      losses.push_back(contrast.loss * weight);
      hits.push_back(contrast.top1 * weight);
      first.push_back(objective::unit_rows(first_nC.detach()));
      second.push_back(objective::unit_rows(second_nC.detach()));
      row += 2 * part.count;
    }
    return {{at::stack(losses).sum(), at::stack(hits).sum()}, at::cat(first), at::cat(second)};
  }

 private:
  double temperature_;
};

}  // namespace

/// SimCLR (arXiv:2002.05709): both views through one forward pass, NT-Xent over all ranks with gradient.
constinit const ObjectiveKind kinds::kSimclr{
    .make = [](const ObjectiveStart& start) -> std::unique_ptr<Objective> {
      return std::make_unique<Simclr>(start.plan.settings.objective.temperature);
    },
    .footprint = [](const objective::ObjectiveSettings&) { return Footprint{}; },
    .reads = {},
    .mixes_corners = true,
};

}  // namespace invaria::train

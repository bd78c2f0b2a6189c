// Query: this rank's pictures in their first views. Keys: second views of a share of the batch, by the momentum
// encoder; every rank gets all of them and puts them in batch order, so that queues do not depend on the ranks.
//
// BatchNorm in groups would let a query find its key by the statistics that both were normalised with
// (arXiv:1911.05722, Sec. 3.3). The batch is therefore permuted for the keys. No picture travels: a rank makes and
// encodes the key views at its places of the permuted batch, and only keys are gathered.
//
// Shape legend: N pictures of the global batch, n of this rank's share, C embedding channels.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <numeric>

#include "core/philox.hpp"
#include "objective/info_nce.hpp"
#include "objective/key_queue.hpp"
#include "train/momentum_encoder.hpp"
#include "train/objective.hpp"
#include "train/objective_kind.hpp"

namespace invaria::train {
namespace {

constexpr const char* kMomentum = "momentum/";

std::string queue_prefix(size_t corner) {
  return fmt::format("queue.{}/", corner);
}

class MocoV2 final : public Objective {
 public:
  explicit MocoV2(const ObjectiveStart& start)
      : settings_(start.plan.settings.objective),
        steps_(start.plan.settings.steps),
        global_batch_(start.plan.settings.global_batch),
        seed_(static_cast<uint64_t>(start.plan.seed)),
        momentum_(start) {
    for (size_t corner = 0; corner < std::max<size_t>(start.plan.corners.size(), 1); ++corner) {
      queues_.emplace_back(settings_.queue, start.plan.settings.projection.out,
                           objective::QueueAddress{seed_, static_cast<uint64_t>(corner)});
    }
  }

  std::vector<ViewPlace> views(int64_t step, const std::vector<CornerBlock>&, const data::Share& share) const override {
    const std::vector<int64_t> order = key_order(step);
    std::vector<ViewPlace> places;
    for (int64_t index = share.first; index < share.first + share.count; ++index) places.push_back({index, 0});
    for (int64_t index = share.first; index < share.first + share.count; ++index)
      places.push_back({order[static_cast<size_t>(index)], 1});
    return places;
  }

  Evaluation evaluate(const StepInputs& inputs, const Ranks& ranks) override {
    const data::Share& share = ranks.share();
    const int64_t n = share.count;
    const int64_t head = head_of(inputs.heads, inputs.corner());
    const model::BatchNormGroups groups = batch_norm_groups(ranks);
    const auto batch_norm = model::BatchNormPass::train(ranks.sum_over_ranks, groups);
    const at::Tensor made_nC =
        momentum_.keys(inputs.views_BCHW.narrow(0, n, n), momentum_.generate(inputs.plan.corners[inputs.corner()]),
                       head, inputs.pass(batch_norm, n, n));
    const at::Tensor keys_NC = in_batch_order(ranks.gather_values(made_nC), key_order(inputs.step));
    const at::Tensor features_nD =
        inputs.encoder.forward(inputs.views_BCHW.narrow(0, 0, n), inputs.generated, inputs.pass(batch_norm, 0, n));
    const at::Tensor query_nC = objective::unit_rows(inputs.heads.forward(head, features_nD, batch_norm));

    const objective::KeyQueue& queue = queues_[inputs.corner()];
    const at::Tensor pictures_N = at::tensor(inputs.pictures, at::kLong).to(keys_NC.device());
    objective::Negatives negatives{queue.keys(), {}};
    if (settings_.mask_own_keys) negatives.excluded_nM = queue.own_keys(pictures_N.narrow(0, share.first, n));
    const at::Tensor positive_nC = keys_NC.narrow(0, share.first, n);
    evaluated_ = {inputs.corner(), keys_NC, pictures_N};
    return {objective::info_nce(query_nC, positive_nC, negatives, settings_.temperature, ranks.place()),
            query_nC.detach(), positive_nC};
  }

  WeightAverages averages(int64_t step, std::span<const int64_t> heads) const override {
    return momentum_.averages(objective::momentum_at(settings_, step + 1, steps_), heads);
  }

  void finish_step() override {
    queues_[evaluated_.corner].push(evaluated_.keys_NC, evaluated_.pictures_N);
    evaluated_ = {};
  }

  model::StateDict state() const override {
    model::StateDict state;
    add_prefixed(state, kMomentum, momentum_.state());
    for (size_t corner = 0; corner < queues_.size(); ++corner)
      add_prefixed(state, queue_prefix(corner), queues_[corner].state());
    return state;
  }

  void load_state(const model::StateDict& state) override {
    momentum_.load_state(take_prefixed(state, kMomentum));
    for (size_t corner = 0; corner < queues_.size(); ++corner)
      queues_[corner].load_state(take_prefixed(state, queue_prefix(corner)));
  }

  void to(c10::Device device) override {
    momentum_.to(device);
    for (objective::KeyQueue& queue : queues_) queue.to(device);
  }

 private:
  /// The batch's positions in the order in which keys are made: a permutation addressed by seed and step.
  std::vector<int64_t> key_order(int64_t step) const {
    std::vector<int64_t> order(static_cast<size_t>(global_batch_));
    std::iota(order.begin(), order.end(), int64_t{0});
    if (settings_.batch_norm == objective::BatchNormScope::kSync)
      return order;  // one group: its statistics tell no key from another
    Draws draws({.seed = seed_, .purpose = Purpose::kKeyShuffle, .sample = static_cast<uint64_t>(step)});
    draws.shuffle(std::span(order));
    return order;
  }

  /// Keys as they were made, row k for position order[k], to batch order.
  static at::Tensor in_batch_order(const at::Tensor& made_NC, const std::vector<int64_t>& order) {
    const at::Tensor place_N = at::tensor(order, at::kLong).to(made_NC.device());
    return at::empty_like(made_NC).index_copy_(0, place_N, made_NC);
  }

  /// Of the settings' size, or one of the whole batch.
  model::BatchNormGroups batch_norm_groups(const Ranks& ranks) const {
    const bool in_groups = settings_.batch_norm == objective::BatchNormScope::kGroups;
    std::vector<model::RowRange> rows;
    for (const data::Share& share : ranks.shares) rows.push_back({share.first, share.count});
    return model::groups_of_size(in_groups ? settings_.batch_norm_group : global_batch_, rows, ranks.rank);
  }

  /// What the step's evaluation leaves for its end.
  struct Evaluated {
    size_t corner = 0;
    at::Tensor keys_NC;
    at::Tensor pictures_N;
  };

  objective::ObjectiveSettings settings_;
  int64_t steps_;
  int64_t global_batch_;
  uint64_t seed_;
  MomentumEncoder momentum_;
  std::vector<objective::KeyQueue> queues_;  ///< one a corner, also where corners share a head: keys never mix
  Evaluated evaluated_;
};

constexpr const char* kReads[] = {"momentum",      "momentum_schedule", "queue",
                                  "mask_own_keys", "batch_norm",        "batch_norm_group"};

std::vector<UnreadSetting> unread(const objective::ObjectiveSettings& settings) {
  if (settings.batch_norm == objective::BatchNormScope::kGroups) return {};
  return {{"objective.batch_norm_group", "batch_norm is sync"}};
}

void validate(const PretrainSettings& settings, const std::string& path, config::Problems& problems) {
  const objective::ObjectiveSettings& moco = settings.objective;
  if (moco.queue < settings.global_batch) {
    problems.add(config::join_path(path, "objective.queue"), fmt::format("{}", moco.queue),
                 fmt::format("at least global_batch, {}", settings.global_batch), "a step adds a batch of keys");
  }
  if (moco.batch_norm == objective::BatchNormScope::kGroups && settings.global_batch % moco.batch_norm_group != 0) {
    problems.add(config::join_path(path, "objective.batch_norm_group"), fmt::format("{}", moco.batch_norm_group),
                 fmt::format("a divisor of global_batch, {}", settings.global_batch));
  }
}

}  // namespace

/// MoCo v2 (arXiv:2003.04297): momentum encoder and a queue of keys per corner.
constinit const ObjectiveKind kinds::kMocoV2{
    .make = [](const ObjectiveStart& start) -> std::unique_ptr<Objective> { return std::make_unique<MocoV2>(start); },
    .footprint =
        [](const objective::ObjectiveSettings& settings) {
          return Footprint{.views_kept = 1, .momentum_encoder = true, .keys_per_corner = settings.queue};
        },
    .reads = kReads,
    .unread = unread,
    .validate = validate,
};

}  // namespace invaria::train

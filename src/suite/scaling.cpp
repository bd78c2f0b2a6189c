#include "suite/scaling.hpp"

#include <algorithm>
#include <cmath>

#include "model/cost.hpp"
#include "model/encoder.hpp"
#include "model/projection_heads.hpp"

namespace invaria::suite {
namespace {

/// Of `bytes` over all ranks.
double sum_s(double bytes, const Network& network, int64_t ranks) {
  const auto n = static_cast<double>(ranks);
  const double rounds = std::ceil(std::log2(n));
  const double ring = 2.0 * (n - 1.0) * network.latency_s + 2.0 * (n - 1.0) / n * bytes / network.bytes_per_s;
  return std::min(ring, rounds * (network.latency_s + bytes / network.bytes_per_s));
}

/// Every rank gets `bytes` in all, its own share included; or, the other way, sums and keeps a share.
double gather_s(double bytes, const Network& network, int64_t ranks) {
  const auto n = static_cast<double>(ranks);
  return std::ceil(std::log2(n)) * network.latency_s + (n - 1.0) / n * bytes / network.bytes_per_s;
}

int64_t count_batch_norms(const model::StateDict& buffers) {
  return std::count_if(buffers.begin(), buffers.end(),
                       [](const auto& entry) { return entry.first.ends_with("num_batches_tracked"); });
}

}  // namespace

StepMessages messages_of(const train::EncoderPlan& plan) {
  const train::PretrainSettings& settings = plan.settings;
  model::EncoderSettings plain = settings.model;  // as many normalisations, and no gigabytes of a hypernetwork
  plain.conditioning = model::Conditioning::kNone;
  const model::Encoder encoder(plain, 0, 0, plan.view_shape());
  const model::ProjectionHeads head(settings.projection, encoder.feature_dim(), 1, 0);
  auto gradients = static_cast<double>(model::count_parameters(settings.model, plan.n_axes(), plan.view_shape()).dense);
  for (const model::Parameter& parameter : head.parameters(0))
    gradients += static_cast<double>(parameter.value.numel());
  return {.gradient_bytes = sizeof(float) * gradients,
          .embedding_bytes = sizeof(float) * 2.0 * static_cast<double>(settings.projection.out),
          .small_sums = 2 * (count_batch_norms(encoder.buffers()) + count_batch_norms(head.state()))};
}

ScaledStep scaled_step(const StepTime& time, const StepMessages& messages, const Network& network, int64_t pictures,
                       int64_t ranks) {
  constexpr double kBackward = 2.0 / 3.0;
  const auto share = static_cast<double>((pictures + ranks - 1) / ranks);
  const double of_pictures_s = share * time.picture_s;
  if (ranks == 1) return {time.fixed_s + of_pictures_s, 0.0};
  const double gradients_s = sum_s(messages.gradient_bytes, network, ranks);
  const double embeddings_s = 2.0 * gather_s(messages.embedding_bytes * static_cast<double>(pictures), network, ranks);
  const double sums_s = static_cast<double>(messages.small_sums) * sum_s(0.0, network, ranks);
  return {time.fixed_s + of_pictures_s, std::max(0.0, gradients_s - kBackward * of_pictures_s) + embeddings_s + sums_s};
}

}  // namespace invaria::suite

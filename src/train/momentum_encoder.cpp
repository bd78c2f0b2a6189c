#include "train/momentum_encoder.hpp"

#include <ATen/ATen.h>

namespace invaria::train {
namespace {

constexpr const char* kEncoder = "encoder/";
constexpr const char* kHeads = "heads/";

}  // namespace

MomentumEncoder::MomentumEncoder(const ObjectiveStart& start)
    : encoder_(fresh_encoder(start.plan)), heads_(fresh_heads(start.plan, encoder_.feature_dim())) {
  encoder_.load_state(start.encoder.state());
  heads_.load_state(start.heads.state());
}

model::Generated MomentumEncoder::generate(const config::Invariance& invariance) const {
  return encoder_.generate(invariance);
}

at::Tensor MomentumEncoder::keys(const at::Tensor& views_nCHW, const model::Generated& generated, int64_t head,
                                 const model::ForwardPass& pass) const {
  const at::NoGradGuard no_grad;
  return objective::unit_rows(heads_.forward(head, encoder_.forward(views_nCHW, generated, pass), pass.batch_norm));
}

WeightAverages MomentumEncoder::averages(double momentum, std::span<const int64_t> heads) const {
  WeightAverages averages{momentum, {}};
  for (const model::Parameter& parameter : encoder_.parameters()) averages.values[parameter.name] = parameter.value;
  for (const model::FactoredParameter& parameter : encoder_.factored_parameters())
    averages.values[parameter.name] = parameter.value_PH;
  for (const int64_t head : heads) {
    for (const model::Parameter& parameter : heads_.parameters(head)) averages.values[parameter.name] = parameter.value;
  }
  return averages;
}

model::StateDict MomentumEncoder::state() const {
  model::StateDict state;
  add_prefixed(state, kEncoder, encoder_.state());
  add_prefixed(state, kHeads, heads_.state());
  return state;
}

void MomentumEncoder::load_state(const model::StateDict& state) {
  encoder_.load_state(take_prefixed(state, kEncoder));
  heads_.load_state(take_prefixed(state, kHeads));
}

void MomentumEncoder::to(c10::Device device) {
  encoder_.to(device);
  heads_.to(device);
}

}  // namespace invaria::train

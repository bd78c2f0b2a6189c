#include "model/projection_heads.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "core/errors.hpp"
#include "model/initialise.hpp"
#include "model/state.hpp"

namespace invaria::model {
namespace {

/// Places in Head::parameters.
enum Place : size_t { kLinear1, kScale, kShift, kLinear2, kBias2 };

struct Head {
  std::vector<Parameter> parameters;
  BatchNormLayer batch_norm;

  void link() {
    batch_norm.weight_C = parameters[kScale].value;
    batch_norm.bias_C = parameters[kShift].value;
  }
};

std::string prefix_of(size_t head) {
  return fmt::format("projector.{}.", head);
}

/// torch.nn.Linear's default: kaiming_uniform_(a = sqrt 5) comes to U(-1, 1) / sqrt(fan_in), weight and bias alike.
at::Tensor linear_tensor(at::IntArrayRef shape, int64_t fan_in, const InitAddress& address) {
  const at::Tensor values = at::empty(shape, at::kFloat);
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  fill_uniform(values, -bound, bound, address);
  return values;
}

Head make_head(const ProjectionSettings& settings, int64_t feature_dim, size_t number, uint64_t seed) {
  const std::string prefix = prefix_of(number);
  const auto address = [&](Place place) { return InitAddress{seed, TensorFamily::kProjector, 8 * number + place}; };
  const int64_t hidden = settings.hidden;
  Head head;
  head.parameters = {
      {prefix + "linear1.weight", linear_tensor({hidden, feature_dim}, feature_dim, address(kLinear1)), true},
      {prefix + "bn1.weight", at::ones({hidden}), false},
      {prefix + "bn1.bias", at::zeros({hidden}), false},
      {prefix + "linear2.weight", linear_tensor({settings.out, hidden}, hidden, address(kLinear2)), true},
      {prefix + "linear2.bias", linear_tensor({settings.out}, hidden, address(kBias2)), false},
  };
  head.batch_norm = {{}, {}, at::zeros({hidden}), at::ones({hidden}), at::zeros({}, at::kLong)};
  for (Parameter& parameter : head.parameters) parameter.value.requires_grad_();
  head.link();
  return head;
}

}  // namespace

struct ProjectionHeads::Impl {
  std::vector<Head> heads;

  const Head& at(int64_t head) const {
    require(head >= 0 && head < static_cast<int64_t>(heads.size()), "ProjectionHeads: head {} of {}", head,
            heads.size());
    return heads[static_cast<size_t>(head)];
  }
};

ProjectionHeads::ProjectionHeads(const ProjectionSettings& settings, int64_t feature_dim, int64_t n_heads,
                                 uint64_t seed)
    : impl_(std::make_shared<Impl>()) {
  require(n_heads >= 1, "ProjectionHeads: {} heads, expected at least 1", n_heads);
  for (size_t head = 0; head < static_cast<size_t>(n_heads); ++head) {
    impl_->heads.push_back(make_head(settings, feature_dim, head, seed));
  }
}

at::Tensor ProjectionHeads::forward(int64_t head_index, const at::Tensor& features_BD,
                                    const BatchNormPass& pass) const {
  require(pass.is_training() || pass.mode == BatchNormPass::Mode::kRunning,
          "ProjectionHeads: given and collected statistics are the encoder's");
  const Head& head = impl_->at(head_index);
  const auto value = [&](Place place) {
    const at::Tensor& tensor = head.parameters[place].value;
    return pass.is_training() ? tensor : tensor.detach();
  };
  const at::Tensor hidden =
      batch_norm(at::linear(features_BD, value(kLinear1)), head.batch_norm, 0, pass, Activation::kRelu);
  return at::linear(hidden, value(kLinear2), value(kBias2));
}

const std::vector<Parameter>& ProjectionHeads::parameters(int64_t head) const {
  return impl_->at(head).parameters;
}
int64_t ProjectionHeads::size() const {
  return static_cast<int64_t>(impl_->heads.size());
}

StateDict ProjectionHeads::state() const {
  StateDict state;
  for (size_t number = 0; number < impl_->heads.size(); ++number) {
    const Head& head = impl_->heads[number];
    for (const Parameter& parameter : head.parameters) state[parameter.name] = parameter.value.detach();
    state[prefix_of(number) + "bn1.running_mean"] = head.batch_norm.running_mean_C;
    state[prefix_of(number) + "bn1.running_var"] = head.batch_norm.running_var_C;
    state[prefix_of(number) + "bn1.num_batches_tracked"] = head.batch_norm.num_batches_tracked;
  }
  return state;
}

void ProjectionHeads::load_state(const StateDict& state) {
  copy_state(state, this->state(), "the projectors' state does not fit");
}

void ProjectionHeads::to(at::Device device) {
  const at::NoGradGuard no_grad;
  for (Head& head : impl_->heads) {
    for (Parameter& parameter : head.parameters) parameter.value = parameter.value.detach().to(device).requires_grad_();
    for (at::Tensor* buffer :
         {&head.batch_norm.running_mean_C, &head.batch_norm.running_var_C, &head.batch_norm.num_batches_tracked}) {
      *buffer = buffer->to(device);
    }
    head.link();
  }
}

}  // namespace invaria::model

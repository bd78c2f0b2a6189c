#include "train/optimizer.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <cmath>
#include <optional>
#include <string_view>

#include "core/errors.hpp"
#include "train/update_rules.hpp"

namespace invaria::train {
namespace {

constexpr const char* kSteps = ".steps";
constexpr const char* kMoment1 = ".moment_1";
constexpr const char* kMoment2 = ".moment_2";
constexpr const char* kSquaredNorms = ".squared_norms";

bool is_adam(const OptimizerSettings& settings) {
  return settings.algorithm == Algorithm::kAdam || settings.algorithm == Algorithm::kAdamW;
}

UpdateRule make_rule(const OptimizerSettings& settings, double learning_rate, bool decays, int64_t steps,
                     double local_rate) {
  const double decay = decays ? settings.weight_decay : 0.0;
  const auto number = [](double value) { return static_cast<float>(value); };
  switch (settings.algorithm) {
    case Algorithm::kSgd:
      return SgdRule{number(learning_rate), number(settings.momentum), number(decay)};
    case Algorithm::kLars:
      return LarsRule{number(learning_rate * local_rate), number(settings.momentum), number(decay)};
    case Algorithm::kAdam:
    case Algorithm::kAdamW:
      break;
  }
  const bool decoupled = settings.algorithm == Algorithm::kAdamW;
  const double t = static_cast<double>(steps);
  return AdamRule{
      .step_size = number(learning_rate / (1.0 - std::pow(settings.beta1, t))),
      .one_minus_beta1 = number(1.0 - settings.beta1),
      .beta2 = number(settings.beta2),
      .one_minus_beta2 = number(1.0 - settings.beta2),
      .inverse_root = number(1.0 / std::sqrt(1.0 - std::pow(settings.beta2, t))),
      .epsilon = number(settings.epsilon),
      .decay = number(decoupled ? 0.0 : decay),
      .shrink = number(decoupled ? 1.0 - learning_rate * decay : 1.0),
  };
}

// |x|^2 in double as partial sums whose number depends on the shape alone; their sum, taken in order, is the norm.
at::Tensor partial_squared_norms(const at::Tensor& values) {
  if (values.is_cuda()) return at::linalg_vector_norm(values, 2, {}, false, at::kDouble).square().reshape({1});
  const UpdateOperands shape{.rows = values.numel()};
  at::Tensor sums = at::empty({shape.n_chunks()}, at::kDouble);
  const float* numbers = values.data_ptr<float>();
  double* sum = sums.data_ptr<double>();
  at::parallel_for(0, shape.n_chunks(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const int64_t first = chunk * shape.chunk_rows();
      sum[chunk] = squared_norm(numbers + first, std::min(shape.chunk_rows(), shape.rows - first));
    }
  });
  return sums;
}

double sum_in_order(const double* values, int64_t count) {
  double sum = 0.0;
  for (int64_t index = 0; index < count; ++index) sum += values[index];
  return sum;
}

/// Let the pass move the weight's average along, if it has one.
void attach_average(const WeightAverages& averages, const std::string& name, const at::Tensor& weight,
                    UpdateOperands& operands) {
  const auto found = averages.values.find(name);
  if (found == averages.values.end()) return;
  const at::Tensor& average = found->second;
  require(average.sizes() == weight.sizes() && average.scalar_type() == at::kFloat && average.is_contiguous() &&
              average.device() == weight.device(),
          "optimiser: the average of {} must be contiguous float of its shape on its device", name);
  operands.average = average.data_ptr<float>();
  operands.average_rate = static_cast<float>(1.0 - averages.momentum);
}

}  // namespace

// One parameter in one step; holds what `operands` points into.
struct Optimizer::Update {
  std::string name;
  at::Tensor weight;
  at::Tensor gradient;
  at::Tensor hidden;  // undefined: dense
  bool decays = true;
  double rate = 1.0;
  Slot* slot = nullptr;
  UpdateOperands operands;
};

Optimizer::Optimizer(const OptimizerSettings& settings) : settings_(settings) {}

Optimizer::Update Optimizer::prepare(const std::string& name, const at::Tensor& weight, bool decays,
                                     const at::Tensor& gradient, const at::Tensor& hidden) const {
  require(weight.defined() && weight.scalar_type() == at::kFloat && weight.is_contiguous(),
          "optimiser: {} must be float and contiguous", name);
  require(gradient.defined(), "optimiser: {} has no gradient; hand over only parameters that took part in the step",
          name);
  const bool factored = hidden.defined();
  const int64_t columns = factored ? hidden.numel() : 1;
  require(
      gradient.numel() * columns == weight.numel() && (!factored || (weight.dim() == 2 && weight.size(1) == columns)),
      "optimiser: {} has {} numbers, its gradient {} times {}", name, weight.numel(), gradient.numel(), columns);
  const auto fits = [&](const at::Tensor& factor) {
    return factor.scalar_type() == at::kFloat && factor.device() == weight.device();
  };
  require(fits(gradient) && (!factored || fits(hidden)), "optimiser: the gradient of {} must be float on its device",
          name);

  Update update{.name = name,
                .weight = weight,
                .gradient = gradient.contiguous(),
                .hidden = {},
                .decays = decays,
                .rate = 1.0,
                .slot = nullptr,
                .operands = {}};
  if (factored) update.hidden = hidden.contiguous();
  update.operands.weight = weight.data_ptr<float>();
  update.operands.gradient = update.gradient.data_ptr<float>();
  update.operands.hidden = factored ? update.hidden.data_ptr<float>() : nullptr;
  update.operands.rows = update.gradient.numel();
  update.operands.columns = columns;
  return update;
}

// Allocates the moments at a parameter's first step, checks and moves loaded ones to its device.
void Optimizer::make_slot_ready(Update& update) {
  Slot& slot = slots_[update.name];
  const auto ready = [&](at::Tensor& tensor, at::IntArrayRef sizes, at::ScalarType type) {
    if (!tensor.defined()) tensor = at::zeros(sizes, update.weight.options().dtype(type).requires_grad(false));
    if (tensor.sizes() != sizes || tensor.scalar_type() != type) {
      throw_config(
          "the optimiser's state of {} has {} numbers of type {}, expected {} of type {}: it belongs to another model",
          update.name, tensor.numel(), c10::toString(tensor.scalar_type()), c10::multiply_integers(sizes),
          c10::toString(type));
    }
    if (tensor.device() != update.weight.device()) tensor = tensor.to(update.weight.device());
  };
  ready(slot.moment_1, update.weight.sizes(), at::kFloat);
  update.operands.moment_1 = slot.moment_1.data_ptr<float>();
  if (is_adam(settings_)) {
    ready(slot.moment_2, update.weight.sizes(), at::kFloat);
    update.operands.moment_2 = slot.moment_2.data_ptr<float>();
  }
  if (settings_.algorithm == Algorithm::kLars && update.decays) {
    if (!slot.squared_norms.defined()) {
      // The first step: no pass has left the norm behind.
      const at::Tensor now = partial_squared_norms(update.weight.detach());
      slot.squared_norms = at::zeros({update.operands.n_chunks()}, now.options());
      // The weight's own chunks may be fewer than these, which are of a plain list of numbers: where its rows are long.
      if (now.numel() <= slot.squared_norms.numel()) {
        slot.squared_norms.narrow(0, 0, now.numel()).copy_(now);
      } else {
        slot.squared_norms[0] = sum_in_order(now.data_ptr<double>(), now.numel());
      }
    }
    ready(slot.squared_norms, {update.operands.n_chunks()}, at::kDouble);
    update.operands.squared_norms = slot.squared_norms.data_ptr<double>();
  }
  update.slot = &slot;
}

// LARS's local rates. One transfer for all parameters: on CUDA it waits for the device once a step.
std::vector<double> Optimizer::local_rates(const std::vector<Update>& updates) const {
  std::vector<double> rates(updates.size(), 1.0);
  if (settings_.algorithm != Algorithm::kLars) return rates;
  std::vector<at::Tensor> parts;
  for (const Update& update : updates) {
    if (!update.decays) continue;
    parts.push_back(update.slot->squared_norms);
    parts.push_back(partial_squared_norms(update.gradient));
    parts.push_back(update.hidden.defined() ? partial_squared_norms(update.hidden)
                                            : at::ones({1}, parts.back().options()));
  }
  if (parts.empty()) return rates;
  const at::Tensor all = at::cat(parts).cpu();
  const double* next = all.data_ptr<double>();
  size_t part = 0;
  const auto next_norm = [&] {
    const int64_t count = parts[part++].numel();
    const double norm = std::sqrt(sum_in_order(next, count));
    next += count;
    return norm;
  };
  for (size_t index = 0; index < updates.size(); ++index) {
    if (!updates[index].decays) continue;
    const double weight = next_norm();
    double gradient = next_norm();
    gradient *= next_norm();  // |g h^T| = |g| |h|
    if (weight > 0.0 && gradient > 0.0) {
      rates[index] = settings_.trust_coefficient * weight / (gradient + settings_.weight_decay * weight);
    }
  }
  return rates;
}

void Optimizer::step(double learning_rate, std::span<const model::Parameter* const> dense,
                     std::span<const FactoredUpdate> factored, const WeightAverages& averages) {
  const at::NoGradGuard no_grad;
  require(averages.momentum >= 0.0 && averages.momentum <= 1.0, "optimiser: a momentum of {}", averages.momentum);
  std::vector<Update> updates;
  updates.reserve(dense.size() + factored.size());
  for (const model::Parameter* parameter : dense) {
    updates.push_back(prepare(parameter->name, parameter->value, parameter->decays, parameter->value.grad(), {}));
    updates.back().rate = parameter->rate;
  }
  for (const auto& [parameter, gradient] : factored) {
    require(gradient.h_H.defined(), "optimiser: {} has no h", parameter->name);
    updates.push_back(prepare(parameter->name, parameter->value_PH, true, gradient.g_P, gradient.h_H));
  }
  for (Update& update : updates) attach_average(averages, update.name, update.weight, update.operands);
  for (Update& update : updates) make_slot_ready(update);
  const std::vector<double> rates = local_rates(updates);

  std::vector<UpdateRule> rules;
  std::vector<std::pair<size_t, int64_t>> cpu_chunks;  // all parameters' chunks in one parallel region
  for (size_t index = 0; index < updates.size(); ++index) {
    Update& update = updates[index];
    rules.push_back(
        make_rule(settings_, learning_rate * update.rate, update.decays, ++update.slot->steps, rates[index]));
    if (update.weight.is_cuda()) {
      const c10::cuda::CUDAGuard device(update.weight.device());
      update_cuda(rules.back(), update.operands, c10::cuda::getCurrentCUDAStream().stream());
    } else {
      for (int64_t chunk = 0; chunk < update.operands.n_chunks(); ++chunk) cpu_chunks.emplace_back(index, chunk);
    }
  }
  at::parallel_for(0, static_cast<int64_t>(cpu_chunks.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const auto& [index, chunk] = cpu_chunks[static_cast<size_t>(item)];
      update_chunk(rules[index], updates[index].operands, chunk);
    }
  });
}

model::StateDict Optimizer::state() const {
  model::StateDict state;
  for (const auto& [name, slot] : slots_) {
    state[name + kSteps] = at::scalar_tensor(slot.steps, at::kLong);
    state[name + kMoment1] = slot.moment_1;
    if (slot.moment_2.defined()) state[name + kMoment2] = slot.moment_2;
    if (slot.squared_norms.defined()) state[name + kSquaredNorms] = slot.squared_norms;
  }
  return state;
}

void Optimizer::load_state(const model::StateDict& state) {
  std::map<std::string, Slot> slots;
  for (const auto& [name, tensor] : state) {
    const auto parameter = [&](std::string_view suffix) -> std::optional<std::string> {
      if (!name.ends_with(suffix)) return std::nullopt;
      return name.substr(0, name.size() - suffix.size());
    };
    if (const auto counter = parameter(kSteps)) {
      if (tensor.numel() != 1 || tensor.scalar_type() != at::kLong || tensor.item<int64_t>() < 1) {
        throw_config("the optimiser's state: {} must be one positive integer", name);
      }
      slots[*counter].steps = tensor.item<int64_t>();
    } else if (const auto first = parameter(kMoment1)) {
      slots[*first].moment_1 = tensor.clone();
    } else if (const auto second = parameter(kMoment2); second && is_adam(settings_)) {
      slots[*second].moment_2 = tensor.clone();
    } else if (const auto norms = parameter(kSquaredNorms); norms && settings_.algorithm == Algorithm::kLars) {
      slots[*norms].squared_norms = tensor.clone();
    } else {
      throw_config("the optimiser's state: {} is unknown to the algorithm {}", name,
                   config::EnumNames<Algorithm>::kNames[static_cast<size_t>(settings_.algorithm)].second);
    }
  }
  for (const auto& [name, slot] : slots) {
    if (slot.steps < 1 || !slot.moment_1.defined() || slot.moment_2.defined() != is_adam(settings_)) {
      throw_config("the optimiser's state of {} is incomplete: expected {}, {}{}", name, kSteps, kMoment1,
                   is_adam(settings_) ? " and .moment_2" : "");
    }
  }
  slots_ = std::move(slots);
}

}  // namespace invaria::train

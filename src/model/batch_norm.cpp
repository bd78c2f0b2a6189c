#include "model/batch_norm.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>
#include <span>

#include "core/errors.hpp"
#include "core/sha256.hpp"
#include "model/column_kernels.hpp"

namespace invaria::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Channels last: rows B H W, columns C in memory.
at::Tensor channels_last(const at::Tensor& x) {
  return x.dim() == 4 ? x.contiguous(at::MemoryFormat::ChannelsLast) : x.contiguous();
}

at::Tensor empty_channels_last(const at::Tensor& x) {
  return at::empty(x.sizes(), x.options(),
                   x.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
}

MatrixSize matrix_size(const at::Tensor& x) {
  return {x.numel() / x.size(1), x.size(1)};
}

template <class T>
const T* data_or_null(const at::Tensor& x) {
  return x.defined() ? x.const_data_ptr<T>() : nullptr;
}

/// body(T{}) for the tensor's element type, float or double.
template <class Body>
void with_element_type(const at::Tensor& x, const Body& body) {
  if (x.scalar_type() == at::kDouble) {
    body(double{});
  } else {
    body(float{});
  }
}

/// Mean and biased variance [C], and the number of elements behind them [1]; double, on x's device.
struct Moments {
  at::Tensor mean_C;
  at::Tensor var_C;
  at::Tensor count_1;

  at::Tensor invstd_C() const { return (var_C + kBatchNormEpsilon).rsqrt(); }
};

Moments local_moments(const at::Tensor& x) {
  const MatrixSize size = matrix_size(x);
  const auto options = x.options().dtype(at::kDouble);
  const at::Tensor count_1 = at::full({1}, static_cast<double>(size.rows), options);
  if (x.is_cuda()) {
    const auto [mean_C, invstd_C] = at::batch_norm_stats(x, kBatchNormEpsilon);
    return {mean_C.to(at::kDouble), (invstd_C.to(at::kDouble).pow(-2) - kBatchNormEpsilon).clamp_min_(0), count_1};
  }
  const at::Tensor mean_C = at::empty({size.columns}, options);
  const at::Tensor squares_C = at::empty({size.columns}, options);
  with_element_type(x, [&]<class T>(T) {
    column_moments(size, x.const_data_ptr<T>(), mean_C.mutable_data_ptr<double>(),
                   squares_C.mutable_data_ptr<double>());
  });
  return {mean_C, squares_C / static_cast<double>(size.rows), count_1};
}

/// One reduction: sums, sums of squares and counts. Double, so that the difference of squares costs nothing that float
/// had.
Moments over_ranks(const Moments& local, const SumOverRanks& sum_over_ranks) {
  const int64_t n_channels = local.mean_C.size(0);
  at::Tensor sums =
      at::cat({local.mean_C * local.count_1, (local.var_C + local.mean_C.square()) * local.count_1, local.count_1});
  sum_over_ranks(sums);
  const at::Tensor count_1 = sums.narrow(0, 2 * n_channels, 1);
  const at::Tensor mean_C = sums.narrow(0, 0, n_channels) / count_1;
  const at::Tensor var_C = (sums.narrow(0, n_channels, n_channels) / count_1 - mean_C.square()).clamp_min_(0);
  return {mean_C, var_C, count_1};
}

/// y = relu?(scale x + shift (+ residual)) into `y`, which may be x.
void normalise(const at::Tensor& x, const at::Tensor& weight_C, const at::Tensor& bias_C, const Moments& moments,
               const at::Tensor& residual, Activation activation, at::Tensor& y) {
  const at::Tensor invstd_C = moments.invstd_C();
  const bool relu = activation == Activation::kRelu;
  if (x.is_cuda()) {
    y = at::batch_norm_elemt(x, weight_C, bias_C, moments.mean_C.to(x.scalar_type()), invstd_C.to(x.scalar_type()),
                             kBatchNormEpsilon);
    if (residual.defined()) y.add_(residual);
    if (relu) y.relu_();
    return;
  }
  const at::Tensor scale_C = weight_C.to(at::kDouble) * invstd_C;
  const at::Tensor shift_C = (bias_C.to(at::kDouble) - moments.mean_C * scale_C).to(x.scalar_type());
  const at::Tensor cast_scale_C = scale_C.to(x.scalar_type());
  with_element_type(x, [&]<class T>(T) {
    column_affine<T>({.size = matrix_size(x),
                      .x = x.const_data_ptr<T>(),
                      .residual = data_or_null<T>(residual),
                      .scale = cast_scale_C.const_data_ptr<T>(),
                      .shift = shift_C.const_data_ptr<T>(),
                      .relu = relu,
                      .y = y.mutable_data_ptr<T>()});
  });
}

/// Carries the reduction from forward to backward.
struct SumHolder : torch::CustomClassHolder {
  explicit SumHolder(SumOverRanks sum) : sum_over_ranks(std::move(sum)) {}
  SumOverRanks sum_over_ranks;
};

/// What the forward passes save, by position.
enum Saved : size_t { kX, kY, kWeight, kMean, kVar, kCount };

/// Behind the activation: the gradient of y before it.
at::Tensor behind_relu(const at::Tensor& dy, const at::Tensor& y) {
  return y.defined() ? dy * (y > 0) : dy;
}

/// Normalisation by batch statistics, which depend on x.
class BatchNormTrain : public torch::autograd::Function<BatchNormTrain> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight_C,
                            const at::Tensor& bias_C, const std::optional<at::Tensor>& residual,
                            const at::Tensor& mean_C, const at::Tensor& var_C, const at::Tensor& count_1,
                            Activation activation, const SumOverRanks& sum_over_ranks) {
    at::Tensor y = empty_channels_last(x);
    normalise(x, weight_C, bias_C, {mean_C, var_C, count_1}, residual.value_or(at::Tensor()), activation, y);
    context->save_for_backward(
        {x, activation == Activation::kRelu ? y : at::Tensor(), weight_C, mean_C, var_C, count_1});
    context->saved_data["residual"] = residual.has_value() && residual->requires_grad();
    if (sum_over_ranks) {
      context->saved_data["sum"] = at::IValue::make_capsule(c10::make_intrusive<SumHolder>(sum_over_ranks));
    }
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor dy = channels_last(gradients[0]);
    const at::Tensor& x = saved[kX];
    const Moments moments{saved[kMean], saved[kVar], saved[kCount]};
    const at::Tensor invstd_C = moments.invstd_C();
    const bool wants_residual = context->saved_data["residual"].toBool();
    const int64_t n_channels = x.size(1);

    // Local sums of g and g xhat: the gradients of bias and weight, copied before their sums over ranks, which enter
    // dL/dx.
    const at::Tensor g = x.is_cuda() ? behind_relu(dy, saved[kY]) : at::Tensor();
    at::Tensor sums = gradient_sums(x, dy, g, saved[kY], saved[kWeight], moments, invstd_C);
    const at::Tensor dbias_C = sums.narrow(0, 0, n_channels).to(x.scalar_type(), false, true);
    const at::Tensor dweight_C = sums.narrow(0, n_channels, n_channels).to(x.scalar_type(), false, true);
    if (context->saved_data.count("sum") > 0) {
      c10::static_intrusive_pointer_cast<SumHolder>(context->saved_data["sum"].toCapsule())->sum_over_ranks(sums);
    }
    const at::Tensor sum_g_C = sums.narrow(0, 0, n_channels);
    const at::Tensor sum_g_xhat_C = sums.narrow(0, n_channels, n_channels);

    at::Tensor dx, dresidual;
    if (x.is_cuda()) {
      dx = at::batch_norm_backward_elemt(g, x, moments.mean_C.to(x.scalar_type()), invstd_C.to(x.scalar_type()),
                                         saved[kWeight], sum_g_C.to(x.scalar_type()),
                                         (sum_g_xhat_C / invstd_C).to(x.scalar_type()), moments.count_1.to(at::kInt));
      if (wants_residual) dresidual = g;
    } else {
      // dL/dx = w invstd (g - mean(g) - xhat mean(g xhat)), means over all ranks (arXiv:1502.03167, Sec. 3).
      const at::Tensor a_C = saved[kWeight].to(at::kDouble) * invstd_C;
      const at::Tensor b_C = (-a_C * invstd_C * sum_g_xhat_C / moments.count_1).to(x.scalar_type());
      const at::Tensor c_C = (-a_C * sum_g_C / moments.count_1).to(x.scalar_type());
      const at::Tensor cast_a_C = a_C.to(x.scalar_type());
      const at::Tensor mean_C = moments.mean_C.to(x.scalar_type());
      dx = empty_channels_last(x);
      if (wants_residual) dresidual = empty_channels_last(x);
      with_element_type(x, [&]<class T>(T) {
        column_affine_backward<T>({.size = matrix_size(x),
                                   .gradient = {dy.const_data_ptr<T>(), data_or_null<T>(saved[kY])},
                                   .x = x.const_data_ptr<T>(),
                                   .mean = mean_C.const_data_ptr<T>(),
                                   .a = cast_a_C.const_data_ptr<T>(),
                                   .b = b_C.const_data_ptr<T>(),
                                   .c = c_C.const_data_ptr<T>(),
                                   .dx = dx.mutable_data_ptr<T>(),
                                   .dresidual = wants_residual ? dresidual.mutable_data_ptr<T>() : nullptr});
      });
    }
    return {dx, dweight_C, dbias_C, dresidual, {}, {}, {}, {}, {}};
  }

 private:
  /// [2 C] double: sum g, then sum g xhat.
  static at::Tensor gradient_sums(const at::Tensor& x, const at::Tensor& dy, const at::Tensor& g, const at::Tensor& y,
                                  const at::Tensor& weight_C, const Moments& moments, const at::Tensor& invstd_C) {
    const at::Tensor mean_C = moments.mean_C.to(x.scalar_type());
    if (x.is_cuda()) {
      const auto reduced =
          at::batch_norm_backward_reduce(g, x, mean_C, invstd_C.to(x.scalar_type()), weight_C, true, false, false);
      return at::cat({std::get<0>(reduced).to(at::kDouble), std::get<1>(reduced).to(at::kDouble) * invstd_C});
    }
    const int64_t n_channels = x.size(1);
    at::Tensor sums = at::empty({2 * n_channels}, moments.mean_C.options());
    double* sum_g = sums.mutable_data_ptr<double>();
    with_element_type(x, [&]<class T>(T) {
      column_gradient_sums<T>(matrix_size(x), {dy.const_data_ptr<T>(), data_or_null<T>(y)}, x.const_data_ptr<T>(),
                              mean_C.const_data_ptr<T>(), sum_g, sum_g + n_channels);
    });
    sums.narrow(0, n_channels, n_channels).mul_(invstd_C);
    return sums;
  }
};

/// Normalisation by given statistics: an affine map of x.
class BatchNormFrozen : public torch::autograd::Function<BatchNormFrozen> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const std::optional<at::Tensor>& residual,
                            const at::Tensor& weight_C, const at::Tensor& bias_C, const Moments& moments,
                            Activation activation) {
    at::Tensor y = empty_channels_last(x);
    normalise(x, weight_C, bias_C, moments, residual.value_or(at::Tensor()), activation, y);
    const at::Tensor scale_C = (weight_C.to(at::kDouble) * moments.invstd_C()).to(x.scalar_type());
    context->save_for_backward({activation == Activation::kRelu ? y : at::Tensor(), scale_C});
    context->saved_data["residual"] = residual.has_value() && residual->requires_grad();
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor dy = channels_last(gradients[0]);
    const at::Tensor& y = saved[0];
    const bool wants_residual = context->saved_data["residual"].toBool();
    at::Tensor dx, dresidual;
    if (dy.is_cuda()) {
      const at::Tensor g = behind_relu(dy, y);
      dx = g * (dy.dim() == 4 ? saved[1].view({1, -1, 1, 1}) : saved[1]);
      if (wants_residual) dresidual = g;
    } else {
      dx = empty_channels_last(dy);
      if (wants_residual) dresidual = empty_channels_last(dy);
      with_element_type(dy, [&]<class T>(T) {
        column_affine_backward<T>({.size = matrix_size(dy),
                                   .gradient = {dy.const_data_ptr<T>(), data_or_null<T>(y)},
                                   .a = saved[1].const_data_ptr<T>(),
                                   .dx = dx.mutable_data_ptr<T>(),
                                   .dresidual = wants_residual ? dresidual.mutable_data_ptr<T>() : nullptr});
      });
    }
    return {dx, dresidual, {}, {}, {}, {}};
  }
};

Moments given_moments(const at::Tensor& mean_C, const at::Tensor& var_C) {
  return {mean_C.detach().to(at::kDouble), var_C.detach().to(at::kDouble), {}};
}

/// As torch.nn.BatchNorm2d: momentum 0.1, unbiased variance.
void move_running_averages(const BatchNormLayer& layer, const Moments& moments) {
  const at::NoGradGuard no_grad;
  const at::Tensor unbiased_C = moments.var_C * (moments.count_1 / (moments.count_1 - 1));
  layer.running_mean_C.lerp_(moments.mean_C.to(layer.running_mean_C.scalar_type()), kBatchNormMomentum);
  layer.running_var_C.lerp_(unbiased_C.to(layer.running_var_C.scalar_type()), kBatchNormMomentum);
  layer.num_batches_tracked.add_(1);
}

/// The statistics of this pass, and their side effects.
Moments moments_of_pass(const at::Tensor& x, const BatchNormLayer& layer, size_t layer_index,
                        const BatchNormPass& pass) {
  using Mode = BatchNormPass::Mode;
  if (pass.mode == Mode::kRunning) return given_moments(layer.running_mean_C, layer.running_var_C);
  if (pass.mode == Mode::kGiven) {
    require(pass.given != nullptr && layer_index < pass.given->mean_C.size() && layer_index < pass.given->var_C.size(),
            "batch_norm: no given statistics for layer {}", layer_index);
    return given_moments(pass.given->mean_C[layer_index].to(x.device()), pass.given->var_C[layer_index].to(x.device()));
  }

  const at::NoGradGuard no_grad;
  const bool is_shared = pass.is_training() && pass.sum_over_ranks;
  require(is_shared || x.numel() / x.size(1) > 1, "batch_norm: batch statistics of one number a channel (layer {})",
          layer_index);
  if (pass.is_training()) {
    const Moments local = local_moments(x);
    Moments moments = is_shared ? over_ranks(local, pass.sum_over_ranks) : local;
    move_running_averages(layer, moments);
    return moments;
  }
  require(pass.collected != nullptr && !pass.collected->empty() && layer_index < pass.collected->back().mean_C.size(),
          "batch_norm: kCollect without a place for layer {}", layer_index);
  Moments moments = local_moments(x);
  pass.collected->back().mean_C[layer_index] = moments.mean_C.to(x.scalar_type());
  pass.collected->back().var_C[layer_index] = moments.var_C.to(x.scalar_type());
  return moments;
}

}  // namespace

std::string BatchNormStatistics::hash() const {
  Sha256 sha;
  for (const std::vector<at::Tensor>* tensors : {&mean_C, &var_C}) {
    for (const at::Tensor& tensor : *tensors) {
      const at::Tensor bytes = tensor.to(at::kCPU, at::kFloat).contiguous();
      sha.update(fmt::format("[{}]", bytes.numel()));
      sha.update(std::as_bytes(std::span(bytes.const_data_ptr<float>(), static_cast<size_t>(bytes.numel()))));
    }
  }
  return sha.hex();
}

at::Tensor batch_norm(const at::Tensor& x_any, const BatchNormLayer& layer, size_t layer_index,
                      const BatchNormPass& pass, Activation activation, const at::Tensor& residual_any) {
  require((x_any.dim() == 4 || x_any.dim() == 2) && x_any.scalar_type() == layer.weight_C.scalar_type() &&
              x_any.size(1) == layer.weight_C.size(0),
          "batch_norm: x is {} of shape [{}], expected {} [B, {}] or [B, {}, H, W]", c10::toString(x_any.scalar_type()),
          fmt::join(x_any.sizes(), ", "), c10::toString(layer.weight_C.scalar_type()), layer.weight_C.size(0),
          layer.weight_C.size(0));
  require(!residual_any.defined() || residual_any.sizes() == x_any.sizes(),
          "batch_norm: the residual's shape differs from x's");
  at::Tensor x = channels_last(x_any);
  const at::Tensor residual = residual_any.defined() ? channels_last(residual_any) : at::Tensor();
  const Moments moments = moments_of_pass(x, layer, layer_index, pass);

  if (!at::GradMode::is_enabled()) {
    normalise(x, layer.weight_C, layer.bias_C, moments, residual, activation, x);
    return x;
  }
  // An undefined tensor is no variable to autograd; an empty optional may be.
  const std::optional<at::Tensor> given_residual = residual.defined() ? std::optional(residual) : std::nullopt;
  const bool is_training = pass.is_training();
  if (is_training || pass.mode == BatchNormPass::Mode::kCollect) {
    return BatchNormTrain::apply(x, is_training ? layer.weight_C : layer.weight_C.detach(),
                                 is_training ? layer.bias_C : layer.bias_C.detach(), given_residual, moments.mean_C,
                                 moments.var_C, moments.count_1, activation,
                                 is_training ? pass.sum_over_ranks : SumOverRanks());
  }
  return BatchNormFrozen::apply(x, given_residual, layer.weight_C.detach(), layer.bias_C.detach(), moments, activation);
}

}  // namespace invaria::model

#include "model/batch_norm.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>

#include "core/errors.hpp"
#include "model/batch_norm_moments.hpp"
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

template <class T>
const T* data_or_null(const at::Tensor& x) {
  return x.defined() ? x.const_data_ptr<T>() : nullptr;
}

/// y = relu?(scale x + shift (+ residual)) of one group's rows into `y`, which may be x.
void normalise_rows(const at::Tensor& x, const at::Tensor& weight_C, const at::Tensor& bias_C, const Moments& moments,
                    const at::Tensor& residual, Activation activation, at::Tensor y) {
  const at::Tensor mean_C = moments.mean_GC.squeeze(0);
  const at::Tensor invstd_C = moments.invstd_GC().squeeze(0);
  const bool relu = activation == Activation::kRelu;
  if (x.is_cuda()) {
    const at::Tensor result = at::batch_norm_elemt(x, weight_C, bias_C, mean_C.to(layer_type(x)),
                                                   invstd_C.to(layer_type(x)), kBatchNormEpsilon);
    if (residual.defined()) result.add_(residual);
    if (relu) result.relu_();
    y.copy_(result);
    return;
  }
  const at::Tensor scale_C = weight_C.to(at::kDouble) * invstd_C;
  const at::Tensor shift_C = (bias_C.to(at::kDouble) - mean_C * scale_C).to(layer_type(x));
  const at::Tensor cast_scale_C = scale_C.to(layer_type(x));
  with_element_type(x, [&]<class T>(T) {
    using Coefficient = at::opmath_type<T>;
    column_affine<T>({.size = matrix_size(x),
                      .x = x.const_data_ptr<T>(),
                      .residual = data_or_null<T>(residual),
                      .scale = cast_scale_C.const_data_ptr<Coefficient>(),
                      .shift = shift_C.const_data_ptr<Coefficient>(),
                      .relu = relu,
                      .y = y.mutable_data_ptr<T>()});
  });
}

/// Every group by its own moments.
void normalise(const at::Tensor& x, const std::vector<RowRange>& groups, const at::Tensor& weight_C,
               const at::Tensor& bias_C, const Moments& moments, const at::Tensor& residual, Activation activation,
               const at::Tensor& y) {
  for (size_t group = 0; group < groups.size(); ++group) {
    if (groups[group].count == 0) continue;
    normalise_rows(rows_of(x, groups[group]), weight_C, bias_C, moments.groups(static_cast<int64_t>(group), 1),
                   rows_of(residual, groups[group]), activation, rows_of(y, groups[group]));
  }
}

/// Carries the groups, and where some are split over ranks their reduction, from forward to backward.
struct GroupsHolder : torch::CustomClassHolder {
  GroupsHolder(BatchNormGroups batch_groups, SumOverRanks sum)
      : groups(std::move(batch_groups)), sum_over_ranks(std::move(sum)) {}
  BatchNormGroups groups;
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
                            const at::Tensor& bias_C, const std::optional<at::Tensor>& residual, const Moments& moments,
                            Activation activation, const c10::intrusive_ptr<GroupsHolder>& holder) {
    const at::Tensor y = empty_channels_last(x);
    normalise(x, holder->groups.local, weight_C, bias_C, moments, residual.value_or(at::Tensor()), activation, y);
    context->save_for_backward({x, activation == Activation::kRelu ? y : at::Tensor(), weight_C, moments.mean_GC,
                                moments.var_GC, moments.count_G1});
    context->saved_data["residual"] = residual.has_value() && residual->requires_grad();
    context->saved_data["groups"] = at::IValue::make_capsule(holder);
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor dy = channels_last(gradients[0]);
    const at::Tensor& x = saved[kX];
    const at::Tensor& y = saved[kY];
    const Moments moments{saved[kMean], saved[kVar], saved[kCount]};
    const bool wants_residual = context->saved_data["residual"].toBool();
    const auto holder = c10::static_intrusive_pointer_cast<GroupsHolder>(context->saved_data["groups"].toCapsule());
    const std::vector<RowRange>& groups = holder->groups.local;
    const int64_t n_groups = static_cast<int64_t>(groups.size());
    const int64_t n_channels = x.size(1);

    // Local sums of g and g xhat: the gradients of bias and weight, and, summed over ranks, parts of dL/dx.
    const at::Tensor g = x.is_cuda() ? behind_relu(dy, y) : at::Tensor();
    at::Tensor sums = at::zeros({n_groups, 2 * n_channels}, moments.mean_GC.options());
    for (int64_t group = 0; group < n_groups; ++group) {
      const RowRange rows = groups[static_cast<size_t>(group)];
      if (rows.count == 0) continue;
      gradient_sums({rows_of(x, rows), rows_of(dy, rows), rows_of(g, rows), rows_of(y, rows)}, saved[kWeight],
                    moments.groups(group, 1), sums[group]);
    }
    const at::Tensor dbias_C = sums.narrow(1, 0, n_channels).sum(0).to(layer_type(x));
    const at::Tensor dweight_C = sums.narrow(1, n_channels, n_channels).sum(0).to(layer_type(x));
    if (holder->sum_over_ranks) {
      at::Tensor all = at::zeros({holder->groups.total, 2 * n_channels}, sums.options());
      all.narrow(0, holder->groups.first, n_groups).copy_(sums);
      holder->sum_over_ranks(all);
      sums = all.narrow(0, holder->groups.first, n_groups);
    }

    const at::Tensor dx = empty_channels_last(x);
    at::Tensor dresidual;
    if (wants_residual) dresidual = x.is_cuda() ? g : empty_channels_last(x);
    for (int64_t group = 0; group < n_groups; ++group) {
      const RowRange rows = groups[static_cast<size_t>(group)];
      if (rows.count == 0) continue;
      input_gradient({rows_of(x, rows), rows_of(dy, rows), rows_of(g, rows), rows_of(y, rows)}, saved[kWeight],
                     moments.groups(group, 1), sums[group], rows_of(dx, rows), rows_of(dresidual, rows));
    }
    return {dx, dweight_C, dbias_C, dresidual, {}, {}, {}};
  }

 private:
  /// One group's rows.
  struct Rows {
    at::Tensor x;
    at::Tensor dy;
    at::Tensor g;  ///< CUDA only: dy behind the activation
    at::Tensor y;  ///< undefined without ReLU
  };

  /// sums [2 C] double: sum g, then sum g xhat.
  static void gradient_sums(const Rows& rows, const at::Tensor& weight_C, const Moments& moments, at::Tensor sums) {
    const at::Tensor& x = rows.x;
    const at::Tensor mean_C = moments.mean_GC.squeeze(0).to(layer_type(x));
    const at::Tensor invstd_C = moments.invstd_GC().squeeze(0);
    const int64_t n_channels = x.size(1);
    if (x.is_cuda()) {
      const auto reduced =
          at::batch_norm_backward_reduce(rows.g, x, mean_C, invstd_C.to(layer_type(x)), weight_C, true, false, false);
      sums.copy_(at::cat({std::get<0>(reduced).to(at::kDouble), std::get<1>(reduced).to(at::kDouble) * invstd_C}));
      return;
    }
    double* sum_g = sums.mutable_data_ptr<double>();
    with_element_type(x, [&]<class T>(T) {
      column_gradient_sums<T>(matrix_size(x), {rows.dy.const_data_ptr<T>(), data_or_null<T>(rows.y)},
                              x.const_data_ptr<T>(), mean_C.const_data_ptr<at::opmath_type<T>>(), sum_g,
                              sum_g + n_channels);
    });
    sums.narrow(0, n_channels, n_channels).mul_(invstd_C);
  }

  /// dL/dx = w invstd (g - mean(g) - xhat mean(g xhat)), means over all rows of the group (arXiv:1502.03167, Sec. 3).
  static void input_gradient(const Rows& rows, const at::Tensor& weight_C, const Moments& moments,
                             const at::Tensor& sums, at::Tensor dx, at::Tensor dresidual) {
    const at::Tensor& x = rows.x;
    const int64_t n_channels = x.size(1);
    const at::Tensor sum_g_C = sums.narrow(0, 0, n_channels);
    const at::Tensor sum_g_xhat_C = sums.narrow(0, n_channels, n_channels);
    const at::Tensor invstd_C = moments.invstd_GC().squeeze(0);
    const at::Tensor mean_C = moments.mean_GC.squeeze(0).to(layer_type(x));
    const at::Tensor count_1 = moments.count_G1.squeeze(0);
    if (x.is_cuda()) {
      dx.copy_(at::batch_norm_backward_elemt(rows.g, x, mean_C, invstd_C.to(layer_type(x)), weight_C,
                                             sum_g_C.to(layer_type(x)), (sum_g_xhat_C / invstd_C).to(layer_type(x)),
                                             count_1.to(at::kInt)));
      return;
    }
    const at::Tensor a_C = weight_C.to(at::kDouble) * invstd_C;
    const at::Tensor b_C = (-a_C * invstd_C * sum_g_xhat_C / count_1).to(layer_type(x));
    const at::Tensor c_C = (-a_C * sum_g_C / count_1).to(layer_type(x));
    const at::Tensor cast_a_C = a_C.to(layer_type(x));
    with_element_type(x, [&]<class T>(T) {
      using Coefficient = at::opmath_type<T>;
      column_affine_backward<T>({.size = matrix_size(x),
                                 .gradient = {rows.dy.const_data_ptr<T>(), data_or_null<T>(rows.y)},
                                 .x = x.const_data_ptr<T>(),
                                 .mean = mean_C.const_data_ptr<Coefficient>(),
                                 .a = cast_a_C.const_data_ptr<Coefficient>(),
                                 .b = b_C.const_data_ptr<Coefficient>(),
                                 .c = c_C.const_data_ptr<Coefficient>(),
                                 .dx = dx.mutable_data_ptr<T>(),
                                 .dresidual = dresidual.defined() ? dresidual.mutable_data_ptr<T>() : nullptr});
    });
  }
};

/// Normalisation by given statistics: an affine map of x.
class BatchNormFrozen : public torch::autograd::Function<BatchNormFrozen> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const std::optional<at::Tensor>& residual,
                            const at::Tensor& weight_C, const at::Tensor& bias_C, const Moments& moments,
                            Activation activation) {
    const at::Tensor y = empty_channels_last(x);
    normalise_rows(x, weight_C, bias_C, moments, residual.value_or(at::Tensor()), activation, y);
    const at::Tensor scale_C = (weight_C.to(at::kDouble) * moments.invstd_GC().squeeze(0)).to(layer_type(x));
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
      dx = (g * (dy.dim() == 4 ? saved[1].view({1, -1, 1, 1}) : saved[1])).to(dy.scalar_type());
      if (wants_residual) dresidual = g;
    } else {
      dx = empty_channels_last(dy);
      if (wants_residual) dresidual = empty_channels_last(dy);
      with_element_type(dy, [&]<class T>(T) {
        column_affine_backward<T>({.size = matrix_size(dy),
                                   .gradient = {dy.const_data_ptr<T>(), data_or_null<T>(y)},
                                   .a = saved[1].const_data_ptr<at::opmath_type<T>>(),
                                   .dx = dx.mutable_data_ptr<T>(),
                                   .dresidual = wants_residual ? dresidual.mutable_data_ptr<T>() : nullptr});
      });
    }
    return {dx, dresidual, {}, {}, {}, {}};
  }
};

}  // namespace

at::Tensor batch_norm(const at::Tensor& x_any, const BatchNormLayer& layer, size_t layer_index,
                      const BatchNormPass& pass, Activation activation, const at::Tensor& residual_any) {
  require((x_any.dim() == 4 || x_any.dim() == 2) && layer_type(x_any) == layer.weight_C.scalar_type() &&
              x_any.size(1) == layer.weight_C.size(0),
          "batch_norm: x is {} of shape [{}], expected {} [B, {}] or [B, {}, H, W]", c10::toString(x_any.scalar_type()),
          fmt::join(x_any.sizes(), ", "), c10::toString(layer.weight_C.scalar_type()), layer.weight_C.size(0),
          layer.weight_C.size(0));
  require(!residual_any.defined() ||
              (residual_any.sizes() == x_any.sizes() && residual_any.scalar_type() == x_any.scalar_type()),
          "batch_norm: the residual's shape or type differs from x's");
  at::Tensor x = channels_last(x_any);
  const at::Tensor residual = residual_any.defined() ? channels_last(residual_any) : at::Tensor();
  const BatchNormGroups groups = groups_of_pass(x, pass);
  const Moments moments = moments_of_pass(x, layer, layer_index, pass, groups);

  if (!at::GradMode::is_enabled()) {
    normalise(x, groups.local, layer.weight_C, layer.bias_C, moments, residual, activation, x);
    return x;
  }
  // An undefined tensor is no variable to autograd; an empty optional may be.
  const std::optional<at::Tensor> given_residual = residual.defined() ? std::optional(residual) : std::nullopt;
  const bool is_training = pass.is_training();
  if (is_training || pass.mode == BatchNormPass::Mode::kCollect) {
    return BatchNormTrain::apply(x, is_training ? layer.weight_C : layer.weight_C.detach(),
                                 is_training ? layer.bias_C : layer.bias_C.detach(), given_residual, moments,
                                 activation,
                                 c10::make_intrusive<GroupsHolder>(
                                     groups, groups.is_split && is_training ? pass.sum_over_ranks : SumOverRanks()));
  }
  return BatchNormFrozen::apply(x, given_residual, layer.weight_C.detach(), layer.bias_C.detach(), moments, activation);
}

}  // namespace invaria::model

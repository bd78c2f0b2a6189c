#pragma once
/// @file
/// What an encoder is made of, as the trainer, the optimiser and the checkpoint see it.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace invaria::model {

/// Named tensors in name order: the contents of a checkpoint.
using StateDict = std::map<std::string, at::Tensor>;

/// A dense trainable tensor, an autograd leaf.
struct Parameter {
  std::string name;  ///< torchvision's or timm's name, e.g. "layer1.0.conv1.weight"
  at::Tensor value;
  bool decays = true;  ///< whether weight decay falls on it: not on BatchNorm, linear biases and the hypernetwork's c
};

/// The hypernetwork's output matrix A of one convolution: no autograd leaf, its gradient is the outer product g h^T and
/// never stored.
struct FactoredParameter {
  std::string name;  ///< "layer1.0.conv1.hyper.A"
  at::Tensor value_PH;
};

/// The factors of dL/dA for one step.
struct FactoredGradient {
  at::Tensor g_P;  ///< dL/dk, summed or averaged over ranks already
  at::Tensor h_H;  ///< relu(B E i + c)
};

/// Sums a small contiguous tensor over ranks in place (comm behind a callable); empty for one rank.
using SumOverRanks = std::function<void(at::Tensor&)>;

}  // namespace invaria::model

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
  bool decays = true;  ///< whether weight decay falls on it: not on normalisations, biases, class token and positions
  double rate = 1.0;   ///< times the learning rate
};

/// A matrix that one vector h of i alone goes through: no autograd leaf, its gradient is the outer product g h^T and
/// never stored. The hypernetwork's A of each convolution, the prompt's second layers.
struct FactoredParameter {
  std::string name;  ///< "layer1.0.conv1.hyper.A"
  at::Tensor value_PH;
};

/// The factors of such a gradient for one step.
struct FactoredGradient {
  at::Tensor g_P;  ///< of the matrix's output, summed or averaged over ranks already
  at::Tensor h_H;  ///< the matrix's input
};

/// Sums a small contiguous tensor over ranks in place (comm behind a callable); empty for one rank.
using SumOverRanks = std::function<void(at::Tensor&)>;

}  // namespace invaria::model

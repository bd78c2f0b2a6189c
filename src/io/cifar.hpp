#pragma once
/// @file
/// CIFAR-10 and CIFAR-100 in their binary versions (https://www.cs.toronto.edu/~kriz/cifar.html): records of one label
/// byte (CIFAR-10) or two (CIFAR-100: coarse, then fine), followed by the red, green and blue planes of a 32 x 32
/// picture.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace invaria::io {

enum class CifarKind { kCifar10, kCifar100 };

constexpr int64_t kCifarSide = 32;

struct CifarBatch {
  int64_t count = 0;
  std::vector<uint8_t> pixels;  ///< [count, 32, 32, 3], channels interleaved
  std::vector<int64_t> labels;  ///< [count]; the fine label of CIFAR-100
};

/// Read one file's bytes (data_batch_1.bin, train.bin, ...).
/// @param name  names the file in messages
/// @throws ConfigError if the length is not a whole number of records, is zero, or a label is out of range
CifarBatch read_cifar(std::string_view bytes, CifarKind kind, const std::string& name);

}  // namespace invaria::io

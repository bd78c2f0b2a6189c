#pragma once
/// @file
/// MoCo's queue of keys (arXiv:1911.05722, Sec. 3.2, Alg. 1): a ring of the latest keys, which are the negatives.
///
/// Every rank keeps the same queue: it is filled with the keys of the global batch in batch order, so that its contents
/// do not depend on the number of ranks.
///
/// Shape legend: Q = keys remembered, N = keys added at once, n = queries, C = embedding channels.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>

namespace invaria::objective {

/// Where a fresh queue's random keys come from.
struct QueueAddress {
  uint64_t seed = 0;
  uint64_t index = 0;  ///< of the queue among the encoder's
};

/// A ring of Q keys and of the pictures that they came from.
class KeyQueue {
 public:
  /// Full from the start with random unit vectors (normals, as MoCo's code), which belong to no picture. On the CPU.
  /// @throws PreconditionError unless size and channels are positive
  KeyQueue(int64_t size, int64_t channels, const QueueAddress& address);

  /// [Q, C] on its device; shared, the next push() changes it.
  const at::Tensor& keys() const { return keys_QC_; }
  /// [Q] int64: the picture of each key, -1 of the random ones.
  const at::Tensor& pictures() const { return pictures_Q_; }

  /// bool [n, Q]: whether key q came from picture j's own picture.
  /// @param pictures_n  int64 [n], on the queue's device
  at::Tensor own_keys(const at::Tensor& pictures_n) const;

  /// Overwrite the oldest keys. N may not exceed Q and need not divide it.
  /// @param keys_NC     [N, C] unit vectors on the queue's device
  /// @param pictures_N  int64 [N], on the queue's device
  /// @throws PreconditionError if shapes do not fit
  void push(const at::Tensor& keys_NC, const at::Tensor& pictures_N);

  /// "keys", "pictures" and "next", the place of the oldest key; sharing the queue's memory but for "next".
  std::map<std::string, at::Tensor> state() const;
  /// Copy values in. @throws ConfigError if an entry is missing, unknown or misshapen, or "next" is outside the ring
  void load_state(const std::map<std::string, at::Tensor>& state);
  void to(at::Device device);

 private:
  at::Tensor keys_QC_;
  at::Tensor pictures_Q_;
  int64_t next_ = 0;
};

}  // namespace invaria::objective

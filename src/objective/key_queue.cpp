#include "objective/key_queue.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/ranges.h>

#include "config/problems.hpp"
#include "core/errors.hpp"
#include "core/philox.hpp"
#include "objective/contrast.hpp"

namespace invaria::objective {
namespace {

constexpr int64_t kNoPicture = -1;

}  // namespace

KeyQueue::KeyQueue(int64_t size, int64_t channels, const QueueAddress& address) {
  require(size > 0 && channels > 0, "KeyQueue: {} keys of {} channels", size, channels);
  at::Tensor normals_QC = at::empty({size, channels}, at::kFloat);
  float* out = normals_QC.mutable_data_ptr<float>();
  for (int64_t key = 0; key < size; ++key) {
    Draws draws({.seed = address.seed,
                 .purpose = Purpose::kKeyQueue,
                 .epoch = address.index,
                 .sample = static_cast<uint64_t>(key)});
    for (int64_t channel = 0; channel < channels; ++channel) *out++ = static_cast<float>(draws.normal());
  }
  keys_QC_ = unit_rows(normals_QC);
  pictures_Q_ = at::full({size}, kNoPicture, at::kLong);
}

at::Tensor KeyQueue::own_keys(const at::Tensor& pictures_n) const {
  return pictures_n.unsqueeze(1).eq(pictures_Q_.unsqueeze(0));
}

void KeyQueue::push(const at::Tensor& keys_NC, const at::Tensor& pictures_N) {
  const at::NoGradGuard no_grad;
  const int64_t size = keys_QC_.size(0);
  const int64_t n = keys_NC.size(0);
  require(keys_NC.dim() == 2 && n <= size && keys_NC.size(1) == keys_QC_.size(1) &&
              pictures_N.sizes() == at::IntArrayRef({n}),
          "KeyQueue: keys [{}] of pictures [{}] into a queue of [{}]", fmt::join(keys_NC.sizes(), ", "),
          fmt::join(pictures_N.sizes(), ", "), fmt::join(keys_QC_.sizes(), ", "));
  const int64_t up_to_end = std::min(n, size - next_);
  keys_QC_.narrow(0, next_, up_to_end).copy_(keys_NC.narrow(0, 0, up_to_end));
  pictures_Q_.narrow(0, next_, up_to_end).copy_(pictures_N.narrow(0, 0, up_to_end));
  keys_QC_.narrow(0, 0, n - up_to_end).copy_(keys_NC.narrow(0, up_to_end, n - up_to_end));
  pictures_Q_.narrow(0, 0, n - up_to_end).copy_(pictures_N.narrow(0, up_to_end, n - up_to_end));
  next_ = (next_ + n) % size;
}

std::map<std::string, at::Tensor> KeyQueue::state() const {
  return {{"keys", keys_QC_}, {"pictures", pictures_Q_}, {"next", at::scalar_tensor(next_, at::kLong)}};
}

void KeyQueue::load_state(const std::map<std::string, at::Tensor>& state) {
  config::Problems problems;
  const std::map<std::string, at::Tensor> mine = this->state();
  for (const auto& [name, tensor] : mine) {
    const auto found = state.find(name);
    if (found == state.end()) {
      problems.add(name, "nothing", fmt::format("shape [{}]", fmt::join(tensor.sizes(), ", ")));
    } else if (found->second.sizes() != tensor.sizes()) {
      problems.add(name, fmt::format("shape [{}]", fmt::join(found->second.sizes(), ", ")),
                   fmt::format("shape [{}]", fmt::join(tensor.sizes(), ", ")));
    }
  }
  for (const auto& [name, tensor] : state) {
    if (!mine.contains(name)) problems.add(name, "an entry", "keys, pictures or next");
  }
  problems.throw_if_any("the key queue's state does not fit");
  const auto next = state.at("next").item<int64_t>();
  if (next < 0 || next >= keys_QC_.size(0))
    throw_config("the key queue's next place is {}, expected one in [0, {})", next, keys_QC_.size(0));
  const at::NoGradGuard no_grad;
  keys_QC_.copy_(state.at("keys"));
  pictures_Q_.copy_(state.at("pictures"));
  next_ = next;
}

void KeyQueue::to(at::Device device) {
  keys_QC_ = keys_QC_.to(device);
  pictures_Q_ = pictures_Q_.to(device);
}

}  // namespace invaria::objective

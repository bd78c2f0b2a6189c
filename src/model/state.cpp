#include "model/state.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <span>

#include "config/problems.hpp"
#include "core/errors.hpp"
#include "core/sha256.hpp"

namespace invaria::model {
namespace {

std::string shape_text(const at::Tensor& tensor) {
  return fmt::format("shape [{}]", fmt::join(tensor.sizes(), ", "));
}

}  // namespace

void copy_state(const StateDict& source, const StateDict& target, const std::string& subject) {
  config::Problems problems;
  std::vector<std::string> known;
  for (const auto& [name, tensor] : target) {
    known.push_back(name);
    const auto found = source.find(name);
    if (found == source.end()) {
      problems.add(name, "nothing", shape_text(tensor));
    } else if (found->second.sizes() != tensor.sizes()) {
      problems.add(name, shape_text(found->second), shape_text(tensor));
    }
  }
  for (const auto& [name, tensor] : source) {
    if (!target.contains(name)) problems.add(name, shape_text(tensor), "a known name", config::name_hint(name, known));
  }
  problems.throw_if_any(subject);

  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : target) tensor.copy_(source.at(name));
}

std::string hash_state(const StateDict& state) {
  Sha256 sha;
  for (const auto& [name, tensor] : state) {
    const at::Tensor values = tensor.detach().to(at::kCPU).contiguous();
    sha.update(fmt::format("{} {} {}\n", name, c10::toString(values.scalar_type()), shape_text(values)));
    sha.update(std::span(static_cast<const std::byte*>(values.const_data_ptr()), values.nbytes()));
  }
  return sha.hex();
}

}  // namespace invaria::model

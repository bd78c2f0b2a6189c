#include "train/gather.hpp"

#include <ATen/ATen.h>
#include <torch/autograd.h>
#include <torch/custom_class.h>

#include "core/errors.hpp"

namespace invaria::train {
namespace {

// Carries the communicator from forward to backward: autograd's context keeps only IValues.
struct CommunicatorHolder : torch::CustomClassHolder {
  explicit CommunicatorHolder(comm::Communicator held) : communicator(std::move(held)) {}
  comm::Communicator communicator;
};

class AllGatherRows : public torch::autograd::Function<AllGatherRows> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& local,
                            const comm::Communicator& communicator) {
    context->saved_data["communicator"] =
        c10::IValue::make_capsule(c10::make_intrusive<CommunicatorHolder>(communicator));
    context->saved_data["rows"] = local.size(0);
    return communicator.all_gather_rows(local.contiguous());
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto holder = context->saved_data["communicator"].toCapsule();
    const auto& communicator = static_cast<const CommunicatorHolder&>(*holder).communicator;
    return {communicator.reduce_scatter_rows(gradients[0].contiguous(), context->saved_data["rows"].toInt()), {}};
  }
};

}  // namespace

objective::GatherRows gather_with_gradient(const comm::Communicator& communicator) {
  if (communicator.size() == 1) return [](const at::Tensor& local) { return local; };
  return [communicator](const at::Tensor& local) {
    require(local.dim() == 2, "gather_with_gradient: rows of a matrix expected, found {} dimensions", local.dim());
    return AllGatherRows::apply(local, communicator);
  };
}

}  // namespace invaria::train

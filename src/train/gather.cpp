#include "train/gather.hpp"

#include <ATen/ATen.h>
#include <torch/autograd.h>
#include <torch/custom_class.h>

#include "core/errors.hpp"
#include "core/timer.hpp"

namespace invaria::train {
namespace {

// Carries the communicator from forward to backward: autograd's context keeps only IValues.
struct CommunicatorHolder : torch::CustomClassHolder {
  CommunicatorHolder(comm::Communicator held, double& waits_s) : communicator(std::move(held)), waited_s(waits_s) {}
  comm::Communicator communicator;
  double& waited_s;
};

class AllGatherRows : public torch::autograd::Function<AllGatherRows> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& local,
                            const comm::Communicator& communicator, double& waited_s) {
    context->saved_data["communicator"] =
        c10::IValue::make_capsule(c10::make_intrusive<CommunicatorHolder>(communicator, waited_s));
    context->saved_data["rows"] = local.size(0);
    const Timer timer;
    at::Tensor rows = communicator.all_gather_rows(local.contiguous());
    waited_s += timer.seconds();
    return rows;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto holder = context->saved_data["communicator"].toCapsule();
    const auto& held = static_cast<const CommunicatorHolder&>(*holder);
    const Timer timer;
    at::Tensor own =
        held.communicator.reduce_scatter_rows(gradients[0].contiguous(), context->saved_data["rows"].toInt());
    held.waited_s += timer.seconds();
    return {own, {}, {}};
  }
};

}  // namespace

objective::GatherRows gather_with_gradient(const comm::Communicator& communicator, double& waited_s) {
  if (communicator.size() == 1) return [](const at::Tensor& local) { return local; };
  return [communicator, &waited_s](const at::Tensor& local) {
    require(local.dim() == 2, "gather_with_gradient: rows of a matrix expected, found {} dimensions", local.dim());
    return AllGatherRows::apply(local, communicator, waited_s);
  };
}

}  // namespace invaria::train

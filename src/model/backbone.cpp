#include "model/backbone.hpp"

#include <ATen/ATen.h>

namespace invaria::model {

void Backbone::fold_modulations(const Conditions& conditions, StateDict& plain) const {
  if (conditions.modulations.empty()) return;
  const std::vector<NormSite> sites = norms();
  for (size_t index = 0; index < sites.size(); ++index) {
    at::Tensor& weight_C = plain.at(sites[index].name + ".weight");
    at::Tensor& bias_C = plain.at(sites[index].name + ".bias");
    std::tie(weight_C, bias_C) = folded(weight_C, bias_C, conditions.modulation(index));
  }
}

}  // namespace invaria::model

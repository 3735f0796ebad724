// SPDX-License-Identifier: Apache-2.0
#include "training/optim/copy_named.h"

#include <torch/torch.h>

#include <map>
#include <sstream>

namespace meanflow::training {

base::Result<void> copyNamed(const NamedTensors& from, const NamedTensors& to, std::string_view what) {
  std::map<std::string_view, const torch::Tensor*> sources;
  for (const auto& [name, tensor] : from) sources.emplace(name, &tensor);
  for (const auto& [name, tensor] : to) {
    const auto source = sources.find(name);
    std::ostringstream message;
    if (source == sources.end()) {
      message << what << ": '" << name << "' is missing; the checkpoint belongs to another model";
      return base::Error{message.str()};
    }
    if (source->second->sizes() != tensor.sizes()) {
      message << what << ": '" << name << "' has shape " << source->second->sizes() << ", expected " << tensor.sizes()
              << "; the checkpoint belongs to another model";
      return base::Error{message.str()};
    }
  }
  torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : to) torch::Tensor(tensor).copy_(*sources.at(name));
  return {};
}

}  // namespace meanflow::training

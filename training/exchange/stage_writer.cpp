// SPDX-License-Identifier: Apache-2.0
#include "training/exchange/stage_writer.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "core/base/formats/safetensors.h"
#include "core/base/formats/stored_tensor.h"
#include "core/checkpoint/dtypes.h"
#include "core/checkpoint/tensor_statistics.h"

namespace meanflow::training {

std::vector<PlannedTensor> plannedTensors(const core::Checkpoint& checkpoint, const TensorOrigins& origins) {
  std::vector<PlannedTensor> planned;
  for (const auto& [name, origin] : origins) {
    if (const auto* position = std::get_if<std::size_t>(&origin)) {
      const auto& entry = checkpoint.tensors().at(*position);
      planned.push_back({name, entry.dtype, entry.shape, origin});
    } else {
      const auto& tensor = std::get<torch::Tensor>(origin);
      planned.push_back({name, std::string(core::dtypeNameOf(tensor.scalar_type())), tensor.sizes().vec(), origin});
    }
  }
  std::stable_sort(planned.begin(), planned.end(), [](const PlannedTensor& a, const PlannedTensor& b) {
    return base::dtypeSize(a.dtype) > base::dtypeSize(b.dtype);
  });
  return planned;
}

base::Result<torch::Tensor> fetch(const core::Checkpoint& checkpoint, const PlannedTensor& planned) {
  if (const auto* position = std::get_if<std::size_t>(&planned.origin)) return checkpoint.read(*position);
  return std::get<torch::Tensor>(planned.origin).detach().to(torch::kCPU).contiguous();
}

base::Result<void> writeTensors(const std::filesystem::path& target, const core::Checkpoint& checkpoint,
                                const TensorOrigins& origins, Finite finite,
                                const std::map<std::string, std::string>& metadata) {
  const auto tensors = plannedTensors(checkpoint, origins);
  std::vector<base::TensorSpec> specs;
  for (const auto& planned : tensors) specs.push_back({planned.name, planned.dtype, planned.shape});
  auto writer = base::SafetensorsWriter::create(target, std::move(specs), metadata);
  if (!writer) return writer.error();
  for (const auto& planned : tensors) {
    const auto tensor = fetch(checkpoint, planned);
    if (!tensor) return tensor.error();
    if (finite == Finite::kDemanded)
      if (const auto bad = core::countNonFinite(*tensor); bad > 0)
        return base::Error{fmt::format("{}: tensor {} has {} values that are not finite",
                                       checkpoint.source().path().string(), base::shownName(planned.name), bad)};
    if (auto done = writer->append({static_cast<const std::byte*>(tensor->const_data_ptr()), tensor->nbytes()}); !done)
      return done;
  }
  return writer->commit();
}

}  // namespace meanflow::training

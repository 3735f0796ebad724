// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/tensor_export.h"

#include "core/base/formats/numpy_file.h"
#include "core/base/formats/pt_writer.h"
#include "core/checkpoint/dtypes.h"

namespace meanflow::core {
namespace {

/// Straight on the CPU; files hold rows one after the other.
torch::Tensor plain(const torch::Tensor& tensor) {
  return tensor.detach().to(torch::kCPU).contiguous().resolve_conj().resolve_neg();
}

std::span<const std::byte> bytesOf(const torch::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

base::TensorSpec specOf(const std::string& name, const torch::Tensor& tensor, torch::ScalarType type) {
  return {.name = name, .dtype = std::string(dtypeNameOf(type)), .shape = tensor.sizes().vec()};
}

base::PtItem::Dict dictOf(const TensorMap& tensors, std::vector<const torch::Tensor*>& order) {
  base::PtItem::Dict dict;
  for (const auto& [name, tensor] : tensors) {
    dict.push_back({name, specOf(name, tensor, tensor.scalar_type())});
    order.push_back(&tensor);
  }
  return dict;
}

base::Result<void> write(const std::string& path, const base::PtItem::Dict& root,
                         const std::vector<const torch::Tensor*>& order) {
  auto writer = base::PtWriter::create(path, root);
  if (!writer) return writer.error();
  for (const auto* tensor : order)
    if (auto done = writer->append(bytesOf(plain(*tensor))); !done) return done;
  return writer->commit();
}

bool isUnknownToNumpy(torch::ScalarType type) { return type == torch::kBFloat16 || c10::isFloat8Type(type); }

}  // namespace

base::Result<void> savePt(const std::string& path, const TensorMap& tensors) {
  std::vector<const torch::Tensor*> order;
  const auto root = dictOf(tensors, order);
  return write(path, root, order);
}

base::Result<void> savePt(const std::string& path, const std::vector<std::pair<std::string, TensorMap>>& groups,
                          const std::vector<PtScalar>& scalars) {
  std::vector<const torch::Tensor*> order;
  base::PtItem::Dict root;
  for (const auto& [name, tensors] : groups) root.push_back({name, dictOf(tensors, order)});
  for (const auto& [name, value] : scalars)
    std::visit([&, &key = name](const auto& plain_value) { root.push_back({key, plain_value}); }, value);
  return write(path, root, order);
}

base::Result<void> saveNpz(const std::string& path, const TensorMap& tensors) {
  const auto typeOf = [](const torch::Tensor& tensor) {
    return isUnknownToNumpy(tensor.scalar_type()) ? torch::kFloat32 : tensor.scalar_type();
  };
  std::vector<base::TensorSpec> specs;
  for (const auto& [name, tensor] : tensors) specs.push_back(specOf(name, tensor, typeOf(tensor)));
  auto writer = base::NpzWriter::create(path, std::move(specs));
  if (!writer) return writer.error();
  for (const auto& entry : tensors) {
    const auto straight = plain(entry.second).to(typeOf(entry.second));
    if (auto done = writer->append(bytesOf(straight)); !done) return done;
  }
  return writer->commit();
}

}  // namespace meanflow::core

// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/checkpoint.h"

#include <algorithm>

#include "core/base/formats/stored_tensor.h"
#include "core/checkpoint/dtypes.h"

namespace meanflow::core {
namespace {

// Parts of a model that published checkpoints keep side by side in one flat state dict: DDT's Lightning files
// (denoiser, ema_denoiser), RAE's stage-1 dumps (encoder, decoder).
constexpr std::string_view kKnownParts[] = {"ema_denoiser", "denoiser", "encoder", "decoder"};

std::string join(std::string_view group, std::string_view name) {
  return group.empty() ? std::string(name) : std::string(group) + "." + std::string(name);
}

}  // namespace

std::string stripWrapperNames(std::string_view name) {
  constexpr std::string_view kParallel = "module.", kCompiled = "_orig_mod.", kInside = "._orig_mod.";
  for (;;) {
    if (name.starts_with(kParallel))
      name.remove_prefix(kParallel.size());
    else if (name.starts_with(kCompiled))
      name.remove_prefix(kCompiled.size());
    else
      break;
  }
  std::string text(name);
  for (auto at = text.find(kInside); at != std::string::npos; at = text.find(kInside))
    text.erase(at + 1, kCompiled.size());
  return text;
}

Checkpoint::Checkpoint(std::unique_ptr<base::TensorSource> source) : source_(std::move(source)) {
  for (std::size_t i = 0; i < tensors().size(); ++i) by_name_.emplace(tensors()[i].name, i);
}

base::Result<Checkpoint> Checkpoint::open(const std::string& path) {
  auto source = base::openTensorSource(path);
  if (!source) return source.error();
  return Checkpoint(std::move(source).value());
}

bool Checkpoint::hasGroup(std::string_view name) const {
  const auto prefix = std::string(name) + ".";
  const auto first = by_name_.lower_bound(prefix);
  return first != by_name_.end() && first->first.starts_with(prefix);
}

std::vector<std::string> Checkpoint::groups() const {
  std::vector<std::string> found;
  std::vector<std::string> outer = {""};
  for (const auto& name : source_->groups())
    if (hasGroup(name)) outer.push_back(name);
  for (const auto& name : outer) {
    if (!name.empty() && std::find(found.begin(), found.end(), name) == found.end()) found.push_back(name);
    for (const auto part : kKnownParts) {
      auto inner = join(name, part);
      if (hasGroup(inner) && std::find(found.begin(), found.end(), inner) == found.end())
        found.push_back(std::move(inner));
    }
  }
  return found;
}

base::Result<std::map<std::string, std::size_t>> Checkpoint::group(const std::string& group,
                                                                   WrapperNames wrappers) const {
  const auto prefix = group.empty() ? "" : group + ".";
  std::map<std::string, std::size_t> found;
  for (auto it = by_name_.lower_bound(prefix); it != by_name_.end() && it->first.starts_with(prefix); ++it) {
    auto name = it->first.substr(prefix.size());
    if (wrappers == WrapperNames::kStripped) name = stripWrapperNames(name);
    if (!found.emplace(name, it->second).second)
      return base::Error{source_->path().string() + ": two tensors are called " + base::shownName(name) +
                         " without the names of wrappers, one of them " + base::shownName(it->first)};
  }
  if (!found.empty()) return found;
  std::string known;
  for (const auto& name : groups()) known += (known.empty() ? "" : ", ") + name;
  return base::Error{source_->path().string() + ": no tensor " +
                     (group.empty() ? "in it" : "under " + base::shownName(group)) +
                     (known.empty() ? "" : " (there are: " + known + ")")};
}

base::Result<torch::Tensor> Checkpoint::read(std::size_t i) const {
  const auto& entry = tensors().at(i);
  const auto type = scalarTypeOf(entry.dtype);
  if (!type)
    return base::Error{source_->path().string() + ": tensor " + base::shownName(entry.name) + " has dtype " +
                       entry.dtype + ", which LibTorch cannot hold"};
  auto tensor = torch::empty(entry.shape, *type);
  if (auto done = source_->read(i, {static_cast<std::byte*>(tensor.data_ptr()), entry.num_bytes}); !done)
    return done.error();
  return tensor;
}

base::Result<torch::Tensor> Checkpoint::read(const std::string& full_name) const {
  const auto found = by_name_.find(full_name);
  if (found == by_name_.end())
    return base::Error{source_->path().string() + ": holds no tensor " + base::shownName(full_name)};
  return read(found->second);
}

base::Result<TensorMap> Checkpoint::readGroup(const std::string& group_name, WrapperNames wrappers) const {
  const auto names = group(group_name, wrappers);
  if (!names) return names.error();
  TensorMap tensors;
  for (const auto& [name, i] : *names) {
    auto tensor = read(i);
    if (!tensor) return tensor.error();
    tensors.emplace(name, std::move(tensor).value());
  }
  return tensors;
}

}  // namespace meanflow::core

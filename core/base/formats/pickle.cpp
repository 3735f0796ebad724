// SPDX-License-Identifier: Apache-2.0
#include "core/base/formats/pickle.h"

#include <bit>
#include <stdexcept>
#include <utility>

namespace meanflow::base {

PickleTree::Id PickleTree::add(PickleKind kind, std::int64_t integer, std::string_view text) {
  if (nodes_.size() >= kMaxValues) return kNoId;
  nodes_.push_back({text, integer, kNoId, kind});
  return static_cast<Id>(nodes_.size() - 1);
}

PickleTree::Id PickleTree::addFloat(double real) { return add(PickleKind::kFloat, std::bit_cast<std::int64_t>(real)); }

PickleTree::Id PickleTree::addContainer(PickleKind kind, std::vector<Id> children) {
  const Id id = add(kind);
  if (id == kNoId) return id;
  nodes_[id].container = static_cast<std::uint32_t>(containers_.size());
  containers_.push_back({std::move(children), kNoId, kNoId});
  return id;
}

PickleTree::Id PickleTree::addObject(std::string_view class_name, Id arguments) {
  const Id id = addContainer(PickleKind::kObject, {});
  if (id == kNoId) return id;
  nodes_[id].text = class_name;
  containers_[nodes_[id].container].arguments = arguments;
  return id;
}

std::vector<PickleTree::Id>* PickleTree::children(Id id) {
  const auto container = nodes_[id].container;
  return container == kNoId ? nullptr : &containers_[container].children;
}

void PickleTree::setState(Id id, Id state) {
  if (nodes_[id].container != kNoId) containers_[nodes_[id].container].state = state;
}

std::optional<std::string_view> PickleTree::own(std::string text, std::size_t budget) {
  num_owned_bytes_ += text.size() + sizeof(std::string);
  if (num_owned_bytes_ > budget) return std::nullopt;
  return owned_.emplace_back(std::move(text));
}

PickleKind PickleValue::kind() const { return tree_->nodes_[id_].kind; }

std::int64_t PickleValue::integer() const {
  const auto& node = tree_->nodes_[id_];
  return node.kind == PickleKind::kFloat ? 0 : node.integer;
}

double PickleValue::real() const {
  const auto& node = tree_->nodes_[id_];
  return node.kind == PickleKind::kFloat ? std::bit_cast<double>(node.integer) : static_cast<double>(node.integer);
}

std::string_view PickleValue::text() const { return tree_->nodes_[id_].text; }

std::size_t PickleValue::size() const {
  const auto& node = tree_->nodes_[id_];
  if (node.container == PickleTree::kNoId) return 0;
  const auto num = tree_->containers_[node.container].children.size();
  return node.kind == PickleKind::kDict ? num / 2 : num;
}

PickleValue PickleValue::item(std::size_t i) const {
  const auto& node = tree_->nodes_[id_];
  if (node.container == PickleTree::kNoId) throw std::out_of_range("PickleValue::item: not a container");
  return {*tree_, tree_->containers_[node.container].children.at(i)};
}

PickleValue PickleValue::key(std::size_t i) const { return item(2 * i); }
PickleValue PickleValue::value(std::size_t i) const { return item(2 * i + 1); }

std::optional<PickleValue> PickleValue::find(std::string_view wanted) const {
  if (!is(PickleKind::kDict)) return std::nullopt;
  for (std::size_t i = size(); i-- > 0;)  // of two equal keys Python keeps the later
    if (key(i).is(PickleKind::kString) && key(i).text() == wanted) return value(i);
  return std::nullopt;
}

std::optional<PickleValue> PickleValue::arguments() const {
  const auto& node = tree_->nodes_[id_];
  if (node.container == PickleTree::kNoId) return std::nullopt;
  const auto id = tree_->containers_[node.container].arguments;
  return id == PickleTree::kNoId ? std::nullopt : std::optional(PickleValue(*tree_, id));
}

std::optional<PickleValue> PickleValue::state() const {
  const auto& node = tree_->nodes_[id_];
  if (node.container == PickleTree::kNoId) return std::nullopt;
  const auto id = tree_->containers_[node.container].state;
  return id == PickleTree::kNoId ? std::nullopt : std::optional(PickleValue(*tree_, id));
}

std::optional<PickleValue> PickleValue::attribute(std::string_view name) const {
  const auto attributes = state();
  return attributes ? attributes->find(name) : std::nullopt;
}

}  // namespace meanflow::base

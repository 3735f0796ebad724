// SPDX-License-Identifier: Apache-2.0
#include "core/base/formats/pt_storages.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>

namespace meanflow::base {
namespace {

using Id = PickleTree::Id;
using Kind = PickleKind;
constexpr std::size_t kMaxAxes = 32;

using Names = std::pair<std::string_view, std::string_view>;
constexpr auto kStorageClasses = std::to_array<Names>({{"DoubleStorage", "F64"},
                                                       {"FloatStorage", "F32"},
                                                       {"HalfStorage", "F16"},
                                                       {"BFloat16Storage", "BF16"},
                                                       {"LongStorage", "I64"},
                                                       {"IntStorage", "I32"},
                                                       {"ShortStorage", "I16"},
                                                       {"CharStorage", "I8"},
                                                       {"ByteStorage", "U8"},
                                                       {"BoolStorage", "BOOL"},
                                                       {"ComplexFloatStorage", "C64"},
                                                       {"ComplexDoubleStorage", "C128"},
                                                       {"UntypedStorage", "U8"},
                                                       {"_UntypedStorage", "U8"}});
constexpr auto kTorchDtypes = std::to_array<Names>({{"float64", "F64"},
                                                    {"float32", "F32"},
                                                    {"float16", "F16"},
                                                    {"bfloat16", "BF16"},
                                                    {"int64", "I64"},
                                                    {"int32", "I32"},
                                                    {"int16", "I16"},
                                                    {"int8", "I8"},
                                                    {"uint64", "U64"},
                                                    {"uint32", "U32"},
                                                    {"uint16", "U16"},
                                                    {"uint8", "U8"},
                                                    {"bool", "BOOL"},
                                                    {"complex64", "C64"},
                                                    {"complex128", "C128"},
                                                    {"float8_e5m2", "F8_E5M2"},
                                                    {"float8_e4m3fn", "F8_E4M3"},
                                                    {"float8_e5m2fnuz", "F8_E5M2FNUZ"},
                                                    {"float8_e4m3fnuz", "F8_E4M3FNUZ"},
                                                    {"float8_e8m0fnu", "F8_E8M0"}});
constexpr auto kNumpyDtypes = std::to_array<Names>({{"f8", "F64"},
                                                    {"f4", "F32"},
                                                    {"i8", "I64"},
                                                    {"i4", "I32"},
                                                    {"i2", "I16"},
                                                    {"i1", "I8"},
                                                    {"u1", "U8"},
                                                    {"b1", "BOOL"}});

template <class Table>
std::string_view lookUp(const Table& table, std::string_view name) {
  for (const auto& [from, to] : table)
    if (from == name) return to;
  return {};
}

/// The part behind the last dot when the module is one of torch's, else nothing.
std::string_view nameInTorch(std::string_view global) {
  for (const std::string_view module : {"torch.", "torch.cuda.", "torch.storage."})
    if (global.starts_with(module) && global.find('.', module.size()) == std::string_view::npos)
      return global.substr(module.size());
  return {};
}

std::optional<std::vector<std::int64_t>> integers(PickleValue value) {
  if ((!value.is(Kind::kTuple) && !value.is(Kind::kList)) || value.size() > kMaxAxes) return std::nullopt;
  std::vector<std::int64_t> numbers;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (!value.item(i).is(Kind::kInt)) return std::nullopt;
    numbers.push_back(value.item(i).integer());
  }
  return numbers;
}

/// numpy.core.multiarray.scalar(dtype, bytes) as a plain number; nothing for kinds beside the plain ones.
std::optional<Id> numpyScalar(PickleTree& tree, PickleValue arguments) {
  if (arguments.size() != 2 || !arguments.item(0).is(Kind::kObject) || arguments.item(0).text() != "numpy.dtype")
    return std::nullopt;
  const auto dtype_arguments = arguments.item(0).arguments(), state = arguments.item(0).state();
  if (!dtype_arguments || !dtype_arguments->is(Kind::kTuple) || dtype_arguments->size() == 0) return std::nullopt;
  const auto dtype = lookUp(kNumpyDtypes, dtype_arguments->item(0).text());
  const auto bytes = arguments.item(1).text();
  if (dtype.empty() || bytes.size() != dtypeSize(dtype) || !arguments.item(1).is(Kind::kBytes)) return std::nullopt;
  if (state && state->is(Kind::kTuple) && state->size() > 1 && state->item(1).text() == ">") return std::nullopt;
  const auto as = [&](auto number) {
    std::memcpy(&number, bytes.data(), sizeof number);
    return number;
  };
  if (dtype == "F64") return tree.addFloat(as(0.0));
  if (dtype == "F32") return tree.addFloat(static_cast<double>(as(0.0F)));
  if (dtype == "I64") return tree.add(Kind::kInt, as(std::int64_t{}));
  if (dtype == "I32") return tree.add(Kind::kInt, as(std::int32_t{}));
  if (dtype == "I16") return tree.add(Kind::kInt, as(std::int16_t{}));
  if (dtype == "I8") return tree.add(Kind::kInt, as(std::int8_t{}));
  if (dtype == "U8") return tree.add(Kind::kInt, as(std::uint8_t{}));
  return tree.add(Kind::kBool, as(std::uint8_t{}) != 0 ? 1 : 0);
}

}  // namespace

PtStorage* PtStorages::find(std::string_view key) {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : &storages[found->second];
}

/// ("storage", class, key, device, number of elements[, view of another storage in the old stream]).
Result<Id> PtStorages::persistent(PickleTree& tree, Id id) {
  const auto pid = tree.at(id);
  if (!pid.is(Kind::kTuple) || pid.size() < 2) return Error{"a persistent id is not torch's"};
  const auto what = pid.item(0).text();
  if (what == "module") return pid.item(1).id();  // a whole module was saved with its source text
  if (what != "storage" || pid.size() < 5 || !pid.item(1).is(Kind::kGlobal) || !pid.item(2).is(Kind::kString) ||
      !pid.item(4).is(Kind::kInt))
    return Error{"a persistent id is not that of a storage"};
  const auto dtype = lookUp(kStorageClasses, nameInTorch(pid.item(1).text()));
  const auto key = pid.item(2).text();
  const auto num = pid.item(4).integer();
  if (key.size() > 256) return Error{"the name of a storage is too long"};
  if (dtype.empty())
    return Error{fmt::format("storage {} is of the unknown kind {}", shownName(key), shownName(pid.item(1).text()))};
  const std::int64_t side[] = {num};
  if (!base::numBytes(side, dtypeSize(dtype)))
    return Error{fmt::format("storage {} has {} elements", shownName(key), num)};

  const auto [known, is_new] = by_key_.emplace(std::string(key), storages.size());
  const auto index = known->second;
  if (is_new)
    storages.push_back({.key = std::string(key),
                        .dtype = std::string(dtype),
                        .num_elements = static_cast<std::uint64_t>(num),
                        .bytes = {}});
  if (storages[index].dtype != dtype || storages[index].num_elements != static_cast<std::uint64_t>(num))
    return Error{fmt::format("storage {} is described twice, and differently", shownName(key))};
  std::int64_t offset = 0;
  if (pid.size() > 5 && pid.item(5).is(Kind::kTuple) && pid.item(5).size() == 3) offset = pid.item(5).item(1).integer();
  if (offset < 0 || offset > num) return Error{fmt::format("a view of storage {} begins outside it", shownName(key))};
  if (offset == 0) return tree.add(Kind::kForeign, static_cast<std::int64_t>(index));
  // A view: an object around the storage, so that rebuildTensor can add the offset.
  const auto storage = tree.add(Kind::kForeign, static_cast<std::int64_t>(index));
  const auto first = tree.add(Kind::kInt, offset);
  if (storage == PickleTree::kNoId || first == PickleTree::kNoId) return PickleTree::kNoId;
  return tree.addContainer(Kind::kTuple, {storage, first});
}

Result<std::optional<Id>> PtStorages::call(PickleTree& tree, Id function, Id arguments_id) {
  using Answer = Result<std::optional<Id>>;
  auto name = tree.at(function).text();
  auto arguments = tree.at(arguments_id);
  if (!arguments.is(Kind::kTuple)) return std::optional<Id>();
  if (name == "torch._tensor._rebuild_from_type_v2" && arguments.size() >= 3 && arguments.item(0).is(Kind::kGlobal) &&
      arguments.item(2).is(Kind::kTuple)) {  // a tensor with attributes: (function, class, arguments, attributes)
    name = arguments.item(0).text();
    arguments = arguments.item(2);
  }
  if (name == "torch._utils._rebuild_parameter" || name == "torch._utils._rebuild_parameter_with_state") {
    const bool is_tensor =
        arguments.size() > 0 && arguments.item(0).is(Kind::kForeign) && arguments.item(0).integer() >= kFirstTensor;
    return is_tensor ? std::optional(arguments.item(0).id()) : std::nullopt;
  }
  const bool has_dtype = name == "torch._utils._rebuild_tensor_v3";
  if (has_dtype || name == "torch._utils._rebuild_tensor_v2" || name == "torch._utils._rebuild_tensor") {
    const auto made = rebuildTensor(tree, arguments, has_dtype);
    return made ? Answer(std::optional(*made)) : Answer(made.error());
  }
  if (name == "numpy.core.multiarray.scalar" || name == "numpy._core.multiarray.scalar")
    return numpyScalar(tree, arguments);
  return std::optional<Id>();
}

/// (storage, offset, shape, strides[, requires_grad, hooks[, dtype]]), offset and strides in elements.
Result<Id> PtStorages::rebuildTensor(PickleTree& tree, PickleValue arguments, bool has_dtype) {
  const auto bad = [&](std::string_view what) {
    return Error{fmt::format("tensor number {}: {}", tensors.size(), what)};
  };
  if (tensors.size() >= kMaxTensors) return Error{fmt::format("more than {} tensors", kMaxTensors)};
  if (arguments.size() < (has_dtype ? 7U : 4U)) return bad("its description is incomplete");
  auto storage = arguments.item(0);
  std::int64_t view_offset = 0;
  if (storage.is(Kind::kTuple) && storage.size() == 2) {
    view_offset = storage.item(1).integer();
    storage = storage.item(0);
  }
  if (!storage.is(Kind::kForeign) || storage.integer() >= kFirstTensor) return bad("it has no storage");
  PtTensorPlan plan;
  plan.storage = static_cast<std::size_t>(storage.integer());
  const auto& owner = storages[plan.storage];
  plan.view.dtype = has_dtype ? std::string(lookUp(kTorchDtypes, nameInTorch(arguments.item(6).text()))) : owner.dtype;
  if (plan.view.dtype.empty()) return bad(fmt::format("unknown dtype {}", shownName(arguments.item(6).text())));
  const auto shape = integers(arguments.item(2)), strides = integers(arguments.item(3));
  if (!shape || !strides || !arguments.item(1).is(Kind::kInt))
    return bad("its shape, strides or offset are no integers");
  plan.view.shape = *shape, plan.view.strides = *strides;
  const std::int64_t first[] = {arguments.item(1).integer()}, view_first[] = {view_offset};
  const auto offset = base::numBytes(first, dtypeSize(plan.view.dtype));
  const auto offset_of_view = base::numBytes(view_first, dtypeSize(owner.dtype));
  if (!offset || !offset_of_view) return bad(fmt::format("it begins at element {} of its storage", first[0]));
  plan.offset_bytes = *offset + *offset_of_view;  // each is below 2^63
  tensors.push_back(std::move(plan));
  return tree.add(Kind::kForeign, kFirstTensor + static_cast<std::int64_t>(tensors.size() - 1));
}

Result<void> PtStorages::placeOne(PtTensorPlan& tensor, bool is_big_endian) {
  const auto& storage = storages[tensor.storage];
  if (!storage.is_found) return Error{fmt::format("its storage {} is missing from the file", shownName(storage.key))};
  const auto num = spanInElements(tensor.view.shape, tensor.view.strides);
  if (!num) return num.error();
  const auto element_size = dtypeSize(tensor.view.dtype);
  const auto size = storage.bytes.size();
  const bool is_outside =
      *num > 0 && (tensor.offset_bytes > size || *num > (size - tensor.offset_bytes) / element_size);
  if (is_outside)
    return Error{fmt::format("shape {} with strides {} from byte {} leaves its storage {} of {} bytes",
                             shapeText(tensor.view.shape), shapeText(tensor.view.strides), tensor.offset_bytes,
                             shownName(storage.key), size)};
  if (*num > 0) tensor.view.bytes = storage.bytes.subspan(tensor.offset_bytes, *num * element_size);
  tensor.view.is_big_endian = is_big_endian;
  return {};
}

}  // namespace meanflow::base

// SPDX-License-Identifier: Apache-2.0
#include "training/diagnostics/operation_trace.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <string_view>

#include "core/nn/block_scope.h"

namespace meanflow::training {
namespace {

thread_local OperationTrace* trace_of_thread = nullptr;
// Backward passes of a GPU run on threads of the autograd engine, which inherit the callback but not the variable
// above.
std::atomic<OperationTrace*> newest_trace{nullptr};

/// Operations that compute nothing: their outputs are another look at an input, hold whatever was in memory, or are
/// constants (a maximum begins at minus infinity, a mask may hold it).
bool computesNothing(const at::RecordFunction& function) {
  const std::string_view name = function.name();
  constexpr std::array<std::string_view, 9> kPrefixes = {"aten::empty",  "aten::new_empty", "aten::_empty",
                                                         "aten::resize", "aten::_resize",   "aten::set_",
                                                         "aten::fill_",  "aten::full",      "aten::new_full"};
  if (std::any_of(kPrefixes.begin(), kPrefixes.end(), [&](auto prefix) { return name.starts_with(prefix); }))
    return true;
  // So are the numbers that tensors are compared with (isfinite compares with infinity).
  const auto is_number = [](const c10::IValue& value) { return value.isTensor() && value.toTensor().dim() == 0; };
  const auto& outputs = function.outputs();
  if ((name == "aten::copy_" || name == "aten::_to_copy") && std::all_of(outputs.begin(), outputs.end(), is_number))
    return true;
  const auto named = function.operator_name();
  const auto found = named ? c10::Dispatcher::singleton().findOp(*named) : std::nullopt;
  if (!found) return false;
  // A product looks anew at the memory that it is yet to fill (as_strided_).
  if (found->hasTag(at::Tag::inplace_view)) return true;
  const auto& returns = found->schema().returns();
  return !returns.empty() && std::all_of(returns.begin(), returns.end(), [](const auto& value) {
    return value.alias_info() && !value.alias_info()->isWrite();
  });
}

void enlarge(double& max_abs, const at::Tensor& tensor) {
  if (!tensor.defined() || !tensor.is_floating_point() || tensor.numel() == 0) return;
  const double value = tensor.abs().amax().item<double>();
  if (std::isnan(value) || value > max_abs) max_abs = value;
}

}  // namespace

OperationTrace::OperationTrace() {
  TORCH_CHECK(!trace_of_thread, "one operation trace a thread");
  trace_of_thread = this;
  newest_trace = this;
  handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback(&OperationTrace::onBegin, &OperationTrace::onEnd)
                                           .needsOutputs(true)
                                           .scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION}));
}

OperationTrace::~OperationTrace() {
  at::removeCallback(handle_);
  trace_of_thread = nullptr;
  auto* expected = this;
  newest_trace.compare_exchange_strong(expected, nullptr);
}

std::unique_ptr<at::ObserverContext> OperationTrace::onBegin(const at::RecordFunction& function) {
  if (auto* trace = trace_of_thread ? trace_of_thread : newest_trace.load()) trace->begin(function);
  return nullptr;
}

void OperationTrace::onEnd(const at::RecordFunction& function, at::ObserverContext*) {
  if (auto* trace = trace_of_thread ? trace_of_thread : newest_trace.load()) trace->end(function);
}

void OperationTrace::begin(const at::RecordFunction& function) {
  const std::lock_guard lock(mutex_);
  if (function.scope() == at::RecordScope::BACKWARD_FUNCTION) {
    const auto known = forward_.find(function.seqNr());
    backward_.push_back(known == forward_.end() ? Origin{} : known->second);
  } else if (backward_.empty() && function.seqNr() >= 0) {
    // Composite operations come before the ones they are made of: the last one with this number makes the node.
    forward_[function.seqNr()] = {core::BlockScope::current(), function.name()};
  }
}

void OperationTrace::end(const at::RecordFunction& function) {
  const std::lock_guard lock(mutex_);
  if (function.scope() == at::RecordScope::BACKWARD_FUNCTION) {
    if (!backward_.empty()) backward_.pop_back();
    return;
  }
  if (computesNothing(function)) return;
  const at::RecordFunctionGuard not_watched(/*is_enabled=*/false);
  const torch::NoGradGuard no_grad;
  TracedOperation operation{
      .name = function.name(), .block = {}, .is_backward = !backward_.empty(), .forward_name = {}};
  if (operation.is_backward) {
    operation.block = backward_.back().block;
    operation.forward_name = backward_.back().name;
  } else {
    operation.block = core::BlockScope::current();
  }
  for (const auto& output : function.outputs()) {
    if (output.isTensor()) enlarge(operation.max_abs, output.toTensor());
    if (!output.isTensorList()) continue;
    for (const auto& tensor : output.toTensorVector()) enlarge(operation.max_abs, tensor);
  }
  operations_.push_back(std::move(operation));
}

}  // namespace meanflow::training

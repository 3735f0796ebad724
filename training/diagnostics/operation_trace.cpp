// SPDX-License-Identifier: Apache-2.0
#include "training/diagnostics/operation_trace.h"

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

/// Operations that compute nothing: their outputs hold whatever was in memory, or are another look at an input.
bool computesNothing(std::string_view name) {
  constexpr std::array<std::string_view, 25> kViews = {
      "aten::alias", "aten::as_strided", "aten::chunk", "aten::detach", "aten::expand", "aten::narrow", "aten::permute",
      "aten::reshape", "aten::select", "aten::slice", "aten::split", "aten::squeeze", "aten::t", "aten::transpose",
      "aten::unbind", "aten::unflatten", "aten::unsqueeze", "aten::view", "aten::_reshape_alias", "aten::resolve_conj",
      "aten::resolve_neg",  // a product resolves the empty tensor that it is to fill
      // Constants: a maximum begins at minus infinity, a mask may hold it.
      "aten::fill_", "aten::full", "aten::full_like", "aten::new_full"};
  if (std::find(kViews.begin(), kViews.end(), name) != kViews.end()) return true;
  constexpr std::array<std::string_view, 5> kPrefixes = {"aten::empty", "aten::new_empty", "aten::_empty",
                                                         "aten::resize", "aten::set_"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(), [&](auto prefix) { return name.starts_with(prefix); });
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
  if (computesNothing(function.name())) return;
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

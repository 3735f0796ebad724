// SPDX-License-Identifier: Apache-2.0
#include "core/device/meta_scope.h"

#include <torch/library.h>

namespace meanflow::core {
namespace {

// A dispatch key that LibTorch reserves for code of others and never sets itself.
constexpr auto kKey = c10::DispatchKey::Fake;

void onMeta(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto& arguments = op.schema().arguments();
  const auto first = stack->size() - arguments.size();
  for (std::size_t i = 0; i < arguments.size(); ++i)
    if (arguments[i].name() == "device") (*stack)[first + i] = c10::Device(c10::DeviceType::Meta);
  const c10::impl::ExcludeDispatchKeyGuard below(kKey);
  op.callBoxed(stack);
}

}  // namespace

TORCH_LIBRARY_IMPL(_, Fake, library) { library.fallback(torch::CppFunction::makeFromBoxedFunction<&onMeta>()); }

MetaScope::MetaScope() : guard_(kKey) {}

}  // namespace meanflow::core

// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <c10/core/impl/LocalDispatchKeySet.h>

namespace meanflow::core {

/// While one lives, tensors that this thread makes lie on LibTorch's meta device: they have shapes and dtypes but no
/// memory, and work on them costs nothing. Networks of any size can be built to look at their parameters. LibTorch has
/// no such default device in C++; every operator's `device` argument is replaced on its way through the dispatcher
/// instead.
class MetaScope {
 public:
  MetaScope();

 private:
  c10::impl::IncludeDispatchKeyGuard guard_;
};

}  // namespace meanflow::core

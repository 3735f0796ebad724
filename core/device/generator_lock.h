// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <mutex>

namespace meanflow::core {

/// LibTorch's default generator, from which every layer draws its first weights, is one for all threads. Whoever builds
/// a network holds this lock meanwhile, also one whose weights are replaced at once: its draws would be missing from a
/// network that another thread builds from a seed. Not recursive.
[[nodiscard]] std::unique_lock<std::mutex> lockDefaultGenerator();

}  // namespace meanflow::core

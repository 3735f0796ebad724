// SPDX-License-Identifier: Apache-2.0
#include "core/device/generator_lock.h"

namespace meanflow::core {

std::unique_lock<std::mutex> lockDefaultGenerator() {
  static std::mutex mutex;
  return std::unique_lock(mutex);
}

}  // namespace meanflow::core

// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer's entry; STUDIO_FUZZ_TARGET names the target of this executable.
#include <cstdint>

#include "tests/fuzz/fuzz_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const auto& target : meanflow::fuzz::targets())
    if (target.name == STUDIO_FUZZ_TARGET) target.run({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}

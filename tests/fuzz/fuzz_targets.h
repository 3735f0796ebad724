// SPDX-License-Identifier: Apache-2.0
//
// The entry functions of fuzzing: each takes a file's bytes, opens them with one of the readers of core/base and looks
// at everything that a successful reader gives out. libFuzzer drives them (preset `fuzz`), and the ordinary tests
// replay the corpus through them.
#pragma once
#include <cstddef>
#include <span>
#include <string_view>

namespace meanflow::fuzz {

struct Target {
  std::string_view name;  ///< Also the folder under corpus/.
  void (*run)(std::span<const std::byte> bytes);
};

/// safetensors, npz, pt, yaml, shard_index, tfevents, step_log.
std::span<const Target> targets();

}  // namespace meanflow::fuzz

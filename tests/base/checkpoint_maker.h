// SPDX-License-Identifier: Apache-2.0
//
// Checkpoint folders with a few made-up values in them.
#pragma once
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <string>

#include "core/base/formats/safetensors.h"
#include "core/base/run/atomic_file.h"
#include "core/base/run/run_folder.h"

namespace meanflow::testing {

struct MadeUpCheckpoint {
  std::string stage = "teacher";
  std::int64_t step = 100;
  bool says_finite = true;
  bool is_imported = false;
  bool has_optimizer = true;
  float value = 0.5F;  ///< The last of the average's values.
};

inline void writeMadeUpCheckpoint(const std::filesystem::path& run_folder, const MadeUpCheckpoint& made_up) {
  const auto folder = run_folder / made_up.stage / "checkpoints" / base::stepName(made_up.step);
  std::filesystem::create_directories(folder);
  std::array<float, 64> values{};
  values.fill(0.25F);
  const auto write = [&](const char* file) {
    base::writeSafetensors(
        folder / file, {{{"blocks.0.attn.qkv.weight", "F32", {8, 8}}, std::as_bytes(std::span<const float>(values))}})
        .value();
  };
  write("model.safetensors");
  if (made_up.has_optimizer) write("optimizer.safetensors");
  values.back() = made_up.value;
  write("ema.safetensors");
  const std::string step = std::to_string(made_up.step);
  base::writeFileAtomically(folder / "state.json",
                            R"({"format_version": 1, "step": )" + step + R"(, "total_steps": 900, "images_seen": )" +
                                std::to_string(64 * made_up.step) + R"(, "wall_seconds": 12.5, "imported": )" +
                                (made_up.is_imported ? "true" : "false") + R"(, "verified_finite": )" +
                                (made_up.says_finite ? "true" : "false") + "}")
      .value();
}

}  // namespace meanflow::testing

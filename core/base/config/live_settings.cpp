// SPDX-License-Identifier: Apache-2.0
#include "core/base/config/live_settings.h"

#include <algorithm>
#include <array>

namespace meanflow::base {

bool isLiveSetting(std::string_view key) {
  constexpr std::string_view kPart = ".training.";
  constexpr std::array<std::string_view, 11> kNames = {
      "steps",     "lr",        "final_lr",         "schedule",         "warmup_steps", "clip_grad",
      "ema_decay", "log_every", "checkpoint_every", "keep_checkpoints", "sample_every"};
  if (key.starts_with("diagnostics.") || key == "mean_flow.delta_t") return true;
  const auto at = key.find(kPart);
  return at != std::string_view::npos &&
         std::find(kNames.begin(), kNames.end(), key.substr(at + kPart.size())) != kNames.end();
}

std::string_view stageOfSetting(std::string_view key) { return key.substr(0, key.find('.')); }

}  // namespace meanflow::base

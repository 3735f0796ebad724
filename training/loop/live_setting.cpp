// SPDX-License-Identifier: Apache-2.0
#include "training/loop/live_setting.h"

#include <torch/torch.h>

#include <algorithm>

#include "core/base/config/config_io.h"
#include "core/base/config/live_settings.h"
#include "core/base/run/atomic_file.h"

namespace meanflow::training {
namespace {

/// Sends the leader's text to every rank.
std::string broadcastText(const Worker& worker, std::string text) {
  auto size = torch::tensor(static_cast<std::int64_t>(text.size()));
  worker.broadcast(size);
  auto bytes = torch::empty({size.item<std::int64_t>()}, torch::kUInt8);
  if (worker.isLeader()) std::copy(text.begin(), text.end(), bytes.data_ptr<std::uint8_t>());
  worker.broadcast(bytes);
  return {bytes.data_ptr<std::uint8_t>(), bytes.data_ptr<std::uint8_t>() + bytes.numel()};
}

}  // namespace

void writeRunConfig(const base::RunConfig& config, RunContext& run) {
  if (const auto written = base::writeFileAtomically(run.folder().config(), base::toYaml(config)); !written)
    run.log("error", written.error().message);
}

void changeLiveSetting(base::RunConfig& config, const Worker& worker, RunContext& run, const std::string& stage,
                       std::int64_t step) {
  base::ChangeSetting change = worker.isLeader() ? run.takeSetting() : base::ChangeSetting{};
  change.key = broadcastText(worker, change.key);
  change.value = broadcastText(worker, change.value);
  const auto old_value = base::getValue(config, change.key);
  const bool is_live = base::isLiveSetting(change.key);
  const auto applied =
      !old_value ? base::Result<void>(old_value.error())
      : is_live  ? base::setValue(config, change.key, change.value)
                 : base::Result<void>(base::Error{change.key +
                                                 " cannot change while the run is going; stop it and start it with " +
                                                 change.key + "=" + change.value});
  if (!worker.isLeader()) return;
  if (!applied) return run.log("error", applied.error().message);
  writeRunConfig(config, run);
  run.publish(base::SettingChanged{stage, step, change.key, *old_value, change.value});
}

}  // namespace meanflow::training

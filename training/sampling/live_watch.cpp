// SPDX-License-Identifier: Apache-2.0
#include "training/sampling/live_watch.h"

#include "training/sampling/live_painter.h"
#include "training/sampling/sampling_worker.h"

namespace meanflow::training {

LiveWatch::LiveWatch(const StageTask& task, RunContext& run, const Worker& worker)
    : task_(task), run_(run), is_leader_(worker.isLeader()) {}

void LiveWatch::afterStep(std::int64_t step, double active_seconds, const Ema& ema) {
  if (!is_leader_ || !run_.sampling || !run_.painter) return;
  const auto& settings = task_.settings();
  const bool is_last = step == settings.steps;
  if (settings.sample_every <= 0 || (step % settings.sample_every != 0 && !is_last)) return;
  const double spent = run_.sampling->liveCpuSeconds(task_.name());
  const double fraction = active_seconds > 0 ? spent / active_seconds : 0;
  run_.publish(base::WatchingCost{fraction, run_.painter->budget()});
  // The last picture of a stage is always made: it is what the next stage builds on.
  if (!is_last && fraction > run_.painter->budget()) return;
  NamedTensors snapshot;
  for (const auto& [name, tensor] : ema.averages())
    snapshot.emplace_back(name, tensor.detach().to(torch::kCPU, /*non_blocking=*/false, /*copy=*/true));
  run_.sampling->submitLive(
      task_.name(), [painter = run_.painter, stage = task_.name(), step, is_last, snapshot = std::move(snapshot)] {
        painter->paint(stage, step, is_last, snapshot);
      });
}

}  // namespace meanflow::training

// SPDX-License-Identifier: Apache-2.0
#include "training/run/rehearsal.h"

#include <torch/torch.h>

#include <algorithm>
#include <chrono>

#include "core/device/precision.h"
#include "training/run/preflight_checks.h"
#include "training/run/run_context.h"
#include "training/stages/stage_task.h"
#include "training/stages/workspace.h"
#include "training/workers/worker.h"

namespace meanflow::training {
namespace fs = std::filesystem;

namespace {
constexpr std::int64_t kDryImages = 512;  // enough for whole batches of the encoding

}  // namespace

TemporaryRun::TemporaryRun(const base::RunConfig& config) {
  auto name = (fs::temp_directory_path() / "meanflow-preflight-XXXXXX").string();
  if (!mkdtemp(name.data())) throw std::runtime_error("no temporary folder could be made: " + name);
  path_ = name;
  auto made = base::RunFolder::create(path_ / "run", config);
  if (!made) {
    remove();
    throw std::runtime_error(made.error().message);
  }
  folder_.emplace(std::move(*made));
}

TemporaryRun::~TemporaryRun() {
  folder_.reset();
  remove();
}

void TemporaryRun::remove() const {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

core::ImageDataset partOfData(const core::ImageDataset& data, std::int64_t count) {
  const auto total = data.train_labels.size(0);
  auto part = data;
  if (total <= count) return part;
  const auto rows = torch::arange(count, torch::kInt64) * total / count;
  const auto indices = rows.to(torch::kInt64);
  part.train_images = data.train_images.index_select(0, indices);
  part.train_labels = data.train_labels.index_select(0, indices);
  part.train_pictures = data.train_pictures.index_select(0, indices);
  return part;
}

std::int64_t numRehearsalImages(const base::RunConfig& config) {
  std::int64_t largest_batch = 0;
  for (const auto& stage : config.stages)
    if (const auto* training = trainingOf(config, stage)) largest_batch = std::max(largest_batch, training->batch_size);
  return std::max(kDryImages, 4 * largest_batch);
}

double medianOf(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

RehearsedStage rehearseStage(const std::string& stage, const Rehearsal& rehearsal, const DryRunOptions& options) {
  using Clock = std::chrono::steady_clock;
  CommandQueue commands;
  RunContext context(rehearsal.folder, rehearsal.events, commands);
  context.if_missing = IfMissing::kInitial;
  context.stop = rehearsal.stop;
  const std::stop_callback stop(rehearsal.stop, [&] { commands.push(base::Discard{}); });
  const bool uses_latents = stage == "teacher" || stage == "mean_flow";
  const core::MatmulPrecision precision(rehearsal.config.precision);
  RehearsedStage result;
  runWorkers(rehearsal.num_workers, rehearsal.device, [&](Worker& worker) {
    Workspace workspace(rehearsal.config, rehearsal.data, worker, context);
    if (worker.isLeader()) context.setStage(stage);
    const auto task = makeStageTask(stage, workspace);
    const auto began = Clock::now();
    if (uses_latents) (void)workspace.trainLatents(std::vector<std::int64_t>{0});
    const double latents = std::chrono::duration<double>(Clock::now() - began).count();
    auto config = workspace.config();
    auto steps = dryRunStage(*task, config, worker, context, options);
    if (worker.isLeader()) result = {std::move(steps), latents};
  });
  return result;
}

}  // namespace meanflow::training

// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/torch.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/kept_events.h"
#include "training/loop/step_loop.h"

namespace meanflow::testing {

namespace fs = std::filesystem;

/// One process's work on a stage of the run in a folder: everything is built anew, as after a restart.
struct StageWork {
  base::RunConfig config;  ///< Of a run that is not there yet; the stage goes on with it in any case.
  int num_workers = 1;
  std::vector<base::Command> waiting;  ///< Sent before the stage begins.
  /// What a person does on an event: called on the training thread. May be empty.
  std::function<void(const base::TrainingEvent&, training::CommandQueue&)> answer;
  /// Called on every rank; the configuration is the rank's own and outlives the task.
  std::function<std::unique_ptr<training::StageTask>(const base::RunConfig&, const training::Worker&)> make_task;
};

struct StageEnd {
  std::shared_ptr<KeptEvents> seen = std::make_shared<KeptEvents>();
  std::string failure;
  bool is_diverged = false, is_stopped = false, is_saved = false;
  std::vector<torch::Tensor> weights;  ///< The leader's as they were at the end, whatever ended it.
};

inline StageEnd trainStage(const fs::path& root, const StageWork& work) {
  auto folder =
      base::RunFolder::isRunFolder(root) ? base::RunFolder::open(root) : base::RunFolder::create(root, work.config);
  folder->lock().value();
  training::CommandQueue commands;
  for (const auto& command : work.waiting) commands.push(command);
  StageEnd end;
  if (work.answer) end.seen->answer = [&](const base::TrainingEvent& event) { work.answer(event, commands); };
  base::FanOutSink events;
  events.add("test", end.seen);
  training::RunContext context(*folder, events, commands);
  context.setState(base::RunState::kStarting);
  context.setState(base::RunState::kRunning);
  try {
    training::runWorkers(work.num_workers, torch::kCPU, [&](training::Worker& worker) {
      base::RunConfig own = work.config;
      const auto task = work.make_task(own, worker);
      const auto keep = [&] {
        if (!worker.isLeader()) return;
        for (const auto& parameter : task->module()->parameters()) end.weights.push_back(parameter.detach().clone());
      };
      try {
        training::runStage(*task, own, worker, context);
      } catch (...) {
        keep();
        throw;
      }
      keep();
    });
  } catch (const training::Diverged& diverged) {
    end.is_diverged = true;
    end.failure = diverged.what();
  } catch (const training::RunInterrupted& interrupted) {
    end.is_stopped = true;
    end.is_saved = interrupted.is_saved;
  } catch (const std::exception& error) {
    end.failure = error.what();
  }
  end.seen->answer = {};
  return end;
}

/// Answers the report of step `step` with `command`; it is then taken at the end of the step after it.
inline auto after(std::int64_t step, base::Command command) {
  return [step, command](const base::TrainingEvent& event, training::CommandQueue& commands) {
    const auto* done = std::get_if<base::StepCompleted>(&event);
    if (done && done->step == step) commands.push(command);
  };
}

}  // namespace meanflow::testing

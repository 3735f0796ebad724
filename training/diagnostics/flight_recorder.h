// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "core/objectives/loss_terms.h"
#include "training/diagnostics/block_groups.h"
#include "training/stages/stage_task.h"
#include "training/workers/worker.h"

namespace meanflow::training {

/// The last steps of a stage, remembered at all times: rates, losses, norms by block, and for this rank's samples their
/// times and errors. Tensors stay on the device until write() asks for them.
class FlightRecorder {
 public:
  struct Step {
    std::int64_t step = 0;  ///< Optimizer step (1 = the first).
    double lr = 0, loss = 0, grad_norm = 0;
    bool is_clipped = false;
    std::string action;                      ///< Empty, or what was done about the step: "skip", "roll_back", "stop".
    torch::Tensor t, r, err_sq, grad_norms;  ///< [B of this rank] each; [num parameters]. May be undefined.
  };

  FlightRecorder(const BlockGroups& groups, std::size_t capacity) : groups_(groups), capacity_(capacity) {}

  void add(Step step);
  void setCapacity(std::size_t capacity);
  const std::deque<Step>& steps() const { return steps_; }
  double typicalRate() const;  ///< Median learning rate of the steps before the newest; 0 when there are none.
  void forget() { steps_.clear(); }

  /// What the recorder holds as JSON lines, oldest first, gathered from all ranks, which call it together: step, lr,
  /// loss, grad_norm, is_clipped, action, noise_seed, samples, labels, t, r, squared_error, and grad_norm by block. The
  /// noise of member k is that of (noise_seed, step - 1, k).
  std::string text(StageTask& task, const Worker& worker) const;
  /// Gradient norms by block, [steps][blocks].
  std::vector<std::vector<double>> blockNorms() const;

 private:
  const BlockGroups& groups_;
  std::size_t capacity_;
  std::deque<Step> steps_;
};

}  // namespace meanflow::training

// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/base/events/diagnostic_event.h"
#include "core/nn/block_scope.h"
#include "training/diagnostics/block_groups.h"
#include "training/optim/adamw.h"
#include "training/optim/ema.h"

namespace meanflow::training {

/// Measures the blocks of a network around one optimizer step. Everything is computed on the device; finish() is the
/// only wait. Use: begin() after the gradients are reduced and before the update, finish() after the averages followed.
class BlockMeter {
 public:
  BlockMeter(const BlockGroups& groups, const AdamW& optimizer, const Ema& ema);

  /// `grad_norms`: gradientNorms().each, before clipping.
  void begin(const torch::Tensor& grad_norms);
  base::BlockFiguresReady finish(const std::string& stage, std::int64_t step, const core::ActivationProbe* probe);

  /// A second moment that has fallen faster than beta2 allows since the last call of begin() (v_t >= beta2 v_t-1 entry
  /// by entry), or a first or second moment that is all zero though the optimizer has stepped: its name, or empty.
  /// Known after finish().
  struct LostMoment {
    std::string tensor, block;
    double norm = 0, expected = 0;
  };
  const std::optional<LostMoment>& lostMoment() const { return lost_; }

  void forget() { last_second_ = torch::Tensor(), last_step_ = -1; }  ///< After a rewind.

 private:
  void findLostMoment(std::int64_t step, const torch::Tensor& first, const torch::Tensor& second);

  const BlockGroups& groups_;
  const AdamW& optimizer_;
  std::vector<torch::Tensor> first_, second_, averages_;  ///< By parameter of the groups; share memory.
  torch::Tensor grad_norms_, first_norms_, second_norms_;
  std::vector<torch::Tensor> before_;
  torch::Tensor last_second_;  ///< [num parameters] on the CPU.
  std::int64_t last_step_ = -1;
  std::optional<LostMoment> lost_;
};

}  // namespace meanflow::training

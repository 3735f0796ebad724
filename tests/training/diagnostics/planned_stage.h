// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/torch.h>
#include <QByteArray>
#include <QList>
#include <filesystem>
#include <limits>
#include <utility>

#include "core/nn/block_scope.h"
#include "tests/training/trained_stage.h"
#include "training/diagnostics/stage_health.h"

namespace meanflow::testing {

namespace fs = std::filesystem;

/// A small stage with a fault planted into it, and what its health makes of that.
namespace planned {

inline constexpr std::int64_t kSteps = 40, kBadStep = 25, kBatch = 8;
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();

/// Two blocks and a read-out: learns the sum of its four inputs.
class TwoBlocksImpl : public torch::nn::Module {
 public:
  TwoBlocksImpl() {
    torch::nn::ModuleList blocks;
    for (int i = 0; i < 2; ++i) {
      blocks->push_back(torch::nn::Linear(4, 4));
      torch::nn::init::eye_(blocks[i]->as<torch::nn::Linear>()->weight);
    }
    blocks_ = register_module("blocks", blocks);
    out_ = register_module("out", torch::nn::Linear(4, 1));
    torch::nn::init::constant_(out_->weight, 0.5);
    const torch::NoGradGuard no_grad;
    for (auto& item : named_parameters())
      if (item.key().ends_with("bias")) item.value().zero_();
  }
  torch::Tensor forward(torch::Tensor x, bool is_bf16) {
    for (std::int64_t i = 0; i < 2; ++i)
      x = core::inBlock("blocks", i, [&] {
        auto& linear = *blocks_[i]->as<torch::nn::Linear>();
        if (!is_bf16) return linear.forward(x);
        return torch::linear(x.to(torch::kBFloat16), linear.weight.to(torch::kBFloat16)).to(torch::kFloat32);
      });
    return core::inBlock("out", -1, [&] { return out_(x); });
  }

 private:
  torch::nn::ModuleList blocks_{nullptr};
  torch::nn::Linear out_{nullptr};
};
TORCH_MODULE(TwoBlocks);

struct Plan {
  int num_workers = 1;
  base::TrainingConfig training;
  base::DiagnosticsConfig diagnostics;
  bool is_bf16 = false;
  std::int64_t bad_step = kBadStep;
  std::int64_t poisoned_position = -1;  ///< Of the bad step; its row is multiplied by `poison`.
  double poison = kNaN;
  std::function<void(TwoBlocks&)> plant;  ///< Called once on every rank, before the bad step's forward pass.
  std::function<void(const base::TrainingEvent&, training::CommandQueue&)> answer;
  std::int64_t* last_forward = nullptr;  ///< Gets the number of the step whose forward pass was begun last. One worker.

  Plan() {
    training.steps = kSteps;
    training.batch_size = kBatch;
    training.lr = training.final_lr = 0.01;
    training.schedule = "constant";
    training.ema_decay = 0.9;
    training.log_every = 1;
    training.checkpoint_every = 10;
    training.keep_checkpoints = 0;
    training.sample_every = 0;
    diagnostics.figures_every = 1;
  }
};

class PlannedTask final : public training::StageTask {
 public:
  PlannedTask(const Plan& plan, const base::TrainingConfig& settings) : plan_(plan), settings_(settings) {}

  std::string name() const override { return "teacher"; }
  const base::TrainingConfig& settings() const override { return settings_; }
  std::shared_ptr<torch::nn::Module> module() override { return network_.ptr(); }

  core::LossTerms loss(std::int64_t step, std::span<const std::int64_t> positions) override {
    if (plan_.last_forward) *plan_.last_forward = step + 1;
    if (step + 1 == plan_.bad_step && plan_.plant && !std::exchange(is_planted_, true)) {
      const torch::NoGradGuard no_grad;
      plan_.plant(network_);
    }
    std::vector<torch::Tensor> rows;
    for (const auto position : positions) {
      rows.push_back(
          torch::sin(torch::arange(4) * 2.1 + static_cast<double>(step) * 1.3 + static_cast<double>(position) * 0.7));
      if (step + 1 == plan_.bad_step && position == plan_.poisoned_position) rows.back() *= plan_.poison;
    }
    const auto x = torch::stack(rows);
    const auto errors = (network_(x, plan_.is_bf16).squeeze(1) - torch::sin(x.sum(1)).nan_to_num()).square();
    core::LossTerms terms;
    terms.loss = errors.mean();
    terms.err_sq = errors.detach();
    terms.t = torch::linspace(0, 1, x.size(0));
    terms.scalars.emplace_back("mse", terms.loss.detach());
    return terms;
  }

  training::BatchMembers members(std::int64_t step, std::span<const std::int64_t> positions) override {
    training::BatchMembers members;
    for (const auto position : positions) members.samples.push_back(100 * step + position);
    members.labels.assign(members.samples.size(), 3);
    members.noise_seed = 77;
    return members;
  }

 private:
  const Plan& plan_;
  const base::TrainingConfig& settings_;
  TwoBlocks network_;
  bool is_planted_ = false;
};

struct Result : StageEnd {
  std::vector<base::AlarmRaised> alarms(const std::string& kind) const {
    auto found = seen->all<base::AlarmRaised>();
    std::erase_if(found, [&](const auto& alarm) { return alarm.kind != kind; });
    return found;
  }
};

inline Result train(const fs::path& root, const Plan& plan) {
  StageWork work;
  work.config.teacher.training = plan.training;
  work.config.diagnostics = plan.diagnostics;
  work.num_workers = plan.num_workers;
  work.answer = plan.answer;
  work.make_task = [&](const base::RunConfig& config, const training::Worker&) {
    return std::make_unique<PlannedTask>(plan, config.teacher.training);
  };
  return {trainStage(root, work)};
}

using testing::after;

inline torch::Tensor& weightOf(TwoBlocks& network, const std::string& name) {
  return *network->named_parameters().find(name);
}

struct Planted {
  Plan plan;
  std::string kind;
  base::FaultOrigin origin;
};

inline Planted plantedFault(const QByteArray& name) {
  Planted planted;
  auto& plan = planted.plan;
  planted.kind = "non_finite";
  planted.origin.step = kBadStep;
  if (name == "a NaN weight") {
    plan.plant = [](TwoBlocks& network) { weightOf(network, "blocks.1.weight")[0][0] = kNaN; };
    planted.origin.tensor = "blocks.1.weight", planted.origin.block = "blocks.1", planted.origin.operation = "weights";
  } else if (name == "an Inf activation in block 1" || name == "a bf16 overflow in block 0") {
    plan.is_bf16 = name.startsWith("a bf16");
    const std::string block = plan.is_bf16 ? "blocks.0" : "blocks.1";
    plan.plant = [block](TwoBlocks& network) {
      weightOf(network, block + ".weight").fill_(3.4e38);  // finite, but not in bf16
      weightOf(network, block + ".weight")[0].neg_();      // beyond float32 with this bias, whatever goes in
      weightOf(network, block + ".bias").fill_(3.4e38);
    };
    planted.origin.tensor = "activation", planted.origin.block = block;
    planted.origin.operation = plan.is_bf16 ? "aten::copy_" : "aten::addmm";
  } else if (name == "a poisoned sample" || name == "a NaN that one of two ranks sees") {
    plan.poisoned_position = 6;
    if (name.contains("ranks")) plan.num_workers = 2, planted.origin.rank = 1;
    planted.origin.tensor = "latents", planted.origin.operation = "data";
    planted.origin.sample = 100 * (kBadStep - 1) + 6;
  } else if (name == "a sample 10,000 times too large") {
    plan.poisoned_position = 2, plan.poison = 1e4;
    planted.kind = "explosion";
    planted.origin.tensor = "latents", planted.origin.operation = "data";
    planted.origin.sample = 100 * (kBadStep - 1) + 2;
  } else if (name == "a block whose weights grew a thousand times") {
    plan.plant = [](TwoBlocks& network) { weightOf(network, "blocks.1.weight").mul_(1000); };
    planted.kind = "explosion";
    planted.origin.tensor = "blocks.1.weight", planted.origin.block = "blocks.1", planted.origin.operation = "weights";
  }
  return planted;
}

inline QList<QByteArray> plantedFaultNames() {
  return {"a NaN weight",
          "an Inf activation in block 1",
          "a bf16 overflow in block 0",
          "a poisoned sample",
          "a NaN that one of two ranks sees",
          "a sample 10,000 times too large",
          "a block whose weights grew a thousand times"};
}

}  // namespace planned
}  // namespace meanflow::testing

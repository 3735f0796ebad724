// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/checkpoint/module_state.h"
#include "core/flow/guidance.h"
#include "core/objectives/consistency_mid_training.h"
#include "training/diagnostics/probe_set.h"
#include "training/loop/checkpoint_store.h"
#include "training/stages/tasks.h"

namespace meanflow::training {
namespace {

constexpr std::int64_t kTrajectoryBatch = 128;  // bounds memory while a bank is made

/// Consistency mid-training: the student learns jumps along the teacher's Euler trajectories. Trajectories come from a
/// bank that all steps share until it is renewed, or are made anew every step.
class CmtTask final : public StageTask {
 public:
  /// `first_bank`: number of the first bank, so that the control sees other trajectories than the stage before it.
  CmtTask(Workspace& workspace, std::string name, base::TrainingConfig* own_settings, std::int64_t first_bank)
      : workspace_(workspace),
        name_(std::move(name)),
        config_(workspace.config().cmt),
        settings_(own_settings),
        first_bank_(first_bank),
        network_(makeStudent(workspace.config(), workspace.numClasses())),
        objective_(core::cmtOptions(config_, workspace.numClasses())),
        grid_(workspace.schedule().grid(config_.euler_steps + 1, config_.grid_end)) {
    network_->to(workspace.device());
  }

  std::string name() const override { return name_; }
  const base::TrainingConfig& settings() const override { return settings_ ? *settings_ : config_.training; }
  std::shared_ptr<torch::nn::Module> module() override { return network_.ptr(); }
  core::DiTwDDTHead& network() { return network_; }

  void begin(std::int64_t step) override {
    teacher_ = core::classifierFreeGuidance(core::velocityField(workspace_.teacher()), config_.guidance,
                                            workspace_.numClasses());
    if (usesBank()) makeBank(bankAt(step));
  }

  std::shared_ptr<const ProbeSet> probes() override {
    return std::make_shared<ProbeSet>(cmtProbes(workspace_, network_, teacher_));
  }

  core::LossTerms loss(std::int64_t step, std::span<const std::int64_t> positions) override {
    prepareBank(step);
    return objective_.evaluate(core::flowMap(network_), bank_, drawPairs(step, positions));
  }

  /// Trajectories are numbered within their bank, or within the step that makes them; a label is the class that the
  /// trajectory was made for.
  BatchMembers members(std::int64_t step, std::span<const std::int64_t> positions) override {
    prepareBank(step);
    const auto numbers = drawPairs(step, positions).pair_indices.remainder(bank_.numTrajectories());
    BatchMembers members{{}, {}, stageSeed(workspace_.seed(), name_)};
    for (std::int64_t i = 0; i < numbers.size(0); ++i) {
      members.samples.push_back(numbers[i].item<std::int64_t>());
      members.labels.push_back(members.samples.back() % workspace_.numClasses());
    }
    return members;
  }

 private:
  bool usesBank() const { return config_.trajectories == "bank"; }
  std::int64_t bankAt(std::int64_t step) const {
    return first_bank_ + (config_.bank_refresh_every > 0 ? step / config_.bank_refresh_every : 0);
  }

  void prepareBank(std::int64_t step) {
    if (usesBank()) {
      if (const auto bank = bankAt(step); bank != bank_number_) makeBank(bank);
    } else if (bank_number_ != step) {
      bank_ = makeTrajectories(step * config_.trajectories_per_step, 0, config_.trajectories_per_step);
      bank_number_ = step;
    }
  }

  core::Draws drawPairs(std::int64_t step, std::span<const std::int64_t> positions) const {
    return core::drawFor(objective_.pairNeeds(bank_.numPairs()), stageSeed(workspace_.seed(), name_), step, positions,
                         workspace_.latent().sizes(), workspace_.device());
  }

  /// Trajectories numbered from `first` + [begin, end); number n has noise, label and label drop of its own.
  core::Trajectories makeTrajectories(std::int64_t first, std::int64_t begin, std::int64_t end) {
    std::vector<std::int64_t> numbers(end - begin);
    std::iota(numbers.begin(), numbers.end(), begin);
    auto draws = core::drawFor(objective_.trajectoryNeeds(), stageSeed(workspace_.seed(), "trajectories"), first,
                               numbers, workspace_.latent().sizes(), workspace_.device());
    // Classes in turn: every class has the same share of the bank.
    const auto labels =
        torch::arange(begin, end, torch::kInt64).remainder(workspace_.numClasses()).to(workspace_.device());
    return objective_.makeTrajectories(teacher_, labels, draws, grid_);
  }

  /// Every rank makes its share; all then hold the whole bank.
  void makeBank(std::int64_t number) {
    const auto [begin, end] = workspace_.worker().share(config_.bank_size);
    std::vector<torch::Tensor> states, labels;
    for (std::int64_t at = begin; at < end; at += kTrajectoryBatch) {
      workspace_.run().leaveIfStopped();
      auto part = makeTrajectories(number, at, std::min(end, at + kTrajectoryBatch));
      states.push_back(part.states.transpose(0, 1));  // trajectories first, to gather rows
      labels.push_back(part.y);
    }
    bank_.states = workspace_.worker().allGatherRows(torch::cat(states)).transpose(0, 1).contiguous();
    bank_.y = workspace_.worker().allGatherRows(torch::cat(labels));
    bank_.times = grid_;
    bank_number_ = number;
  }

  Workspace& workspace_;
  std::string name_;
  const base::CmtConfig& config_;
  const base::TrainingConfig* settings_;
  std::int64_t first_bank_;
  core::DiTwDDTHead network_;
  core::ConsistencyMidTraining objective_;
  std::vector<double> grid_;
  core::VelocityField teacher_;
  core::Trajectories bank_;
  std::int64_t bank_number_ = -1;
};

/// Control: owns its settings, whose number of steps follows from what mean_flow cost.
class ControlTask final : public StageTask {
 public:
  explicit ControlTask(Workspace& workspace)
      : settings_(workspace.config().cmt.training), task_(workspace, "control", &settings_, firstBank(workspace)) {
    const auto cmt = CheckpointStore(workspace.run().folder(), "cmt").newestProgress();
    const auto mean_flow = CheckpointStore(workspace.run().folder(), "mean_flow").newestProgress();
    if (!cmt || !mean_flow || cmt->step == 0)
      throw std::runtime_error(
          "control: stages cmt and mean_flow have to be finished first; put control behind them in `stages`");
    // What CMT has settled on is spoilt by its own rate: the demo's distance went from .0172 to .0196, at a tenth of it
    // to .0167.
    settings_.lr = workspace.config().cmt.control_lr;
    settings_.final_lr = std::min(settings_.final_lr, settings_.lr);
    settings_.steps = std::llround(mean_flow->cpu_seconds / (cmt->cpu_seconds / static_cast<double>(cmt->step)));
    loadStageWeights(*task_.network(), workspace.run().folder(), "cmt");
  }

  std::string name() const override { return task_.name(); }
  const base::TrainingConfig& settings() const override { return settings_; }
  std::shared_ptr<torch::nn::Module> module() override { return task_.module(); }
  void begin(std::int64_t step) override { task_.begin(step); }
  std::shared_ptr<const ProbeSet> probes() override { return task_.probes(); }
  core::LossTerms loss(std::int64_t step, std::span<const std::int64_t> positions) override {
    return task_.loss(step, positions);
  }
  BatchMembers members(std::int64_t step, std::span<const std::int64_t> positions) override {
    return task_.members(step, positions);
  }

 private:
  static std::int64_t firstBank(Workspace& workspace) {
    const auto& cmt = workspace.config().cmt;
    return cmt.bank_refresh_every > 0 ? cmt.training.steps / cmt.bank_refresh_every + 1 : 1;
  }
  base::TrainingConfig settings_;
  CmtTask task_;
};

}  // namespace

std::unique_ptr<StageTask> makeCmtTask(Workspace& workspace) {
  auto task = std::make_unique<CmtTask>(workspace, "cmt", nullptr, 0);
  core::copyMatching(*workspace.teacher(), *task->network());  // r_embedder keeps its random start
  return task;
}

std::unique_ptr<StageTask> makeControlTask(Workspace& workspace) { return std::make_unique<ControlTask>(workspace); }

}  // namespace meanflow::training

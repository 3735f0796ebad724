// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/module_state.h"
#include "core/flow/guidance.h"
#include "core/objectives/mean_flow.h"
#include "training/diagnostics/probe_set.h"
#include "training/stages/external_weights.h"
#include "training/stages/latent_batches.h"
#include "training/stages/tasks.h"

namespace meanflow::training {
namespace {

core::VelocitySource velocitySource(Workspace& workspace) {
  const auto& config = workspace.config().mean_flow;
  core::VelocityField teacher;
  if (core::VelocitySource::needsTeacher(config))
    teacher =
        core::classifierFreeGuidance(core::velocityField(workspace.teacher()), config.guidance, workspace.numClasses());
  return core::VelocitySource::fromConfig(config, teacher);
}

/// MeanFlow distillation (w = teacher velocity), training (w = noise - data) or a mixture, by configuration.
class MeanFlowTask final : public StageTask {
 public:
  explicit MeanFlowTask(Workspace& workspace)
      : workspace_(workspace),
        config_(workspace.config().mean_flow),
        network_(makeStudent(workspace.config(), workspace.numClasses())),
        velocity_(velocitySource(workspace)),
        batches_(workspace, config_.training.batch_size, workspace.seed() + 1) {
    network_->to(workspace.device());
    // From CMT where it was run; else from the teacher, which is what CMT is there to improve on.
    if (hasWeights(workspace.config(), workspace.run().folder(), "cmt"))
      loadWeights(*network_, workspace.config(), workspace.run().folder(), "cmt");
    else
      core::copyMatching(*workspace.teacher(), *network_);
  }

  std::string name() const override { return "mean_flow"; }
  const base::TrainingConfig& settings() const override { return config_.training; }
  std::shared_ptr<torch::nn::Module> module() override { return network_.ptr(); }

  std::shared_ptr<const ProbeSet> probes() override {
    auto set = std::make_shared<ProbeSet>(meanFlowProbes(workspace_, network_));
    set->velocity = velocity_;
    return set;
  }

  core::LossTerms loss(std::int64_t step, std::span<const std::int64_t> positions) override {
    const auto indices = batches_.samples(step, positions);
    // Made for every step: mean_flow.delta_t may change while it trains.
    const core::MeanFlow objective(core::meanFlowOptions(config_, workspace_.numClasses()), workspace_.schedule(),
                                   velocity_);
    const auto draws = core::drawFor(objective.needs(), stageSeed(workspace_.seed(), name()), step, positions,
                                     workspace_.latent().sizes(), workspace_.device());
    return objective.evaluate(core::flowMap(network_), workspace_.trainLatents(indices),
                              workspace_.trainLabels(indices), draws);
  }

  BatchMembers members(std::int64_t step, std::span<const std::int64_t> positions) override {
    auto samples = batches_.samples(step, positions);
    return {samples, workspace_.labelsOf(samples), stageSeed(workspace_.seed(), name())};
  }

 private:
  Workspace& workspace_;
  const base::MeanFlowConfig& config_;
  core::DiTwDDTHead network_;
  core::VelocitySource velocity_;
  LatentBatches batches_;
};

}  // namespace

std::unique_ptr<StageTask> makeMeanFlowTask(Workspace& workspace) { return std::make_unique<MeanFlowTask>(workspace); }

}  // namespace meanflow::training

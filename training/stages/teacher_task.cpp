// SPDX-License-Identifier: Apache-2.0
#include "core/objectives/flow_matching.h"
#include "training/stages/latent_batches.h"
#include "training/stages/tasks.h"

namespace meanflow::training {
namespace {

/// Flow matching: trains v(z, t, y) on latents of the training images.
class TeacherTask final : public StageTask {
 public:
  explicit TeacherTask(Workspace& workspace)
      : workspace_(workspace),
        config_(workspace.config().teacher),
        network_(makeTeacher(workspace.config(), workspace.numClasses())),
        objective_({.num_classes = workspace.numClasses(), .label_dropout = config_.label_dropout},
                   workspace.schedule()),
        batches_(workspace, config_.training.batch_size, workspace.seed()) {
    network_->to(workspace.device());
  }

  std::string name() const override { return "teacher"; }
  const base::TrainingConfig& settings() const override { return config_.training; }
  std::shared_ptr<torch::nn::Module> module() override { return network_.ptr(); }

  core::LossTerms loss(std::int64_t step, std::span<const std::int64_t> positions) override {
    const auto indices = batches_.samples(step, positions);
    const auto draws = core::drawFor(objective_.needs(), stageSeed(workspace_.seed(), name()), step, positions,
                                     workspace_.latent().sizes(), workspace_.device());
    return objective_.evaluate(core::velocityField(network_), workspace_.trainLatents(indices),
                               workspace_.trainLabels(indices), draws);
  }

  BatchMembers members(std::int64_t step, std::span<const std::int64_t> positions) override {
    auto samples = batches_.samples(step, positions);
    return {samples, workspace_.labelsOf(samples), stageSeed(workspace_.seed(), name())};
  }

 private:
  Workspace& workspace_;
  const base::TeacherConfig& config_;
  core::DiTwDDTHead network_;
  core::FlowMatching objective_;
  LatentBatches batches_;
};

}  // namespace

std::unique_ptr<StageTask> makeTeacherTask(Workspace& workspace) { return std::make_unique<TeacherTask>(workspace); }

}  // namespace meanflow::training

// SPDX-License-Identifier: Apache-2.0
#include "core/flow/noise.h"
#include "training/stages/tasks.h"

namespace meanflow::training {
namespace {

constexpr auto kRatioStream = static_cast<core::Stream>(static_cast<std::uint32_t>(core::Stream::kFirstFree));
constexpr auto kMaskStream = static_cast<core::Stream>(static_cast<std::uint32_t>(core::Stream::kFirstFree) + 1);

/// Masked-autoencoder pre-training: the encoder that makes the latent space.
class EncoderTask final : public StageTask {
 public:
  explicit EncoderTask(Workspace& workspace)
      : workspace_(workspace),
        config_(workspace.config().encoder),
        network_(makeEncoder(workspace.config())),
        sampler_(workspace.data().train_labels.size(0), config_.training.batch_size, workspace.seed()) {
    network_->to(workspace.device());
  }

  std::string name() const override { return "encoder"; }
  const base::TrainingConfig& settings() const override { return config_.training; }
  std::shared_ptr<torch::nn::Module> module() override { return network_.ptr(); }

  core::LossTerms loss(std::int64_t step, std::span<const std::int64_t> positions) override {
    const auto seed = stageSeed(workspace_.seed(), name());
    const auto side = workspace_.latent().side;
    // One ratio for the whole global batch, so that every row keeps the same number of patches.
    float ratio = 0;
    core::philoxUniform(seed, kRatioStream, static_cast<std::uint64_t>(step), {&ratio, 1});
    std::vector<std::uint64_t> indices;
    for (const auto position : positions) indices.push_back(core::stepIndex(step, position));
    const auto uniforms = core::uniforms(seed, kMaskStream, indices, {side * side}).to(workspace_.device());
    const auto images = normaliseImages(workspace_.trainImages(pick(sampler_.batch(step), positions)));
    core::LossTerms terms;
    terms.loss = network_->loss(images, uniforms, ratio * config_.mask_ratio_max);
    return terms;
  }

  BatchMembers members(std::int64_t step, std::span<const std::int64_t> positions) override {
    auto samples = pick(sampler_.batch(step), positions);
    return {samples, workspace_.labelsOf(samples), stageSeed(workspace_.seed(), name())};
  }

 private:
  Workspace& workspace_;
  const base::EncoderConfig& config_;
  core::MaskedAutoencoder network_;
  core::EpochSampler sampler_;
};

}  // namespace

std::unique_ptr<StageTask> makeEncoderTask(Workspace& workspace) { return std::make_unique<EncoderTask>(workspace); }

}  // namespace meanflow::training

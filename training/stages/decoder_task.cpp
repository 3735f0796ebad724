// SPDX-License-Identifier: Apache-2.0
#include "core/flow/noise.h"
#include "training/stages/tasks.h"

namespace meanflow::training {
namespace {

constexpr auto kScaleStream = static_cast<core::Stream>(static_cast<std::uint32_t>(core::Stream::kFirstFree));
constexpr auto kFeatureNoiseStream =
    static_cast<core::Stream>(static_cast<std::uint32_t>(core::Stream::kFirstFree) + 1);

/// Trains the decoder on the frozen encoder's features (L1), and at the end measures the latent statistics that
/// normalise the space the flows live in.
class DecoderTask final : public StageTask {
 public:
  explicit DecoderTask(Workspace& workspace)
      : workspace_(workspace),
        config_(workspace.config().decoder),
        codec_(makeRawCodec(workspace.config(), workspace.run().folder(), makeDecoder(workspace.config()),
                            workspace.device(), workspace.run().if_missing)),
        sampler_(workspace.data().train_labels.size(0), config_.training.batch_size, workspace.seed()) {}

  std::string name() const override { return "decoder"; }
  const base::TrainingConfig& settings() const override { return config_.training; }
  std::shared_ptr<torch::nn::Module> module() override { return codec_.decoder.ptr(); }

  void begin(std::int64_t) override {
    const torch::NoGradGuard no_grad;
    features_ = encodeShared(workspace_.data().train_images, workspace_.worker(), [this](const torch::Tensor& images) {
      workspace_.run().leaveIfStopped();
      return codec_.features(core::toUnitRange(images.to(workspace_.device())));
    });
  }

  core::LossTerms loss(std::int64_t step, std::span<const std::int64_t> positions) override {
    const auto indices = pick(sampler_.batch(step), positions);
    auto features = features_.index_select(0, torch::tensor(indices).to(features_.device()));
    if (config_.noise_tau > 0) {
      const auto seed = stageSeed(workspace_.seed(), name());
      std::vector<std::uint64_t> keys;
      for (const auto position : positions) keys.push_back(core::stepIndex(step, position));
      features = core::addFeatureNoise(
          features, config_.noise_tau, core::uniforms(seed, kScaleStream, keys, {}).to(features.device()),
          core::noise(seed, kFeatureNoiseStream, keys, workspace_.latent().sizes()).to(features.device()));
    }
    core::LossTerms terms;
    terms.loss = torch::l1_loss(codec_.decodeFeatures(features), workspace_.trainImages(indices));
    return terms;
  }

  void finish() override {
    if (!config_.statistics.empty()) return;  // somebody else's are used
    if (!features_.defined() && hasLatentMoments(workspace_.config(), workspace_.run().folder())) return;
    core::LatentStatistics statistics;
    if (!features_.defined()) {  // killed between the last checkpoint and this line
      const torch::NoGradGuard no_grad;
      const auto& images = workspace_.data().train_images;
      for (std::int64_t at = 0; at < images.size(0); at += 250)
        statistics.add(codec_.features(core::toUnitRange(
            images.narrow(0, at, std::min<std::int64_t>(250, images.size(0) - at)).to(workspace_.device()))));
    } else {
      statistics.add(features_);
    }
    saveLatentMoments(workspace_.run().folder(), statistics.moments());
  }

  BatchMembers members(std::int64_t step, std::span<const std::int64_t> positions) override {
    auto samples = pick(sampler_.batch(step), positions);
    return {samples, workspace_.labelsOf(samples), stageSeed(workspace_.seed(), name())};
  }

 private:
  Workspace& workspace_;
  const base::DecoderConfig& config_;
  core::RaeCodec codec_;
  core::EpochSampler sampler_;
  torch::Tensor features_;  ///< Of all training images, not normalised.
};

}  // namespace

std::unique_ptr<StageTask> makeDecoderTask(Workspace& workspace) { return std::make_unique<DecoderTask>(workspace); }

}  // namespace meanflow::training

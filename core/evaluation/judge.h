// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/torch.h>

#include <functional>
#include <map>
#include <stop_token>
#include <string>

#include "core/base/config/run_config.h"
#include "core/data/dataset.h"

namespace meanflow::core {

/// Five 3x3 convolutions with batch normalisation and ReLU (the first, third and fifth with stride 2), mean over
/// positions, then a feature layer (linear, SiLU) and a linear classifier. About 0.13 M parameters at width 24.
/// Shape: x [B, 3, H, W] in [0, 1] -> features [B, F].
class JudgeNetImpl final : public torch::nn::Module {
 public:
  JudgeNetImpl(const base::JudgeConfig& config, std::int64_t num_classes);
  torch::Tensor features(const torch::Tensor& x);
  torch::Tensor classify(const torch::Tensor& features) { return head(features); }  ///< [B, F] -> logits [B, C]
  /// Draws all weights anew from `seed` without touching the global generator.
  void initialise(std::uint64_t seed);

  torch::nn::Sequential trunk{nullptr};
  torch::nn::Linear embed{nullptr}, head{nullptr};
};
TORCH_MODULE(JudgeNet);

/// The small classifier that scores a demo run: accuracy by its logits, Frechet distances on its features. Not
/// comparable with Inception's figures, nor between judges of different weights.
class Judge {
 public:
  Judge(const base::JudgeConfig& config, std::int64_t num_classes);

  /// images [B, 3, H, W], uint8 or floating in [0, 1], any B (computed in parts) -> float32 [B, F], no gradient. On the
  /// network's device.
  torch::Tensor features(const torch::Tensor& images) const;
  torch::Tensor logits(const torch::Tensor& images) const;      ///< As features() -> [B, C].
  torch::Tensor classify(const torch::Tensor& features) const;  ///< features [B, F] -> logits [B, C].

  /// Parameters and buffers by name (sharing memory), for checkpoint files; loadState copies them back. Throws
  /// c10::Error naming the first tensor that is missing, left over or of another shape.
  std::map<std::string, torch::Tensor> state() const;
  void loadState(const std::map<std::string, torch::Tensor>& tensors);

  JudgeNet network() const { return network_; }

 private:
  JudgeNet network_;
};

struct JudgeProgress {
  std::int64_t step = 0;  ///< Steps done.
  std::int64_t num_steps = 0;
  double loss = 0;
};

struct JudgeTraining {
  std::uint64_t seed = 0;
  int num_threads = 1;  ///< LibTorch threads; results are reproducible for a given number.
  std::function<void(const JudgeProgress&)> on_progress = {};  ///< Called every 10 steps and after the last.
  std::stop_token stop = {};  ///< Ends training early; the judge is then not usable for scores.
};

/// Trains a judge on the training images with AdamW (cosine schedule) under random shifts of two pixels, swapped colour
/// channels, and flips where the class allows it. The same data, configuration, seed and number of threads give the
/// same weights.
Judge trainJudge(const ImageDataset& dataset, const base::JudgeConfig& config, const JudgeTraining& training = {});

}  // namespace meanflow::core

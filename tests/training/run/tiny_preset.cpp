// SPDX-License-Identifier: Apache-2.0
#include "tests/training/run/tiny_preset.h"

#include "core/base/formats/png.h"
#include "core/base/run/atomic_file.h"

namespace meanflow::testing {
namespace {

constexpr int kSide = 16;
constexpr int kPicturesPerClass = 10;

/// Stripes across, stripes down, or a disc; brightness and place differ from picture to picture.
base::Image8 picture(int kind, int number) {
  base::Image8 image(kSide, kSide, 240);
  for (int y = 0; y < kSide; ++y)
    for (int x = 0; x < kSide; ++x) {
      const int dx = x - 6 - number % 4, dy = y - 6 - number / 4;
      const bool is_ink = kind == 0 ? (y + number) % 5 < 2 : kind == 1 ? (x + number) % 5 < 2 : dx * dx + dy * dy < 20;
      if (is_ink) image.at(x, y)[kind] = static_cast<std::uint8_t>(20 + 9 * number);
    }
  return image;
}

constexpr const char* kSettings = R"(
device: cpu
num_workers: 2
encoder:
  model: {patch_size: 4, hidden_size: 16, depth: 1, num_heads: 2, mlp_ratio: 2}
  mae_decoder_width: 16
  mae_decoder_depth: 1
  training: {steps: 8, batch_size: 8, lr: 2e-3, warmup_steps: 2, ema_decay: 0, log_every: 1, checkpoint_every: 3, keep_checkpoints: 2, sample_every: 4}
decoder:
  model: {patch_size: 4, hidden_size: 16, depth: 1, num_heads: 2, mlp_ratio: 2}
  head_channels: 8
  training: {steps: 8, batch_size: 8, lr: 2e-3, warmup_steps: 2, ema_decay: 0.8, log_every: 1, checkpoint_every: 3, keep_checkpoints: 2, sample_every: 4}
teacher:
  model: {patch_size: 1, hidden_size: [16, 32], depth: [1, 1], num_heads: [2, 2], mlp_ratio: 2, use_qknorm: false, use_swiglu: true, use_rope: true, use_rmsnorm: true, use_pos_embed: true}
  time: {shift: 2}
  training: {steps: 10, batch_size: 8, lr: 2e-3, warmup_steps: 2, ema_decay: 0.8, log_every: 1, checkpoint_every: 3, keep_checkpoints: 2, sample_every: 4}
cmt:
  euler_steps: 4
  bank_size: 9
  guidance: {scale: 2}
  training: {steps: 6, batch_size: 8, lr: 1e-3, ema_decay: 0.8, log_every: 1, checkpoint_every: 3, keep_checkpoints: 2, sample_every: 4}
mean_flow:
  guidance: {scale: 2}
  training: {steps: 6, batch_size: 8, lr: 1e-4, ema_decay: 0.8, log_every: 1, checkpoint_every: 3, keep_checkpoints: 2, sample_every: 4}
evaluation:
  judge: {width: 4, features: 8, steps: 4, batch_size: 8}
  num_samples: 24
  teacher_steps: 3
  guidance: {scale: 2, t_max: 0.8}
  fine_steps: 4
  latent_error_noises: 6
  grid_columns: 2
watch: {columns: 2, budget: 1}
)";

}  // namespace

std::string writeTinyPreset(const std::filesystem::path& folder, const std::string& more) {
  const auto images = folder / "pictures";
  const char* names[kTinyClasses] = {"across", "disc", "down"};
  const int kinds[kTinyClasses] = {0, 2, 1};
  for (int c = 0; c < kTinyClasses; ++c) {
    std::filesystem::create_directories(images / names[c]);
    for (int k = 0; k < kPicturesPerClass; ++k)
      base::writePng(images / names[c] / (std::to_string(k) + ".png"), picture(kinds[c], k)).value();
  }
  const auto preset = folder / "tiny.yaml";
  base::writeFileAtomically(preset, "seed: 3\ndata: {kind: folder, path: " + images.string() +
                                        ", image_size: 16, held_out: 0.3}" + kSettings + more)
      .value();
  return preset.string();
}

}  // namespace meanflow::testing

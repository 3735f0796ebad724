// SPDX-License-Identifier: Apache-2.0
//
// The perceptual and the adversarial loss of the RAE decoder, after bytetriper/RAE's stage 1. Off by default.
#pragma once
#include <cstdint>
#include <string>

#include "core/base/config/field.h"

namespace meanflow::base {

/// Frozen DINO ViT with trainable heads on several depths.
struct DiscriminatorConfig {
  std::string weights;
  std::string recipe = "S_8";
  std::int64_t kernel_size = 9;
  std::string norm = "bn";
  bool spectral_norm = true;
  double lr = 2e-4;
  double final_lr = 2e-5;
  std::string schedule = "cosine";
  std::int64_t warmup_steps = 0;
  bool warmup_from_zero = true;
  std::int64_t decay_end_step = 0;
  double beta1 = 0.9, beta2 = 0.95;
  double weight_decay = 0;
  double augment_probability = 1;
  double augment_cutout = 0;
};
template <class V>
void describe(V& v, DiscriminatorConfig& c) {
  v.field("weights", c.weights, {.help = "File of the frozen DINO backbone (dino_vit_small_patch8_224.pth)"});
  v.field("recipe", c.recipe,
          {.help = "Backbone: width letter and patch size of the DINO ViT", .choices = {"S_8", "S_16", "B_8", "B_16"}});
  v.field("kernel_size", c.kernel_size,
          {.help = "Kernel of the heads' one-dimensional convolutions", .unit = "tokens", .min = 1, .max = 99});
  v.field("norm", c.norm,
          {.help = "Normalisation in the heads: bn = batch statistics of each sample, gn = groups",
           .choices = {"bn", "gn"}});
  v.field("spectral_norm", c.spectral_norm, {.help = "Spectral normalisation of the heads' convolutions"});
  v.field("lr", c.lr, {.help = "Peak learning rate of the heads' AdamW", .min = 0, .max = 10});
  v.field("final_lr", c.final_lr, {.help = "Learning rate at the end of the decay", .min = 0, .max = 10});
  v.field("schedule", c.schedule, {.help = "Shape of the decay", .choices = {"constant", "linear", "cosine"}});
  v.field("warmup_steps", c.warmup_steps, {.help = "Warm-up", .unit = "steps", .min = 0, .max = 1e9});
  v.field("warmup_from_zero", c.warmup_from_zero,
          {.help = "The warm-up rises from zero; otherwise it is a plateau at lr"});
  v.field("decay_end_step", c.decay_end_step,
          {.help = "Step at which final_lr is reached; 0 = the last", .unit = "steps", .min = 0, .max = 1e9});
  v.field("beta1", c.beta1, {.help = "AdamW: decay of the first moment", .min = 0, .max = 0.99999});
  v.field("beta2", c.beta2, {.help = "AdamW: decay of the second moment", .min = 0, .max = 0.99999999});
  v.field("weight_decay", c.weight_decay, {.help = "AdamW: decoupled weight decay", .min = 0, .max = 10});
  v.field("augment_probability", c.augment_probability,
          {.help = "DiffAug: probability of each augmentation of a batch", .min = 0, .max = 1});
  v.field("augment_cutout", c.augment_cutout,
          {.help = "DiffAug: side of the blanked square over the image's; 0 = off", .min = 0, .max = 1});
}

/// Weights and starting steps of the losses beside L1.
struct DecoderLossConfig {
  double perceptual_weight = 0;
  std::int64_t perceptual_start_step = 0;
  double adversarial_weight = 0;
  std::int64_t adversarial_start_step = 0;
  std::int64_t discriminator_start_step = 0;
  std::string generator_loss = "vanilla";
  std::string discriminator_loss = "hinge";
  double max_adaptive_weight = 1e4;
  std::int64_t discriminator_updates = 1;
  DiscriminatorConfig discriminator;
};
template <class V>
void describe(V& v, DecoderLossConfig& c) {
  v.field("perceptual_weight", c.perceptual_weight,
          {.help = "Weight of LPIPS (VGG-16) beside L1; 0 = off", .min = 0, .max = 1e3});
  v.field("perceptual_start_step", c.perceptual_start_step,
          {.help = "LPIPS counts from this step", .unit = "steps", .min = 0, .max = 1e9});
  v.field("adversarial_weight", c.adversarial_weight,
          {.help = "Weight of the adversarial loss, times the adaptive weight; 0 = off", .min = 0, .max = 1e3});
  v.field("adversarial_start_step", c.adversarial_start_step,
          {.help = "The decoder sees the adversarial loss from this step", .unit = "steps", .min = 0, .max = 1e9});
  v.field("discriminator_start_step", c.discriminator_start_step,
          {.help = "The discriminator trains from this step", .unit = "steps", .min = 0, .max = 1e9});
  v.field("generator_loss", c.generator_loss,
          {.help = "Adversarial loss of the decoder: vanilla = minus the mean logit", .choices = {"vanilla"}});
  v.field("discriminator_loss", c.discriminator_loss,
          {.help = "Loss of the discriminator", .choices = {"hinge", "vanilla"}});
  v.field("max_adaptive_weight", c.max_adaptive_weight,
          {.help = "Bound of the ratio of gradient norms that scales the adversarial loss", .min = 0, .max = 1e9});
  v.field("discriminator_updates", c.discriminator_updates,
          {.help = "Discriminator steps per decoder step", .min = 1, .max = 100});
  v.section("discriminator", c.discriminator,
            "Frozen DINO backbone with trainable heads, and how the heads are trained");
}

}  // namespace meanflow::base

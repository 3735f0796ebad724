// SPDX-License-Identifier: Apache-2.0
//
// training and gan of the reference configurations: epochs become steps, defaults are those of the code that reads the
// file.
#include <fmt/format.h>

#include <algorithm>

#include "core/base/config/official_sections.h"

namespace meanflow::base {
namespace {

/// The loop that a file describes.
struct Loop {
  std::int64_t global_batch = 0, accumulation = 1, ranks = 1;
  std::int64_t steps_per_epoch = 1;
  std::string note;  ///< How long an epoch is.

  std::int64_t steps(double epochs) const {
    return static_cast<std::int64_t>(epochs * static_cast<double>(steps_per_epoch));
  }
};

/// Several ranks that share a batch evenly, as the published scripts have them.
std::int64_t chooseRanks(std::int64_t share) {
  for (const std::int64_t ranks : {8, 4, 2})
    if (share % ranks == 0) return ranks;
  return 1;
}

Loop readLoop(OfficialReader& in, const OfficialPlan& plan) {
  const std::string section = plan.trained() + ".training.";
  Loop loop;
  loop.accumulation = std::max<std::int64_t>(1, in.integer("training.grad_accum_steps").value_or(1));
  in.copy("training.grad_accum_steps", section + "accumulation", "1");
  const auto global = in.integer("training.global_batch_size");
  const auto per_rank = in.integer("training.batch_size");
  if ((global && *global < 1) || (per_rank && *per_rank < 1))
    in.fail(global ? "training.global_batch_size" : "training.batch_size", "expected a value of at least 1");
  if (global || !plan.counts_epochs) {
    loop.global_batch = std::max<std::int64_t>(1, global.value_or(1024));
    loop.ranks = plan.num_ranks > 0 ? plan.num_ranks
                                    : chooseRanks(std::max<std::int64_t>(1, loop.global_batch / loop.accumulation));
    in.ignore("training.batch_size", "global_batch_size decides");
  } else {  // images of one GPU and micro-batch
    loop.ranks = plan.num_ranks > 0 ? plan.num_ranks : 8;
    loop.global_batch = std::max<std::int64_t>(1, per_rank.value_or(16)) * loop.ranks * loop.accumulation;
    in.warn(fmt::format("training.batch_size counts images of one GPU: {} GPUs are assumed", loop.ranks));
  }
  loop.steps_per_epoch = officialStepsPerEpoch(plan.num_images, loop.global_batch, loop.accumulation, loop.ranks,
                                               !plan.isStudent());  // RAE drops the rest
  loop.note = fmt::format("an epoch is {} steps: {} images, {} a step, {} GPUs", loop.steps_per_epoch, plan.num_images,
                          loop.global_batch, loop.ranks);
  const std::string batch_key = global || !per_rank ? "training.global_batch_size" : "training.batch_size";
  if (plan.stage == OfficialStage::kCmt) {
    // The batch gives labels and shapes to as many trajectories; each micro-batch of a GPU then draws its pairs.
    const std::int64_t pairs = plan.latent_side > 16 ? 8 : 64;
    in.set(batch_key, "cmt.trajectories_per_step", std::to_string(loop.global_batch));
    in.constant("cmt.training.batch_size", std::to_string(pairs * loop.ranks * loop.accumulation),
                fmt::format("{} pairs for each of {} GPUs x {} micro-batches, hard-coded in the released loss", pairs,
                            loop.ranks, loop.accumulation));
  } else {
    in.set(batch_key, section + "batch_size", std::to_string(loop.global_batch));
  }
  in.constant("data.num_images", std::to_string(plan.num_images), "length of an epoch");
  in.set("training.epochs", section + "steps", std::to_string(loop.steps(in.number("training.epochs").value_or(1400))),
         loop.note);
  return loop;
}

/// Keys of an optimiser and its schedule below `opt` and `sched` ("training.optimizer", "training.scheduler") into
/// `ours`.
void readOptimizerSections(OfficialReader& in, const std::string& opt, const std::string& sched,
                           const std::string& ours, const Loop& loop, bool has_eps) {
  if (const auto type = in.text(opt + ".type"); type && *type != "adamw") in.fail(opt + ".type", "only adamw is known");
  in.ignore(opt + ".type", "always AdamW");
  in.copy(opt + ".lr", ours + ".lr");
  for (const char* name : {"betas", "beta"}) {
    const auto betas = in.numbers(opt + "." + name);
    if (!betas) continue;
    if (betas->size() != 2) {
      in.fail(opt + "." + name, "expected two numbers");
      continue;
    }
    in.set(opt + "." + name, ours + ".beta1", fmt::format("{}", (*betas)[0]));
    in.set(opt + "." + name, ours + ".beta2", fmt::format("{}", (*betas)[1]));
  }
  in.copy(opt + ".weight_decay", ours + ".weight_decay");
  in.copy(opt + ".wd", ours + ".weight_decay");
  if (has_eps)
    in.copy(opt + ".eps", ours + ".eps");
  else
    in.ignore(opt + ".eps", "1e-8");
  const auto type = in.text(sched + ".type");
  if (type && *type != "linear" && *type != "cosine") in.fail(sched + ".type", "expected linear or cosine");
  if (in.has(sched)) in.set(sched + ".type", ours + ".schedule", type.value_or("linear"));
  in.ignore(sched + ".base_lr", "equals the optimizer's rate, which it divides");
  in.copy(sched + ".final_lr", ours + ".final_lr");
  const auto inSteps = [&](const char* steps_name, const char* epochs_name, const std::string& key) {
    const std::string steps_key = sched + "." + steps_name, epochs_key = sched + "." + epochs_name;
    in.copy(steps_key, key);
    const auto epochs = in.number(epochs_key);
    if (in.has(steps_key))
      in.ignore(epochs_key, std::string(steps_name) + " decides");
    else if (epochs)
      in.set(epochs_key, key, std::to_string(loop.steps(*epochs)), loop.note);
  };
  inSteps("warmup_steps", "warmup_epochs", ours + ".warmup_steps");
  inSteps("decay_end_steps", "decay_end_epoch", ours + ".decay_end_step");
  in.copy(sched + ".warmup_from_zero", ours + ".warmup_from_zero", in.has(sched) ? "false" : "");
}

/// `base_lr`, `decay_start_epoch`... directly under training, as sony/mf-rae and early RAE files have them.
void readFlatKeys(OfficialReader& in, const OfficialPlan& plan, const std::string& ours, const Loop& loop) {
  const bool has_optimizer = in.has("training.optimizer"), has_scheduler = in.has("training.scheduler");
  const auto base_lr = in.number("training.base_lr");
  const std::string lr_text = base_lr ? fmt::format("{}", *base_lr) : "2e-4";
  if (in.has("training.optimizer.lr"))
    in.ignore("training.base_lr", "optimizer.lr decides");
  else
    in.copy("training.base_lr", ours + ".lr", "2e-4");
  if (in.has("training.scheduler.final_lr"))
    in.ignore("training.final_lr", "scheduler.final_lr decides");
  else
    in.copy("training.final_lr", ours + ".final_lr", lr_text);
  const char* kUnread = "not read by the released code, which takes betas (0.9, 0.95) and no weight decay";
  const auto betas = in.numbers("training.beta");
  if (betas && !has_optimizer && *betas != std::vector<double>{0.9, 0.95})
    in.warn("training.beta: the released code does not read it and uses (0.9, 0.95); set " + ours +
            ".beta1 and beta2 to change them");
  in.ignore("training.beta", kUnread);
  if (const auto decay = in.number("training.wd"); decay && *decay != 0 && !has_optimizer)
    in.warn("training.wd: the released code does not read it and uses 0; set " + ours + ".weight_decay to change it");
  in.ignore("training.wd", kUnread);
  in.ignore("training.schedule_type", "never read by the released code; the schedule is linear");
  const auto start = in.number("training.decay_start_epoch"), end = in.number("training.decay_end_epoch");
  if (has_scheduler) {
    if (!in.has("training.scheduler.warmup_epochs") && !in.has("training.scheduler.warmup_steps") && start)
      in.set("training.decay_start_epoch", ours + ".warmup_steps", std::to_string(loop.steps(*start)), loop.note);
    if (!in.has("training.scheduler.decay_end_epoch") && !in.has("training.scheduler.decay_end_steps") && end)
      in.set("training.decay_end_epoch", ours + ".decay_end_step", std::to_string(loop.steps(*end)), loop.note);
    in.ignore("training.decay_start_epoch", "scheduler decides");
    in.ignore("training.decay_end_epoch", "scheduler decides");
    return;
  }
  if (plan.counts_epochs && !plan.has_flat_keys) {
    in.constant(ours + ".schedule", "constant", "RAE without `scheduler` keeps the rate");
    return;
  }
  in.constant(ours + ".schedule", "linear", "default of the released code");
  const auto warmup = loop.steps(start.value_or(0));
  in.set("training.decay_start_epoch", ours + ".warmup_steps", std::to_string(warmup), loop.note);
  in.constant(ours + ".warmup_from_zero", "false", "the released code keeps the full rate until the decay starts");
  const auto decay_end = std::max(end ? loop.steps(*end) : warmup, warmup);
  in.set("training.decay_end_epoch", ours + ".decay_end_step", std::to_string(decay_end), loop.note);
  if (decay_end <= warmup && base_lr != in.number("training.final_lr"))
    in.warn("training.decay_end_epoch is not behind decay_start_epoch: the rate falls to final_lr at once");
}

void readIntervals(OfficialReader& in, const OfficialPlan& plan, const std::string& ours, const Loop& loop) {
  const bool in_epochs = plan.counts_epochs;
  in.copy("training.log_every", ours + ".log_every", in_epochs ? "" : "100");
  in.copy("training.log_interval", ours + ".log_every", in_epochs && !in.has("training.log_every") ? "100" : "");
  in.copy("training.ckpt_every", ours + ".checkpoint_every", in_epochs ? "" : "5000");
  const auto interval = in.number("training.checkpoint_interval");
  if (interval || (in_epochs && !in.has("training.ckpt_every")))
    in.set("training.checkpoint_interval", ours + ".checkpoint_every",
           std::to_string(std::max<std::int64_t>(1, loop.steps(interval.value_or(4)))), loop.note);
  in.copy("training.sample_every", ours + ".sample_every", in_epochs ? "2500" : "10000");
}

/// Constants of the released losses, which no file names.
void readConstants(OfficialReader& in, const OfficialPlan& plan) {
  const std::string why = "hard-coded in the released code";
  in.constant("precision", "tf32", "--precision fp32 of the released trainers allows TF32 products");
  in.constant("data.crop", plan.stage == OfficialStage::kDecoder ? "random" : "center", why);
  in.constant("data.flip", plan.stage == OfficialStage::kDecoder ? "false" : "true", why);
  if (plan.stage == OfficialStage::kDecoder)
    in.constant("data.resize_side",
                std::to_string(in.config().data.image_size == 256 ? 384 : in.config().data.image_size * 3 / 2), why);
  if (plan.stage == OfficialStage::kTeacher)
    in.constant("teacher.train_fourier_and_positions", "true", "RAE's trainer unfreezes the whole network");
  if (plan.stage == OfficialStage::kCmt) {
    in.constant("cmt.trajectories", "fresh", why);
    in.constant("cmt.pair_times", "official", "the released code tells the student uniform times");
    in.constant("cmt.grid_end", "0.001", why);
    in.constant("cmt.label_dropout", "0.1", why);
    in.constant("cmt.label_drop", "independent", "the student drops labels a second time");
  }
  if (plan.stage == OfficialStage::kMeanFlow) {
    in.constant("mean_flow.velocity", "teacher", "train_mfd; for train_mft set mean_flow.velocity=data");
    in.constant("mean_flow.derivative", "finite_difference", why);
    in.constant("mean_flow.delta_t", "0.005", why);
    in.constant("mean_flow.clamp_times", "false", "the released code lets t + delta and t - delta leave [r, 1]");
    in.constant("mean_flow.ratio_r_less_than_t", "0.25", why);
    in.constant("mean_flow.adaptive_p", "1", why);
    in.constant("mean_flow.adaptive_c", "1e-3", why);
    in.constant("mean_flow.adaptive_squared", "true", "the released code squares the per-sample error first");
    in.constant("mean_flow.label_dropout", "0.1", why);
    in.constant("mean_flow.label_drop", "independent", "u, u+ and u- drop labels once more, each on its own");
  }
}

void readAdversarial(OfficialReader& in, const Loop& loop) {
  const std::string ours = "decoder.losses.", disc = "decoder.losses.discriminator.";
  in.copy("gan.loss.perceptual_weight", ours + "perceptual_weight");
  in.copy("gan.loss.disc_weight", ours + "adversarial_weight");
  in.copy("gan.loss.max_d_weight", ours + "max_adaptive_weight");
  in.copy("gan.loss.disc_updates", ours + "discriminator_updates");
  in.copy("gan.loss.disc_loss", ours + "discriminator_loss");
  in.copy("gan.loss.gen_loss", ours + "generator_loss");
  for (const auto& [name, key] : {std::pair{"lpips_start", "perceptual_start_step"},
                                  {"disc_start", "adversarial_start_step"},
                                  {"disc_upd_start", "discriminator_start_step"}})
    if (const auto epochs = in.number(std::string("gan.loss.") + name))
      in.set(std::string("gan.loss.") + name, ours + key, std::to_string(loop.steps(*epochs)), loop.note);
  in.copy("gan.disc.arch.dino_ckpt_path", disc + "weights");
  in.copy("gan.disc.arch.recipe", disc + "recipe");
  in.copy("gan.disc.arch.ks", disc + "kernel_size");
  in.copy("gan.disc.arch.norm_type", disc + "norm");
  in.copy("gan.disc.arch.using_spec_norm", disc + "spectral_norm");
  in.ignore("gan.disc.arch.norm_eps", "1e-6");
  in.ignore("gan.disc.arch.key_depths", "blocks 2, 5, 8 and 11");
  in.copy("gan.disc.augment.prob", disc + "augment_probability");
  in.copy("gan.disc.augment.cutout", disc + "augment_cutout");
  readOptimizerSections(in, "gan.disc.optimizer", "gan.disc.scheduler", "decoder.losses.discriminator", loop, false);
}

}  // namespace

std::int64_t officialStepsPerEpoch(std::int64_t num_images, std::int64_t global_batch, std::int64_t accumulation,
                                   std::int64_t num_ranks, bool drop_last) {
  const auto divideUp = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  const std::int64_t per_rank = divideUp(num_images, num_ranks);
  const std::int64_t micro_batch = std::max<std::int64_t>(1, global_batch / (num_ranks * accumulation));
  const std::int64_t micro_batches = drop_last ? per_rank / micro_batch : divideUp(per_rank, micro_batch);
  return std::max<std::int64_t>(1, micro_batches / accumulation);
}

void readTraining(OfficialReader& in, const OfficialPlan& plan) {
  if (plan.trained().empty()) return;
  const std::string ours = plan.trained() + ".training";
  in.copy("training.global_seed", "seed", "0");
  const Loop loop = readLoop(in, plan);
  readOptimizerSections(in, "training.optimizer", "training.scheduler", ours, loop, true);
  readFlatKeys(in, plan, ours, loop);
  readIntervals(in, plan, ours, loop);
  in.copy("training.ema_decay", ours + ".ema_decay", "0.9995");
  in.copy("training.clip_grad", ours + ".clip_grad", "1");
  in.copy("training.num_workers", "data.loader_threads", "4", "loader processes of a GPU");
  if (const auto scale = in.number("training.cfg_scale"))
    in.set("training.cfg_scale", "sampling.guidance.scale", fmt::format("{}", *scale), "overrides guidance.scale");
  readConstants(in, plan);
  if (plan.stage == OfficialStage::kDecoder) readAdversarial(in, loop);
}

}  // namespace meanflow::base

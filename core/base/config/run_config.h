// SPDX-License-Identifier: Apache-2.0
//
// The typed configuration of a run. Defaults here are neutral; presets (resources/presets) set every value they rely
// on.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/config/adversarial_config.h"
#include "core/base/config/data_config.h"
#include "core/base/config/diagnostics_config.h"
#include "core/base/config/field.h"
#include "core/base/config/model_config.h"
#include "core/base/config/sampling_config.h"

namespace meanflow::base {

inline constexpr double kNoLimit = std::numeric_limits<double>::infinity();

/// Optimiser, schedule and bookkeeping of one stage.
struct TrainingConfig {
  std::int64_t steps = 1000;
  std::int64_t batch_size = 64;
  double lr = 1e-4;
  double final_lr = 1e-5;
  std::string schedule = "cosine";
  std::int64_t warmup_steps = 0;
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
  double weight_decay = 0;
  double clip_grad = 1;
  double ema_decay = 0.999;
  std::int64_t log_every = 10;
  std::int64_t checkpoint_every = 200;
  std::int64_t keep_checkpoints = 3;
  std::int64_t sample_every = 50;
  std::int64_t accumulation = 1;
  std::int64_t decay_end_step = 0;
  bool warmup_from_zero = true;
  std::vector<std::int64_t> skip_steps;
};
template <class V>
void describe(V& v, TrainingConfig& c) {
  v.field("steps", c.steps, {.help = "Optimizer steps of this stage", .unit = "steps", .min = 0, .max = 1e9});
  v.field("batch_size", c.batch_size,
          {.help = "Images (or trajectory pairs) per optimizer step, over all workers",
           .unit = "images",
           .min = 1,
           .max = 1e6});
  v.field("lr", c.lr, {.help = "Peak learning rate of AdamW", .min = 0, .max = 10});
  v.field("final_lr", c.final_lr, {.help = "Learning rate at the end of the decay", .min = 0, .max = 10});
  v.field("schedule", c.schedule,
          {.help = "Shape of the decay from lr to final_lr after the warm-up",
           .choices = {"constant", "linear", "cosine"}});
  v.field("warmup_steps", c.warmup_steps,
          {.help = "Warm-up: linear from zero, or a plateau at lr", .unit = "steps", .min = 0, .max = 1e9});
  v.field("beta1", c.beta1, {.help = "AdamW: decay of the first moment", .min = 0, .max = 0.99999});
  v.field("beta2", c.beta2, {.help = "AdamW: decay of the second moment", .min = 0, .max = 0.99999999});
  v.field("eps", c.eps, {.help = "AdamW: added to the root of the second moment", .min = 0, .max = 1});
  v.field("weight_decay", c.weight_decay, {.help = "AdamW: decoupled weight decay", .min = 0, .max = 10});
  v.field("clip_grad", c.clip_grad,
          {.help = "Clip the global gradient norm at this value; 0 = off", .min = 0, .max = 1e9});
  v.field("ema_decay", c.ema_decay,
          {.help = "Decay of the weight average, per optimizer step", .min = 0, .max = 0.9999999});
  v.field("log_every", c.log_every, {.help = "Steps between reported losses", .unit = "steps", .min = 1, .max = 1e9});
  v.field("checkpoint_every", c.checkpoint_every,
          {.help = "Steps between checkpoints", .unit = "steps", .min = 1, .max = 1e9});
  v.field("keep_checkpoints", c.keep_checkpoints,
          {.help = "Checkpoints kept per stage, newest first; 0 = all", .unit = "checkpoints", .min = 0, .max = 1e6});
  v.field("sample_every", c.sample_every,
          {.help = "Steps between live samples; 0 = none", .unit = "steps", .min = 0, .max = 1e9});
  v.field("accumulation", c.accumulation,
          {.help = "Micro-batches whose gradients make one optimizer step",
           .unit = "micro-batches",
           .min = 1,
           .max = 65536});
  v.field(
      "decay_end_step", c.decay_end_step,
      {.help = "Step at which final_lr is reached and kept; 0 = the last step", .unit = "steps", .min = 0, .max = 1e9});
  v.field("warmup_from_zero", c.warmup_from_zero,
          {.help = "The warm-up rises from zero; otherwise it is a plateau at lr, as the released code's default"});
  v.field("skip_steps", c.skip_steps,
          {.help = "Steps whose batch is passed over: they count, their update is not made", .min = 1, .max = 1e12});
}

struct EncoderConfig {
  std::string kind = "trained";
  VitConfig model;
  std::int64_t mae_decoder_width = 64;
  std::int64_t mae_decoder_depth = 2;
  double mask_ratio_max = 0.75;
  std::int64_t input_size = 0;
  std::string weights;
  TrainingConfig training;
};
template <class V>
void describe(V& v, EncoderConfig& c) {
  v.field("kind", c.kind,
          {.help = "trained: a ViT of ours, pre-trained by this run; dinov2 (with registers), siglip2 or mae: a "
                   "published encoder, frozen",
           .choices = {"trained", "dinov2", "siglip2", "mae"}});
  v.section("model", c.model, "The ViT encoder that makes the latent space");
  v.field(
      "mae_decoder_width", c.mae_decoder_width,
      {.help = "Width of the decoder used only for masked pre-training", .unit = "channels", .min = 4, .max = 4096});
  v.field("mae_decoder_depth", c.mae_decoder_depth,
          {.help = "Blocks of the decoder used only for masked pre-training", .unit = "blocks", .min = 1, .max = 64});
  v.field("mask_ratio_max", c.mask_ratio_max,
          {.help = "Each step masks a share of the patches drawn from U(0, this)", .min = 0, .max = 0.95});
  v.field("input_size", c.input_size,
          {.help = "Side to which images are resized for the encoder; 0 = data.image_size",
           .unit = "px",
           .min = 0,
           .max = 4096});
  v.field("weights", c.weights,
          {.help = "Published encoder: file, folder or hub name (facebook/dinov2-with-registers-base)"});
  v.section("training", c.training, "Masked-autoencoder pre-training");
}

struct DecoderConfig {
  VitConfig model;
  std::string output_head = "conv";
  std::int64_t head_channels = 24;
  double noise_tau = 0;
  std::int64_t intermediate_size = 0;
  std::string weights;
  std::string statistics;
  double statistics_eps = 1e-5;
  DecoderLossConfig losses;
  TrainingConfig training;
};
template <class V>
void describe(V& v, DecoderConfig& c) {
  v.section("model", c.model, "The ViT decoder (with a trained encoder, patch_size is the encoder's)");
  v.field("output_head", c.output_head,
          {.help = "patch: linear to pixels, as in RAE; conv: features to pixels through 3x3 convolutions, which "
                   "removes the seams between patches",
           .choices = {"patch", "conv"}});
  v.field("head_channels", c.head_channels,
          {.help = "Channels of the conv output head", .unit = "channels", .min = 4, .max = 512});
  v.field("noise_tau", c.noise_tau,
          {.help = "Strength of the noise added to latents while the decoder trains", .min = 0, .max = 4});
  v.field("intermediate_size", c.intermediate_size,
          {.help = "Hidden width of the MLP; 0 = hidden_size * mlp_ratio", .unit = "channels", .min = 0, .max = 65536});
  v.field("weights", c.weights, {.help = "Checkpoint of a finished decoder, used instead of training one"});
  v.field("statistics", c.statistics,
          {.help = "File with the latents' mean and variance (stat.pt), used instead of measuring them"});
  v.field("statistics_eps", c.statistics_eps,
          {.help = "Added to the latents' variance under the root", .min = 0, .max = 1});
  v.section("losses", c.losses, "Perceptual and adversarial losses beside L1");
  v.section("training", c.training, "Reconstruction training");
}

/// Distribution of training times and the dimension-dependent shift t' = s t / (1 + (s - 1) t).
struct TimeConfig {
  std::string distribution = "uniform";
  double mu = 0, sigma = 1;
  double t_max = 0.999;
  double shift = 0;
  double shift_base = 4096;
  std::int64_t shift_dim = 0;
};
template <class V>
void describe(V& v, TimeConfig& c) {
  v.field("distribution", c.distribution,
          {.help = "Distribution of training times before the shift", .choices = {"uniform", "logit_normal"}});
  v.field("mu", c.mu, {.help = "Mean of the logit-normal distribution", .min = -10, .max = 10});
  v.field("sigma", c.sigma, {.help = "Standard deviation of the logit-normal distribution", .min = 1e-3, .max = 10});
  v.field("t_max", c.t_max, {.help = "Largest time before the shift", .min = 0.01, .max = 1});
  v.field("shift", c.shift, {.help = "Time shift s >= 1; 0 = sqrt(shift_dim / shift_base)", .min = 0, .max = 1000});
  v.field("shift_base", c.shift_base,
          {.help = "Latent dimension at which the shift is 1", .unit = "numbers", .min = 1, .max = 1e9});
  v.field("shift_dim", c.shift_dim,
          {.help = "Latent dimension that sets the shift; 0 = channels x side x side of the latents",
           .unit = "numbers",
           .min = 0,
           .max = 1e12});
}

struct TeacherConfig {
  std::string architecture = "ddt";
  DdtConfig model;
  TimeConfig time;
  std::string path = "linear";
  std::string prediction = "velocity";
  std::string loss_weight = "none";
  double label_dropout = 0.1;
  bool train_fourier_and_positions = false;
  std::string weights;
  TrainingConfig training;
};
template <class V>
void describe(V& v, TeacherConfig& c) {
  v.field("architecture", c.architecture,
          {.help = "ddt: DiT-DH, a DiT with a wide DDT head; lightning_dit: the DiT without the head",
           .choices = {"ddt", "lightning_dit"}});
  v.section("model", c.model, "Sizes and switches of the network; the student's are the same");
  v.section(
      "time", c.time,
      "Training times; the student stages use the same shift, and mean_flow.time_distribution says whose distribution");
  v.field("path", c.path,
          {.help = "Interpolation between data and noise: linear, variance preserving with sines (gvp) or with a beta "
                   "schedule (vp)",
           .choices = {"linear", "gvp", "vp"}});
  v.field("prediction", c.prediction, {.help = "What the network predicts", .choices = {"velocity", "noise", "score"}});
  v.field("loss_weight", c.loss_weight,
          {.help = "Weight of the loss over time (prediction: noise or score)",
           .choices = {"none", "velocity", "likelihood"}});
  v.field("label_dropout", c.label_dropout, {.help = "Share of labels replaced by the null label", .min = 0, .max = 1});
  v.field("train_fourier_and_positions", c.train_fourier_and_positions,
          {.help = "Train the Fourier frequencies and position table too, as RAE's released trainer does by its "
                   "requires_grad_(True)"});
  v.field("weights", c.weights, {.help = "Checkpoint of a finished teacher, used instead of training one"});
  v.section("training", c.training, "Flow-matching training");
}

struct CmtConfig {
  std::int64_t euler_steps = 16;
  std::string pair_times = "solver";
  double grid_end = 0.001;
  std::string trajectories = "bank";
  std::int64_t bank_size = 768;
  std::int64_t bank_refresh_every = 0;
  std::int64_t trajectories_per_step = 1;
  double control_lr = 3e-4;
  GuidanceConfig guidance;
  double label_dropout = 0.1;
  std::string label_drop = "shared";
  std::string weights;
  TrainingConfig training;
};
template <class V>
void describe(V& v, CmtConfig& c) {
  v.field("euler_steps", c.euler_steps,
          {.help = "Teacher evaluations per trajectory; N steps give N + 1 states",
           .unit = "steps",
           .min = 1,
           .max = 1000});
  v.field("pair_times", c.pair_times,
          {.help = "solver: times at which the solver visited the states; official: the released code's uniform times",
           .choices = {"solver", "official"}});
  v.field("grid_end", c.grid_end,
          {.help = "End of the time grid before the shift (official 0.001)", .min = 0, .max = 0.5});
  v.field("trajectories", c.trajectories,
          {.help = "bank: pairs from a stored set of trajectories; fresh: new trajectories every step",
           .choices = {"bank", "fresh"}});
  v.field("bank_size", c.bank_size, {.help = "Trajectories in the bank", .unit = "trajectories", .min = 1, .max = 1e7});
  v.field("bank_refresh_every", c.bank_refresh_every,
          {.help = "Steps after which a new bank is made; 0 = never", .unit = "steps", .min = 0, .max = 1e9});
  v.field("trajectories_per_step", c.trajectories_per_step,
          {.help = "Trajectories per step (trajectories: fresh)", .unit = "trajectories", .min = 1, .max = 1e6});
  v.field("control_lr", c.control_lr,
          {.help = "Peak learning rate of the stage control, which goes on from what this one has settled on",
           .min = 0,
           .max = 1});
  v.section("guidance", c.guidance, "Guidance of the teacher along its trajectories (none in the paper's recipe)");
  v.field("label_dropout", c.label_dropout, {.help = "Share of trajectories with the null label", .min = 0, .max = 1});
  v.field("label_drop", c.label_drop,
          {.help = "shared: one drop for teacher and student; independent: a second drop for the student, as in the "
                   "released code",
           .choices = {"shared", "independent"}});
  v.field("weights", c.weights, {.help = "Checkpoint of a student after this stage, used instead of training one"});
  v.section("training", c.training, "Consistency mid-training; batch_size counts pairs");
}

struct MeanFlowConfig {
  std::string velocity = "teacher";
  double eta = 1;
  std::string mix_with = "teacher";
  std::string derivative = "finite_difference";
  double delta_t = 0.005;
  bool clamp_times = true;
  double ratio_r_less_than_t = 0.25;
  double adaptive_p = 1;
  double adaptive_c = 1e-3;
  bool adaptive_squared = false;
  std::string label_drop = "shared";
  double label_dropout = 0.1;
  std::string time_distribution = "teacher";
  double time_mu = 0, time_sigma = 1;
  GuidanceConfig guidance;
  std::string weights;
  TrainingConfig training;
};
template <class V>
void describe(V& v, MeanFlowConfig& c) {
  v.field("velocity", c.velocity,
          {.help = "Proxy velocity w: teacher (MFD), data = noise - x (MFT), self = u(z, t, t), or mix = (1 - eta) "
                   "data + eta mix_with",
           .choices = {"teacher", "data", "self", "mix"}});
  v.field("eta", c.eta, {.help = "Share of mix_with in the mixture (velocity: mix)", .min = 0, .max = 1});
  v.field("mix_with", c.mix_with, {.help = "What the data velocity is mixed with", .choices = {"teacher", "self"}});
  v.field("derivative", c.derivative, {.help = "How du/dt along w is taken", .choices = {"finite_difference", "jvp"}});
  v.field("delta_t", c.delta_t, {.help = "Step of the central finite difference", .min = 1e-6, .max = 0.5});
  v.field("clamp_times", c.clamp_times,
          {.help = "Keep t + delta_t <= 1 and t - delta_t >= r, one-sided there (the released code does not)"});
  v.field("ratio_r_less_than_t", c.ratio_r_less_than_t,
          {.help = "Share of samples with r < t; the others have r = t", .min = 0, .max = 1});
  v.field("adaptive_p", c.adaptive_p, {.help = "Power p of the adaptive loss weight; 0 = off", .min = 0, .max = 4});
  v.field("adaptive_c", c.adaptive_c, {.help = "Constant c of the adaptive loss weight", .min = 0, .max = 1e9});
  v.field("adaptive_squared", c.adaptive_squared,
          {.help = "Square the per-sample error first, as the released code does"});
  v.field("label_drop", c.label_drop,
          {.help = "shared: one drop for w, u, u+ and u-; independent: a second drop per copy, as in the released code",
           .choices = {"shared", "independent"}});
  v.field("label_dropout", c.label_dropout, {.help = "Share of labels replaced by the null label", .min = 0, .max = 1});
  v.field("time_distribution", c.time_distribution,
          {.help = "Distribution of r and t before the shift: teacher = as teacher.time",
           .choices = {"teacher", "uniform", "logit_normal"}});
  v.field("time_mu", c.time_mu,
          {.help = "Mean of the logit-normal distribution (time_distribution: logit_normal)", .min = -10, .max = 10});
  v.field("time_sigma", c.time_sigma,
          {.help = "Standard deviation of the logit-normal distribution (time_distribution: logit_normal)",
           .min = 1e-3,
           .max = 10});
  v.section("guidance", c.guidance, "Guidance of the teacher (none in the paper's recipe)");
  v.field("weights", c.weights, {.help = "Checkpoint of a finished student, used instead of training one"});
  v.section("training", c.training, "MeanFlow distillation or training");
}

struct JudgeConfig {
  std::int64_t width = 24;
  std::int64_t features = 64;
  std::int64_t steps = 500;
  std::int64_t batch_size = 128;
  double lr = 2e-3;
  double weight_decay = 1e-4;
};
template <class V>
void describe(V& v, JudgeConfig& c) {
  v.field("width", c.width,
          {.help = "Channels of the judge's first convolution", .unit = "channels", .min = 4, .max = 512});
  v.field("features", c.features,
          {.help = "Width of the feature layer that distances are taken on", .min = 8, .max = 4096});
  v.field("steps", c.steps, {.help = "Training steps on real images", .unit = "steps", .min = 1, .max = 1e6});
  v.field("batch_size", c.batch_size, {.help = "Images per step", .unit = "images", .min = 1, .max = 65536});
  v.field("lr", c.lr, {.help = "Learning rate of AdamW", .min = 0, .max = 1});
  v.field("weight_decay", c.weight_decay, {.help = "Weight decay of AdamW", .min = 0, .max = 1});
}

struct EvaluationConfig {
  JudgeConfig judge;
  std::int64_t num_samples = 2000;
  std::int64_t teacher_samples = 0;
  std::int64_t teacher_steps = 50;
  GuidanceConfig guidance{.scale = 2};
  std::int64_t fine_steps = 200;
  std::int64_t latent_error_noises = 256;
  std::int64_t grid_columns = 10;
  std::int64_t every = 0;
  bool score_model = false;
  std::string data_path;
  std::string reference;
  std::vector<std::string> metrics;
};
template <class V>
void describe(V& v, EvaluationConfig& c) {
  v.section("judge", c.judge, "The small classifier that scores the demo, trained by the same command");
  v.field("num_samples", c.num_samples,
          {.help = "Images per row of the table, equal numbers per class", .unit = "images", .min = 8, .max = 1e6});
  v.field("teacher_samples", c.teacher_samples,
          {.help = "Images of each of the teacher's rows, which take a hundred times as long; 0 = num_samples",
           .unit = "images",
           .min = 0,
           .max = 1e6});
  v.field("teacher_steps", c.teacher_steps,
          {.help = "Euler steps of the teacher's samples", .unit = "steps", .min = 1, .max = 1000});
  v.section("guidance", c.guidance, "Guidance of the guided teacher's row and of the reference solution");
  v.field(
      "fine_steps", c.fine_steps,
      {.help = "Euler steps of the reference solution for the latent error", .unit = "steps", .min = 1, .max = 10000});
  v.field("latent_error_noises", c.latent_error_noises,
          {.help = "Fixed noises of the latent error", .min = 1, .max = 1e6});
  v.field("grid_columns", c.grid_columns,
          {.help = "Images per class in the written grids", .unit = "images", .min = 1, .max = 64});
  v.field("every", c.every,
          {.help = "Score during training after so many steps; 0 = only at the end",
           .unit = "steps",
           .min = 0,
           .max = 1e9});
  v.field("score_model", c.score_model, {.help = "Score the raw weights too, not only their average"});
  v.field("data_path", c.data_path, {.help = "Folder of the validation images, one sub-folder per class"});
  v.field("reference", c.reference, {.help = "Reference statistics of generated images (.npz with mu and sigma)"});
  v.field("metrics", c.metrics,
          {.help = "Scores of reconstructions; none listed = as the stage has them",
           .choices = {"psnr", "ssim", "lpips", "rfid", "fid", "sfid", "is", "precision", "recall"}});
}

struct WatchConfig {
  std::int64_t columns = 8;
  std::int64_t max_rows = 16;
  double budget = 0.01;
};
template <class V>
void describe(V& v, WatchConfig& c) {
  v.field("columns", c.columns, {.help = "Images per class in live grids", .unit = "images", .min = 1, .max = 64});
  v.field("max_rows", c.max_rows, {.help = "Classes in live grids", .unit = "classes", .min = 1, .max = 1000});
  v.field("budget", c.budget, {.help = "Largest share of training time that watching may cost", .min = 0, .max = 1});
}

struct RunConfig {
  std::int64_t seed = 0;
  std::string device = "auto";
  std::int64_t num_workers = 0;
  std::string precision = "fp32";
  std::vector<std::string> stages = {"encoder", "decoder", "teacher", "cmt", "mean_flow", "report"};
  DataConfig data;
  EncoderConfig encoder;
  DecoderConfig decoder;
  TeacherConfig teacher;
  CmtConfig cmt;
  MeanFlowConfig mean_flow;
  SamplingConfig sampling;
  EvaluationConfig evaluation;
  WatchConfig watch;
  DiagnosticsConfig diagnostics;
};
template <class V>
void describe(V& v, RunConfig& c) {
  v.field("seed", c.seed, {.help = "Seed of all random streams", .min = 0, .max = 9007199254740992.0});
  v.field("device", c.device,
          {.help = "Where to train: auto takes a GPU when LibTorch sees one", .choices = {"auto", "cpu", "cuda"}});
  v.field(
      "num_workers", c.num_workers,
      {.help = "Data-parallel workers; 0 = one per CPU core or one per GPU", .unit = "workers", .min = 0, .max = 1024});
  v.field("precision", c.precision, {.help = "Arithmetic of training", .choices = {"fp32", "tf32", "bf16"}});
  v.field("stages", c.stages,
          {.help = "Stages to run, in order; control = as much compute as mean_flow spent on more CMT, report = score "
                   "everything",
           .choices = {"encoder", "decoder", "teacher", "cmt", "mean_flow", "control", "report"}});
  v.section("data", c.data, "Images and classes");
  v.section("encoder", c.encoder, "Stage 1: the encoder, by masked-autoencoder pre-training");
  v.section("decoder", c.decoder, "Stage 2: the decoder and the latent statistics");
  v.section("teacher", c.teacher, "Stage 3: the flow-matching teacher v(z, t, y)");
  v.section("cmt", c.cmt, "Stage 4: consistency mid-training of the student u(z, r, t, y)");
  v.section("mean_flow", c.mean_flow, "Stage 5: MeanFlow distillation or training");
  v.section("sampling", c.sampling, "How images are drawn when nothing else is asked for");
  v.section("evaluation", c.evaluation, "How the finished run is scored");
  v.section("watch", c.watch, "Live samples while training");
  v.section("diagnostics", c.diagnostics, "What a run watches of its own health, and what it does about it");
}

}  // namespace meanflow::base

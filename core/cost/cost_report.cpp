// SPDX-License-Identifier: Apache-2.0
#include "core/cost/cost_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/cost/config_shapes.h"
#include "core/cost/published.h"

namespace meanflow::core {
namespace {

constexpr double kGiga = 1e9, kMega = 1e6, kTera = 1e12;
constexpr double kUsableShare = 0.4;  // of the peak: what well-fed transformers reach
constexpr int kMaskRatios = 64;       // midpoints over which the mean masked-autoencoder step is taken

double defaultThroughput(const std::string& precision) {
  const double peak = precision == "bf16" ? 989 : precision == "tf32" ? 495 : 67;  // H100 SXM data sheet, dense
  return kUsableShare * peak * kTera;
}

bool hasStage(const base::RunConfig& config, const std::string& name) {
  return std::find(config.stages.begin(), config.stages.end(), name) != config.stages.end();
}

std::vector<PartCost> partsOf(const base::RunConfig& config) {
  const auto latent = latentSize(config);
  const auto sizes = [](const base::DdtConfig& network) {
    return fmt::format("width {}, {} blocks", fmt::join(network.hidden_size, " + "), fmt::join(network.depth, " + "));
  };
  const auto vit = [](const base::VitConfig& network) {
    return fmt::format("width {}, {} blocks", network.hidden_size, network.depth);
  };
  std::vector<PartCost> parts = {
      {"encoder",
       fmt::format("{}, {}, latents {} x {} x {}", config.encoder.kind, vit(config.encoder.model), latent.channels,
                   latent.side, latent.side),
       encoderCost(config)},
      {"decoder", vit(config.decoder.model), decoderCost(config)},
      {"teacher", sizes(config.teacher.model), generatorCost(config, false)},
      {"student", "the teacher's sizes and a second time embedder", generatorCost(config, true)}};
  if (config.sampling.guidance.method == "autoguidance")
    parts.push_back({"guiding network", sizes(config.sampling.guidance.model), guidingCost(config)});
  return parts;
}

SamplingCost sampled(std::string name, double calls, const NetworkCost& network, const NetworkCost& decoder) {
  return {std::move(name), calls, calls * network.linear_macs, decoder.linear_macs,
          calls * network.attention_macs + decoder.attention_macs};
}

/// Solver evaluations of one step.
double callsPerStep(const std::string& method) {
  if (method == "midpoint" || method == "heun2" || method == "heun") return 2;
  if (method == "heun3" || method == "bosh3") return 3;
  if (method == "rk4") return 4;
  if (method == "dopri5") return 6;
  return 1;
}

std::vector<SamplingCost> samplingOf(const base::RunConfig& config) {
  const auto student = generatorCost(config, true), teacher = generatorCost(config, false),
             decoder = decoderCost(config);
  std::vector<SamplingCost> rows;
  std::vector<std::int64_t> few = {1, 2, 4};
  if (std::find(few.begin(), few.end(), config.sampling.nfe) == few.end()) few.push_back(config.sampling.nfe);
  for (const auto nfe : few)
    rows.push_back(sampled(fmt::format("student, {} step{}", nfe, nfe == 1 ? "" : "s"), static_cast<double>(nfe),
                           student, decoder));
  const double calls = static_cast<double>(config.sampling.steps) * callsPerStep(config.sampling.method);
  const std::string solver = fmt::format("teacher, {} {} steps", config.sampling.steps, config.sampling.method);
  rows.push_back(sampled(solver, calls, teacher, decoder));
  rows.push_back(sampled(solver + ", classifier-free guidance", 2 * calls, teacher, decoder));
  if (config.sampling.guidance.method == "autoguidance") {
    auto guided = sampled(solver + ", AutoGuidance", calls, teacher, decoder);
    const auto weak = guidingCost(config);
    guided.network_calls *= 2;
    guided.network_macs += calls * weak.linear_macs;
    guided.attention_macs += calls * weak.attention_macs;
    rows.push_back(guided);
  }
  return rows;
}

/// Published systems at the same image size; only ImageNet's 256 and 512 have any.
std::vector<SamplingCost> comparedAt(std::int64_t image_size) {
  if (image_size != 256 && image_size != 512) return {};
  const auto network = [&](const std::string& name) {
    return networkCost(*namedNetwork(name + " " + std::to_string(image_size)));
  };
  const auto vae = network("SD-VAE decoder");
  return {sampled("MeanFlow SiT-XL/2 on SD-VAE, 1 step", 1, network("MeanFlow SiT-XL/2"), vae),
          sampled("SiT-XL/2 on SD-VAE, 250 steps, classifier-free guidance", 500, network("SiT-XL/2"), vae),
          sampled("DiT-XL/2 on SD-VAE, 250 steps, classifier-free guidance", 500, network("DiT-XL/2"), vae)};
}

Proxy proxyOf(const base::MeanFlowConfig& config) {
  if (config.velocity == "teacher") return Proxy::kTeacher;
  if (config.velocity == "data") return Proxy::kData;
  if (config.velocity == "self") return Proxy::kSelf;
  return config.mix_with == "self" ? Proxy::kMixSelf : Proxy::kMixTeacher;
}

TrainingSetting settingOf(const base::RunConfig& config) {
  TrainingSetting setting;
  setting.student = generatorCost(config, true);
  setting.teacher = generatorCost(config, false);
  // A frozen encoder works in every step; our own encodes the data once and keeps the latents.
  setting.encoder_macs = config.encoder.kind == "trained" ? 0 : encoderCost(config).macs();
  setting.ratio_r_less_than_t = config.mean_flow.ratio_r_less_than_t;
  return setting;
}

double pairsPerTrajectory(const base::CmtConfig& cmt) {
  const double pairs = static_cast<double>(cmt.training.batch_size);
  if (cmt.trajectories == "fresh") return pairs / static_cast<double>(cmt.trajectories_per_step);
  const std::int64_t banks =
      cmt.bank_refresh_every > 0 ? (cmt.training.steps + cmt.bank_refresh_every - 1) / cmt.bank_refresh_every : 1;
  const double trajectories = static_cast<double>(std::max<std::int64_t>(1, banks) * cmt.bank_size);
  return std::max(1.0, pairs * static_cast<double>(cmt.training.steps)) / trajectories;
}

/// Mean over mask ratios drawn from U(0, max).
ObjectiveCost maskedAutoencoderCost(const base::RunConfig& config) {
  MaskedAutoencoderShape shape{.encoder = {.network = config.encoder.model, .image_size = config.data.image_size},
                               .decoder_width = config.encoder.mae_decoder_width,
                               .decoder_depth = config.encoder.mae_decoder_depth};
  double forward = 0;
  for (int i = 0; i < kMaskRatios; ++i) {
    shape.mask_ratio = config.encoder.mask_ratio_max * (i + 0.5) / kMaskRatios;
    forward += networkCost(shape).macs() / kMaskRatios;
  }
  return {.name = "masked autoencoder",
          .formula = "F + 2F, mean over mask ratios",
          .source = "core/models/masked_autoencoder.cpp",
          .student_forward = forward,
          .student_backward = 2 * forward};
}

ObjectiveCost reconstructionCost(const base::RunConfig& config) {
  const auto decoder = decoderCost(config);
  const bool has_more = config.decoder.losses.perceptual_weight > 0 || config.decoder.losses.adversarial_weight > 0;
  return {.name = "reconstruction",
          .formula = has_more ? "D + 2D + E; LPIPS and discriminator not counted" : "D + 2D + E",
          .source = "RAE train_stage1.py",
          .student_forward = decoder.macs(),
          .student_backward = 2 * decoder.macs(),
          .encoder = encoderCost(config).macs()};
}

struct StagePlan {
  const base::TrainingConfig* training = nullptr;
  ObjectiveCost objective;
  NetworkCost trained;
  double frozen = 0;
  double copies_in_graph = 1;
};

StagePlan planOf(const base::RunConfig& config, const std::string& stage) {
  auto setting = settingOf(config);
  const double encoder = config.encoder.kind == "trained" ? 0 : encoderCost(config).parameters;
  if (stage == "encoder")
    return {&config.encoder.training, maskedAutoencoderCost(config),
            networkCost(MaskedAutoencoderShape{
                .encoder = {.network = config.encoder.model, .image_size = config.data.image_size},
                .decoder_width = config.encoder.mae_decoder_width,
                .decoder_depth = config.encoder.mae_decoder_depth})};
  if (stage == "decoder")
    return {&config.decoder.training, reconstructionCost(config), decoderCost(config), encoderCost(config).parameters};
  if (stage == "teacher") {
    setting.student = setting.teacher;
    return {&config.teacher.training, flowMatchingCost(setting), setting.teacher, encoder};
  }
  if (stage == "cmt") {
    setting.teacher_calls = config.cmt.guidance.scale != 1 ? 2 : 1;
    setting.euler_steps = static_cast<double>(config.cmt.euler_steps);
    setting.pairs_per_trajectory = pairsPerTrajectory(config.cmt);
    return {&config.cmt.training, midTrainingCost(setting, false), setting.student, setting.teacher.parameters};
  }
  const auto proxy = proxyOf(config.mean_flow);
  setting.teacher_calls = config.mean_flow.guidance.scale != 1 ? 2 : 1;
  const bool has_teacher = proxy == Proxy::kTeacher || proxy == Proxy::kMixTeacher;
  return {&config.mean_flow.training,
          meanFlowCost(setting, proxy,
                       config.mean_flow.derivative == "jvp" ? Derivative::kJvp : Derivative::kFiniteDifference,
                       Evaluation::kNeeded),
          setting.student, encoder + (has_teacher ? setting.teacher.parameters : 0)};
}

StageCost stageCost(const base::RunConfig& config, const std::string& stage, const CostReport& report) {
  const auto plan = planOf(config, stage);
  const auto& training = *plan.training;
  StageCost cost{.stage = stage,
                 .steps = training.steps,
                 .samples_per_step = static_cast<double>(training.batch_size),
                 .objective = plan.objective,
                 .memory = {}};
  cost.flops_per_step = cost.samples_per_step * plan.objective.flops();
  cost.total_flops = cost.flops_per_step * static_cast<double>(training.steps);
  cost.gpu_days = gpuDays(cost.total_flops, report.flops_per_second);
  const double micro_batch = cost.samples_per_step / static_cast<double>(training.accumulation * report.num_gpus);
  cost.memory = estimateMemory({.trained = plan.trained,
                                .frozen_parameters = plan.frozen,
                                .samples_in_graph = std::max(1.0, micro_batch) * plan.copies_in_graph,
                                .is_bf16 = config.precision == "bf16",
                                .has_ema = training.ema_decay > 0});
  return cost;
}

/// Figures of the papers that this configuration's networks have a counterpart of.
std::vector<PublishedFigure> publishedFigures(const base::RunConfig& config, const CostReport& report) {
  std::vector<PublishedFigure> figures;
  const bool is_xl = config.teacher.architecture == "ddt" &&
                     config.teacher.model.hidden_size == std::vector<std::int64_t>{1152, 2048} &&
                     config.teacher.model.depth == std::vector<std::int64_t>{28, 2};
  if (!is_xl || report.compared.empty()) return figures;
  const auto teacher = generatorCost(config, false), student = generatorCost(config, true);
  const auto baseline = networkCost(*namedNetwork("MeanFlow SiT-XL/2 " + std::to_string(report.image_size)));
  figures.push_back(
      {"parameters of the teacher, DiT-DH-XL", "M", teacher.parameters / kMega, published::kTeacherParametersM, "RAE"});
  figures.push_back(
      {"parameters of the student", "M", student.parameters / kMega, published::kStudentParametersM, "MF-RAE"});
  figures.push_back({"parameters of SiT-XL/2 and DiT-XL/2", "M",
                     networkCost(*namedNetwork("SiT-XL/2 256")).parameters / kMega, published::kSitParametersM,
                     "DiT, SiT"});
  figures.push_back({"parameters of the MeanFlow SiT-XL/2", "M",
                     networkCost(*namedNetwork("MeanFlow SiT-XL/2 256")).parameters / kMega,
                     published::kMeanFlowSitParametersM, "MeanFlow"});
  if (report.image_size != 256) return figures;
  figures.push_back({"generator, one call", "GFLOPs", student.linear_macs / kGiga, published::kGeneratorGflops,
                     "MF-RAE; multiply-accumulates"});
  figures.push_back(
      {"RAE decoder", "GFLOPs", decoderCost(config).linear_macs / kGiga, published::kRaeDecoderGflops, "MF-RAE"});
  figures.push_back({"SiT-XL/2, one call", "GFLOPs", baseline.linear_macs / kGiga, published::kSitGflops, "MF-RAE"});
  figures.push_back({"SD-VAE decoder", "GFLOPs", networkCost(*namedNetwork("SD-VAE decoder 256")).linear_macs / kGiga,
                     published::kSdVaeDecoderGflops, "MF-RAE"});
  figures.push_back({"one-step sampling, saved against MeanFlow on SD-VAE", "%", 100 * report.saving(),
                     100 * published::kSamplingSaving, "MF-RAE, abstract"});
  return figures;
}

}  // namespace

double CostReport::saving() const {
  return compared.empty() || sampling.empty() ? 0 : 1 - sampling.front().macs() / compared.front().macs();
}

double CostReport::gpuDays() const {
  double days = 0;
  for (const auto& stage : stages) days += stage.gpu_days;
  return days;
}

base::Result<CostReport> costReport(const base::RunConfig& config, const CostOptions& options) {
  if (auto checked = checkShapes(config); !checked) return checked.error();
  CostReport report;
  report.flops_per_second =
      options.flops_per_second > 0 ? options.flops_per_second : defaultThroughput(config.precision);
  report.num_gpus = std::max<std::int64_t>(1, options.num_gpus > 0 ? options.num_gpus : config.num_workers);
  report.image_size = config.encoder.kind == "trained" ? config.data.image_size
                                                       : config.decoder.model.patch_size * latentSize(config).side;
  report.parts = partsOf(config);
  report.sampling = samplingOf(config);
  report.compared = comparedAt(report.image_size);
  auto setting = settingOf(config);
  setting.euler_steps = static_cast<double>(config.cmt.euler_steps);
  setting.pairs_per_trajectory = pairsPerTrajectory(config.cmt);
  setting.teacher_calls = config.mean_flow.guidance.scale != 1 ? 2 : 1;
  report.objectives = allObjectives(setting);
  report.samples_per_step = static_cast<double>(config.mean_flow.training.batch_size);
  for (const char* stage : {"encoder", "decoder", "teacher", "cmt", "mean_flow"})
    if (hasStage(config, stage) && (std::string(stage) != "encoder" || config.encoder.kind == "trained"))
      report.stages.push_back(stageCost(config, stage, report));
  report.published = publishedFigures(config, report);
  report.is_published_system = !report.published.empty() && report.image_size == 256;
  return report;
}

}  // namespace meanflow::core

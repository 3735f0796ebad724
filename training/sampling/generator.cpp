// SPDX-License-Identifier: Apache-2.0
#include "training/sampling/generator.h"

#include <algorithm>

#include "core/data/image_io.h"
#include "core/flow/guidance.h"
#include "core/flow/mean_flow_sampler.h"
#include "core/flow/noise.h"
#include "core/flow/spherical_mix.h"
#include "core/flow/time_schedule.h"
#include "training/run/record_sinks.h"
#include "training/sampling/class_mix.h"
#include "training/sampling/teacher_solver.h"
#include "training/stages/external_weights.h"

namespace meanflow::training {
namespace {

constexpr std::int64_t kBatch = 20;  // small enough that the first images of a grid appear at once

/// "cmt/checkpoints/step_00000400" -> ("cmt", 400).
base::Result<std::pair<std::string, std::int64_t>> parseCheckpoint(const std::string& text) {
  const auto slash = text.find("/checkpoints/step_");
  const auto digits = slash == std::string::npos ? std::string() : text.substr(slash + 18);
  if (slash == 0 || digits.empty() ||
      !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }) || digits.size() > 12)
    return base::Error{"'" + text + "' does not name a checkpoint; expected STAGE/checkpoints/step_N",
                       base::ErrorKind::kUsage};
  return std::pair<std::string, std::int64_t>{text.substr(0, slash), std::stoll(digits)};
}

/// What an interpolation or a truncation asks for, if it makes sense.
base::Result<void> checkNoises(const base::SampleRequest& request, std::int64_t num_classes) {
  const auto refuse = [](const std::string& why) { return base::Error{why, base::ErrorKind::kUsage}; };
  if (!(request.noise_scale >= 0 && request.noise_scale <= 1))
    return refuse("truncation " + std::to_string(request.noise_scale) + " is out of range; use 0 to 1 (1 = none)");
  if (request.blends.empty()) return {};
  if (request.blends.size() != request.labels.size())
    return refuse("an interpolation needs one share a label; got " + std::to_string(request.blends.size()) + " for " +
                  std::to_string(request.labels.size()));
  for (const auto& blend : request.blends) {
    if (!(blend.share >= 0 && blend.share <= 1))
      return refuse("share " + std::to_string(blend.share) + " of an interpolation is out of range; use 0 to 1");
    if (blend.label >= num_classes)
      return refuse("class " + std::to_string(blend.label) +
                    ", which an interpolation leads to, is out of range; this " + "run knows " +
                    std::to_string(num_classes) + " classes");
  }
  return {};
}

/// Noises of `count` images from `begin` on, as the request mixes and shortens them: [count, C, H, W].
torch::Tensor startNoises(const base::SampleRequest& request, std::int64_t begin, std::int64_t count,
                          const std::vector<std::int64_t>& sizes) {
  const auto indices = std::span(request.noise_indices).subspan(begin, count);
  auto z = core::noise(request.seed, core::Stream::kSampleNoise, indices, sizes);
  if (!request.blends.empty()) {
    std::vector<torch::Tensor> others;
    std::vector<double> shares;
    for (std::int64_t i = begin; i < begin + count; ++i) {
      const auto& blend = request.blends[i];
      others.push_back(core::noise(blend.seed, core::Stream::kSampleNoise, blend.noise_index, 1, sizes));
      shares.push_back(blend.share);
    }
    z = core::sphericalMix(z, torch::cat(others), torch::tensor(shares, torch::kFloat64));
  }
  return request.noise_scale == 1 ? z : z * request.noise_scale;
}

bool usesAutoGuidance(const base::SampleRequest& request, const base::SamplingConfig& solver) {
  return solver.guidance.method == "autoguidance" && request.guidance_scale != 1;
}

}  // namespace

base::Result<std::unique_ptr<Generator>> Generator::open(const std::string& run_folder, torch::Device device) {
  auto folder = base::RunFolder::open(run_folder);
  if (!folder) return folder.error();
  auto config = folder->readConfig();
  if (!config) return config.error();
  auto names = readClassNames(*folder);
  if (!names) return names.error();
  if (!hasWeights(*config, *folder, "decoder"))
    return base::Error{
        run_folder +
        " has no trained decoder yet, so there is nothing to make images with; train it first, or import one"};
  return std::unique_ptr<Generator>(new Generator(std::move(*folder), std::move(*config), std::move(*names), device));
}

Generator::Generator(base::RunFolder folder, base::RunConfig config, std::vector<std::string> class_names,
                     torch::Device device)
    : folder_(std::move(folder)), config_(std::move(config)), class_names_(std::move(class_names)), device_(device) {}

base::Result<void> Generator::check(const base::SampleRequest& request) const {
  if (request.labels.empty()) return base::Error{"no class was asked for", base::ErrorKind::kUsage};
  if (request.labels.size() != request.noise_indices.size())
    return base::Error{"a request needs one noise index a label", base::ErrorKind::kUsage};
  if (request.nfe < 1 || request.nfe > 10000)
    return base::Error{"nfe " + std::to_string(request.nfe) + " is out of range; use 1 to 10000",
                       base::ErrorKind::kUsage};
  const auto num_classes = static_cast<std::int64_t>(class_names_.size());
  for (const auto label : request.labels) {
    if (label >= 0 && label < num_classes) continue;
    std::string known;
    for (std::int64_t i = 0; i < num_classes && i < 12; ++i)
      known += (i ? ", " : "") + std::to_string(i) + " " + class_names_[i];
    return base::Error{"class " + std::to_string(label) + " is out of range; this run knows " +
                           std::to_string(num_classes) + " classes: " + known + (num_classes > 12 ? ", ..." : ""),
                       base::ErrorKind::kUsage};
  }
  if (const auto checked = checkNoises(request, num_classes); !checked) return checked;
  if (!request.checkpoint.empty()) {
    const auto parsed = parseCheckpoint(request.checkpoint);
    if (!parsed) return parsed.error();
    if (request.use_teacher != (parsed->first == "teacher"))
      return base::Error{request.checkpoint +
                             (request.use_teacher ? " holds no teacher; name one of teacher/checkpoints"
                                                  : " holds no student; ask for the teacher") +
                             ", or leave the checkpoint out for the newest weights",
                         base::ErrorKind::kUsage};
  }
  if (!request.use_teacher) return {};
  const auto& solver = request.solver ? *request.solver : config_.sampling;
  if (usesAutoGuidance(request, solver) && solver.guidance.weights.empty())
    return base::Error{
        "sampling.guidance.method autoguidance needs a weaker network: name its checkpoint in "
        "sampling.guidance.weights and its sizes in sampling.guidance.model",
        base::ErrorKind::kUsage};
  return checkSolver(solver);
}

core::VelocityField Generator::teacherField(const base::SampleRequest& request) {
  const auto entries = folder_.listCheckpoints("teacher");
  std::int64_t step = request.checkpoint.empty() ? -1 : parseCheckpoint(request.checkpoint).value().second;
  if (step < 0 && !entries.empty() && namedWeights(config_, "teacher").empty()) step = entries.back().step;
  const auto key = std::to_string(step) + (request.use_ema ? "ema" : "model");
  if (!teacher_ || teacher_key_ != key) {
    teacher_ = makeTeacher(config_, static_cast<std::int64_t>(class_names_.size()));
    loadWeights(*teacher_, config_, folder_, "teacher", request.use_ema ? Weights::kEma : Weights::kModel, step);
    freeze(*teacher_);
    teacher_->to(device_);
    teacher_key_ = key;
  }
  base::GuidanceConfig guidance;
  guidance.scale = request.guidance_scale;
  guidance.t_min = request.guidance_t_min;
  guidance.t_max = request.guidance_t_max;
  const auto& solver = request.solver ? *request.solver : config_.sampling;
  if (usesAutoGuidance(request, solver))
    return core::autoGuidance(core::velocityField(teacher_), core::velocityField(weakTeacher(solver.guidance)),
                              guidance);
  return core::classifierFreeGuidance(core::velocityField(teacher_), guidance,
                                      static_cast<std::int64_t>(class_names_.size()));
}

core::DiTwDDTHead Generator::weakTeacher(const base::SamplingGuidanceConfig& guidance) {
  if (weak_ && weak_key_ == guidance.weights) return weak_;
  const std::string key = "sampling.guidance.weights";
  auto config = config_;
  config.teacher.model = guidance.model;
  auto network = makeTeacher(config, static_cast<std::int64_t>(class_names_.size()));
  const auto weights = openWeights(key, guidance.weights);
  if (!weights) throw std::runtime_error(weights.error().message);
  const auto part = partOf(*weights, key, {core::ModelKind::kDdt});
  if (!part) throw std::runtime_error(part.error().message);
  if (const auto loaded = core::loadPart(*network, weights->checkpoint, **part, core::WeightSet::kAverage); !loaded)
    throw std::runtime_error(key + ": " + loaded.error().message + " (its sizes are sampling.guidance.model)");
  freeze(*network);
  network->to(device_);
  weak_ = network;
  weak_key_ = guidance.weights;
  return weak_;
}

core::FlowMap Generator::studentMap(const base::SampleRequest& request) {
  std::string stage = newestStudentStage(config_, folder_);
  std::int64_t step = -1;
  if (!request.checkpoint.empty()) std::tie(stage, step) = parseCheckpoint(request.checkpoint).value();
  if (stage.empty())
    throw std::runtime_error(folder_.root().string() +
                             " has no trained student yet; sample the teacher (--teacher), or train the cmt stage");
  const auto entries = folder_.listCheckpoints(stage);
  if (step < 0 && !entries.empty() && namedWeights(config_, stage).empty()) step = entries.back().step;
  const auto key = stage + std::to_string(step) + (request.use_ema ? "ema" : "model");
  if (!student_ || student_key_ != key) {
    student_ = loadStudent(config_, folder_, stage, static_cast<std::int64_t>(class_names_.size()), device_,
                           request.use_ema ? Weights::kEma : Weights::kModel, step);
    student_key_ = key;
  }
  return core::flowMap(student_);
}

void Generator::make(const base::SampleRequest& request, const std::function<void(int, const base::Image8&)>& deliver,
                     const std::function<bool()>& is_cancelled) {
  const torch::InferenceMode guard;
  if (!codec_) codec_ = loadCodec(config_, folder_, device_, CodecUse::kDecode);
  const auto shape = latentShape(config_);
  const core::TimeSchedule schedule(config_.teacher.time, shape.dim());
  const auto solver = request.solver.value_or(config_.sampling);
  const auto total = static_cast<std::int64_t>(request.labels.size());
  const auto field = request.use_teacher ? teacherField(request) : core::VelocityField{};
  const auto map = request.use_teacher ? core::FlowMap{} : studentMap(request);
  const auto& network = request.use_teacher ? teacher_ : student_;
  const auto mixed = mixedLabels(request, numLabelRows(network));
  const ExtendedLabelTable table(network, mixed.rows);
  const bool has_weak = request.use_teacher && usesAutoGuidance(request, solver);
  const ExtendedLabelTable weak_table(has_weak ? weak_ : core::DiTwDDTHead{nullptr},
                                      has_weak ? mixed.rows : std::vector<MixedLabels::Row>{});
  for (std::int64_t begin = 0; begin < total && !is_cancelled(); begin += kBatch) {
    const auto count = std::min(kBatch, total - begin);
    const auto indices = std::span(request.noise_indices).subspan(begin, count);
    const auto z = startNoises(request, begin, count, shape.sizes()).to(device_);
    const auto y =
        torch::tensor(std::vector<std::int64_t>(mixed.labels.begin() + begin, mixed.labels.begin() + begin + count))
            .to(device_);
    const auto latent = request.use_teacher
                            ? solveTeacher(field, z, y, schedule, solver, request.nfe, request.seed, indices)
                            : core::sampleMeanFlow(map, z, y, request.nfe);
    const auto images = core::toImages(codec_->decode(latent));
    for (std::int64_t i = 0; i < count; ++i) deliver(static_cast<int>(begin + i), images[i]);
  }
}

}  // namespace meanflow::training

// SPDX-License-Identifier: Apache-2.0
#include "training/stages/networks.h"

#include <algorithm>
#include <filesystem>

#include "core/checkpoint/tensor_file.h"
#include "core/device/generator_lock.h"
#include "training/stages/external_weights.h"
#include "training/stages/frozen_encoder.h"
#include "training/stages/tasks.h"

namespace meanflow::training {
namespace {

namespace fs = std::filesystem;

/// Seeding and building happen under one lock for all networks.
template <class Build>
auto withSeed(const base::RunConfig& config, const std::string& what, Build build) {
  const auto lock = core::lockDefaultGenerator();
  torch::manual_seed(static_cast<std::uint64_t>(stageSeed(static_cast<std::uint64_t>(config.seed), "init " + what)));
  return build();
}

core::DdtOptions ddtOptions(const base::RunConfig& config, std::int64_t num_classes, bool is_student) {
  const auto latent = latentShape(config);
  return {.network = config.teacher.model,
          .input_size = latent.side,
          .in_channels = latent.channels,
          .num_classes = num_classes,
          .class_dropout_prob = 0.1,  // only says that the label table has a row for the null label
          .has_r_embedder = is_student};
}

torch::Tensor noEncoder(const torch::Tensor&) {
  throw std::logic_error("a codec that was loaded to decode alone cannot encode");
}

fs::path momentsFile(const base::RunFolder& folder) {
  return folder.stage("decoder") / "latent_statistics.safetensors";
}

fs::path checkpointOf(const base::RunFolder& folder, const std::string& stage, std::int64_t step) {
  const auto entries = folder.listCheckpoints(stage);
  if (entries.empty())
    throw std::runtime_error(folder.root().string() + " has no checkpoint of stage " + stage +
                             "; run that stage first");
  if (step < 0) return entries.back().path;
  for (const auto& entry : entries)
    if (entry.step == step) return entry.path;
  std::string known;
  for (const auto& entry : entries) known += (known.empty() ? "" : ", ") + std::to_string(entry.step);
  throw std::runtime_error("stage " + stage + " has no checkpoint at step " + std::to_string(step) + "; there are " +
                           known);
}

}  // namespace

LatentShape latentShape(const base::RunConfig& config) {
  return {config.encoder.model.hidden_size, encoderInputSize(config) / config.encoder.model.patch_size};
}

core::MaskedAutoencoder makeEncoder(const base::RunConfig& config) {
  return withSeed(config, "encoder", [&] {
    core::VitEncoder encoder(
        core::VitEncoderOptions{.network = config.encoder.model, .image_size = config.data.image_size});
    return core::MaskedAutoencoder(encoder, config.encoder.mae_decoder_width, config.encoder.mae_decoder_depth);
  });
}

core::VitDecoder makeDecoder(const base::RunConfig& config) {
  return withSeed(config, "decoder", [&] {
    const auto latent = latentShape(config);
    core::VitDecoderOptions options;
    options.network = config.decoder.model;
    if (config.encoder.kind == "trained") options.network.patch_size = config.encoder.model.patch_size;
    options.latent_channels = latent.channels;
    options.latent_side = latent.side;
    options.intermediate_size = config.decoder.intermediate_size;
    options.output_head = config.decoder.output_head;
    options.head_channels = config.decoder.head_channels;
    return core::VitDecoder(options);
  });
}

core::DiTwDDTHead makeTeacher(const base::RunConfig& config, std::int64_t num_classes) {
  if (config.teacher.architecture != "ddt")
    throw std::runtime_error("teacher.architecture " + config.teacher.architecture +
                             " can be imported and exported, but not trained or sampled by this version; use ddt");
  return withSeed(config, "teacher", [&] { return core::DiTwDDTHead(ddtOptions(config, num_classes, false)); });
}

core::DiTwDDTHead makeStudent(const base::RunConfig& config, std::int64_t num_classes) {
  return withSeed(config, "student", [&] { return core::DiTwDDTHead(ddtOptions(config, num_classes, true)); });
}

void loadStageWeights(torch::nn::Module& module, const base::RunFolder& folder, const std::string& stage,
                      Weights weights, std::int64_t step) {
  const auto checkpoint = checkpointOf(folder, stage, step);
  const auto file = checkpoint / "model.safetensors";
  auto tensors = core::loadTensors(file.string());
  if (!tensors) throw std::runtime_error(tensors.error().message);
  if (weights == Weights::kEma) {
    // Averages cover parameters only; buffers come from the model file.
    auto averages = core::loadTensors((checkpoint / "ema.safetensors").string());
    if (!averages) throw std::runtime_error(averages.error().message);
    for (auto& [name, tensor] : *averages) (*tensors)[name] = tensor;
  }
  const auto loaded = core::loadInto(module, *tensors, core::Strictness::kExact);
  if (!loaded)
    throw std::runtime_error(file.string() + " does not fit the configured network: " + loaded.error().message);
}

void loadWeights(torch::nn::Module& module, const base::RunConfig& config, const base::RunFolder& folder,
                 const std::string& stage, Weights weights, std::int64_t step, IfMissing if_missing) {
  if (if_missing == IfMissing::kInitial && !hasWeights(config, folder, stage)) return;
  if (step >= 0 || namedWeights(config, stage).empty()) return loadStageWeights(module, folder, stage, weights, step);
  loadNamedWeights(module, config, stage, weights == Weights::kEma ? core::WeightSet::kAverage : core::WeightSet::kRaw);
}

void copyAverages(torch::nn::Module& module, const NamedTensors& averages) {
  const torch::NoGradGuard no_grad;
  auto parameters = module.named_parameters();
  for (const auto& [name, tensor] : averages) parameters[name].copy_(tensor);
}

void saveLatentMoments(const base::RunFolder& folder, const core::LatentMoments& moments) {
  std::error_code code;  // where the decoder was not trained here there is no folder of its stage yet
  fs::create_directories(momentsFile(folder).parent_path(), code);
  const auto written =
      core::saveTensors(momentsFile(folder).string(), {{"mean", moments.mean}, {"var", moments.variance}});
  if (!written) throw std::runtime_error(written.error().message);
}

bool hasLatentMoments(const base::RunConfig& config, const base::RunFolder& folder) {
  return !config.decoder.statistics.empty() || fs::exists(momentsFile(folder));
}

core::LatentMoments loadLatentMoments(const base::RunConfig& config, const base::RunFolder& folder) {
  if (!config.decoder.statistics.empty()) return loadNamedStatistics(config.decoder.statistics);
  auto tensors = core::loadTensors(momentsFile(folder).string());
  if (!tensors)
    throw std::runtime_error(tensors.error().message +
                             " (the decoder stage writes it at its end; decoder.statistics may name another file)");
  if (!tensors->contains("mean") || !tensors->contains("var"))
    throw std::runtime_error(momentsFile(folder).string() + " does not hold `mean` and `var`");
  return {tensors->at("mean"), tensors->at("var")};
}

torch::Tensor normaliseImages(const torch::Tensor& images) { return images * 2 - 1; }

core::RaeCodec makeRawCodec(const base::RunConfig& config, const base::RunFolder& folder, core::VitDecoder decoder,
                            torch::Device device, IfMissing if_missing) {
  decoder->to(device);
  if (config.encoder.kind != "trained") {
    auto encoder = loadFrozenEncoder(config, folder);
    freeze(*encoder);
    encoder->to(device);
    return core::RaeCodec(
        [encoder](const torch::Tensor& images) mutable { return core::tokensToLatents(encoder(images)); }, decoder,
        codecOptions(config));
  }
  auto autoencoder = makeEncoder(config);
  loadWeights(*autoencoder, config, folder, "encoder", Weights::kEma, -1, if_missing);
  freeze(*autoencoder);
  autoencoder->to(device);
  return core::RaeCodec(
      [encoder = autoencoder->encoder](const torch::Tensor& images) mutable { return encoder(images); }, decoder,
      codecOptions(config));
}

std::shared_ptr<core::RaeCodec> loadCodec(const base::RunConfig& config, const base::RunFolder& folder,
                                          torch::Device device, CodecUse use, IfMissing if_missing) {
  auto decoder = makeDecoder(config);
  loadWeights(*decoder, config, folder, "decoder", Weights::kEma, -1, if_missing);
  freeze(*decoder);
  decoder->to(device);
  auto codec = use == CodecUse::kDecode
                   ? std::make_shared<core::RaeCodec>(noEncoder, decoder, codecOptions(config))
                   : std::make_shared<core::RaeCodec>(makeRawCodec(config, folder, decoder, device, if_missing));
  if (if_missing == IfMissing::kInitial && !hasLatentMoments(config, folder)) return codec;
  auto moments = loadLatentMoments(config, folder);
  codec->setStatistics({moments.mean.to(device), moments.variance.to(device)});
  return codec;
}

core::DiTwDDTHead loadTeacher(const base::RunConfig& config, const base::RunFolder& folder, std::int64_t num_classes,
                              torch::Device device, IfMissing if_missing) {
  auto teacher = makeTeacher(config, num_classes);
  loadWeights(*teacher, config, folder, "teacher", Weights::kEma, -1, if_missing);
  freeze(*teacher);
  teacher->to(device);
  return teacher;
}

core::DiTwDDTHead loadStudent(const base::RunConfig& config, const base::RunFolder& folder, const std::string& stage,
                              std::int64_t num_classes, torch::Device device, Weights weights, std::int64_t step) {
  auto student = makeStudent(config, num_classes);
  loadWeights(*student, config, folder, stage, weights, step);
  freeze(*student);
  student->to(device);
  return student;
}

void freeze(torch::nn::Module& module) {
  module.eval();
  for (auto& parameter : module.parameters()) parameter.set_requires_grad(false);
}

std::string newestStudentStage(const base::RunConfig& config, const base::RunFolder& folder) {
  for (const char* stage : {"mean_flow", "cmt"})
    if (hasWeights(config, folder, stage)) return stage;
  return {};
}

}  // namespace meanflow::training

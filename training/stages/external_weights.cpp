// SPDX-License-Identifier: Apache-2.0
#include "training/stages/external_weights.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/formats/hub_cache.h"

namespace meanflow::training {
namespace {

using core::ModelKind;

std::initializer_list<ModelKind> kindsOf(const std::string& stage) {
  static constexpr std::initializer_list<ModelKind> kEncoder = {ModelKind::kOwnEncoder},
                                                    kDecoder = {ModelKind::kVitDecoder}, kFlow = {ModelKind::kDdt};
  if (stage == "encoder") return kEncoder;
  if (stage == "decoder") return kDecoder;
  return kFlow;
}

}  // namespace

std::string namedWeights(const base::RunConfig& config, const std::string& stage) {
  if (stage == "encoder") return config.encoder.weights;
  if (stage == "decoder") return config.decoder.weights;
  if (stage == "teacher") return config.teacher.weights;
  if (stage == "cmt") return config.cmt.weights;
  if (stage == "mean_flow") return config.mean_flow.weights;
  return {};
}

bool isTakenAsIs(const base::RunConfig& config, const std::string& stage, std::string& why) {
  if (const auto weights = namedWeights(config, stage); !weights.empty()) {
    why = fmt::format("stage {} is not trained: its weights are those of {} ({}.weights)", stage, weights, stage);
    return true;
  }
  if (stage != "encoder" || config.encoder.kind == "trained") return false;
  why =
      fmt::format("stage encoder is not trained: encoder.kind {} is a published encoder, frozen", config.encoder.kind);
  return true;
}

bool hasWeights(const base::RunConfig& config, const base::RunFolder& folder, const std::string& stage) {
  return !namedWeights(config, stage).empty() || !folder.listCheckpoints(stage).empty();
}

base::Result<OpenedWeights> openWeights(const std::string& key, const std::string& path_or_hub_name,
                                        const core::KnownSizes& known) {
  const auto fail = [&](const base::Error& error) {
    return base::Error{fmt::format("{}: {}", key, error.message), error.kind};
  };
  const auto path = base::findWeights(path_or_hub_name);
  if (!path) return fail(path.error());
  auto checkpoint = core::Checkpoint::open(path->string());
  if (!checkpoint) return fail(checkpoint.error());
  auto contents = core::contentsOf(*checkpoint, known);
  if (!contents) return fail(contents.error());
  return OpenedWeights{std::move(*checkpoint), std::move(*contents)};
}

base::Result<const core::CheckpointPart*> partOf(const OpenedWeights& weights, const std::string& key,
                                                 std::initializer_list<ModelKind> kinds) {
  for (const auto& part : weights.contents.parts)
    if (std::find(kinds.begin(), kinds.end(), part.model.kind) != kinds.end()) return &part;
  return base::Error{fmt::format("{}: {} holds another kind of model ({})", key,
                                 weights.checkpoint.source().path().string(), weights.contents.description())};
}

void loadNamedWeights(torch::nn::Module& module, const base::RunConfig& config, const std::string& stage,
                      core::WeightSet set) {
  const auto key = stage + ".weights";
  const auto weights = openWeights(key, namedWeights(config, stage));
  if (!weights) throw std::runtime_error(weights.error().message);
  const auto part = partOf(*weights, key, kindsOf(stage));
  if (!part) throw std::runtime_error(part.error().message);
  if (const auto loaded = core::loadPart(module, weights->checkpoint, **part, set); !loaded)
    throw std::runtime_error(key + ": " + loaded.error().message);
}

core::LatentMoments loadNamedStatistics(const std::string& path) {
  const std::string key = "decoder.statistics";
  const auto weights = openWeights(key, path);
  if (!weights) throw std::runtime_error(weights.error().message);
  const auto part = partOf(*weights, key, {ModelKind::kLatentStatistics});
  if (!part) throw std::runtime_error(part.error().message);
  const auto read = [&](const char* name) {
    auto tensor = weights->checkpoint.read((*part)->tensors(core::WeightSet::kAverage).at(name));
    if (!tensor) throw std::runtime_error(key + ": " + tensor.error().message);
    return tensor->to(torch::kFloat32);
  };
  core::LatentMoments moments{read("mean"), read("var")};
  if (!torch::isfinite(moments.mean).all().item<bool>() || !torch::isfinite(moments.variance).all().item<bool>() ||
      (moments.variance < 0).any().item<bool>())
    throw std::runtime_error(fmt::format("{}: {} holds values that are not finite, or a negative variance", key, path));
  return moments;
}

}  // namespace meanflow::training

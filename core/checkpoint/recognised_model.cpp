// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/recognised_model.h"

#include <fmt/format.h>

#include "core/base/overloaded.h"
#include "core/checkpoint/recognise_parts.h"
#include "core/device/meta_scope.h"
#include "core/models/masked_autoencoder.h"
#include "core/models/model_presets.h"

namespace meanflow::core {
namespace {

std::string countText(std::int64_t count) {
  if (count >= 10'000'000) return fmt::format("{:.0f} M parameters", static_cast<double>(count) / 1e6);
  if (count >= 1'000'000) return fmt::format("{:.1f} M parameters", static_cast<double>(count) / 1e6);
  return fmt::format("{} parameters", count);
}

std::string joined(const std::vector<std::int64_t>& numbers) { return fmt::format("[{}]", fmt::join(numbers, ", ")); }

std::string named(std::string_view family, const std::string& size) {
  return size.empty() ? std::string(family) : fmt::format("{} {}", family, size);
}

std::int64_t parametersOf(const RecognisedModel& model) {
  const MetaScope no_memory;
  const auto network = buildNetwork(model);
  return network ? countParameters(**network) : 0;
}

/// Every tensor of the file belongs to the network under its own name.
std::map<std::string, std::string> sameNames(const TensorShapes& tensors, const std::string& prefix = {}) {
  std::map<std::string, std::string> names;
  for (const auto& [name, shape] : tensors.all())
    if (name.starts_with(prefix)) names.emplace(name.substr(prefix.size()), name);
  return names;
}

RecognisedPart encoderPart(const TensorShapes& tensors, const recognise::EncoderPlace& place, RecognisedModel model,
                           bool is_alone) {
  RecognisedPart part{.model = std::move(model), .file_name_of = {}, .ignored = {}};
  for (const auto& [name, shape] : tensors.all()) {
    if (!name.starts_with(place.wrapper)) {
      if (is_alone) part.file_name_of.emplace(name, name);  // to be reported as unexpected
      continue;
    }
    if (auto own = encoderTensorName(place.family, std::string_view(name).substr(place.wrapper.size())))
      part.file_name_of.emplace(std::move(*own), name);
    else
      part.ignored.push_back(name);
  }
  return part;
}

}  // namespace

std::string_view toString(ModelKind kind) {
  switch (kind) {
    case ModelKind::kUnknown:
      return "unknown";
    case ModelKind::kDdt:
      return "ddt";
    case ModelKind::kLightningDit:
      return "lightning_dit";
    case ModelKind::kVitDecoder:
      return "vit_decoder";
    case ModelKind::kOwnEncoder:
      return "own_encoder";
    case ModelKind::kPretrainedEncoder:
      return "pretrained_encoder";
    case ModelKind::kLatentStatistics:
      return "latent_statistics";
    case ModelKind::kPlainDit:
      return "plain_dit";
  }
  return "?";
}

bool RecognisedModel::isStudent() const {
  const auto* options = std::get_if<DdtOptions>(&sizes);
  return options != nullptr && options->has_r_embedder;
}

std::string RecognisedModel::description() const {
  const auto count = countText(num_parameters);
  return std::visit(
      base::Overloaded{
          [&](std::monostate) -> std::string { return "no model that is known here"; },
          [&](const DdtOptions& o) {
            return fmt::format("{}, {}, {}, latents {}x{}x{}, {} classes{}",
                               size_name.empty()
                                   ? fmt::format("DiT-DH {}/{}", joined(o.network.hidden_size), joined(o.network.depth))
                                   : "DiT-DH " + size_name,
                               o.has_r_embedder ? "MeanFlow student" : "teacher", count, o.in_channels, o.input_size,
                               o.input_size, o.num_classes, o.class_dropout_prob > 0 ? "" : " without a null label");
          },
          [&](const LightningDitOptions& o) {
            return fmt::format("{}, {}, latents {}x{}x{}, {} classes",
                               size_name.empty() ? fmt::format("LightningDiT {}/{}", o.hidden_size, o.depth)
                                                 : "LightningDiT-" + size_name,
                               count, o.in_channels, o.input_size, o.input_size, o.num_classes);
          },
          [&](const VitDecoderOptions& o) {
            return fmt::format(
                "{} decoder{}, {}, {} tokens of {} channels to {}x{} pixels",
                size_name.empty() ? fmt::format("ViT {}/{}", o.network.hidden_size, o.network.depth) : size_name,
                o.output_head == "conv" ? " with a convolutional head" : "", count, o.latent_side * o.latent_side,
                o.latent_channels, o.latent_side * o.network.patch_size, o.latent_side * o.network.patch_size);
          },
          [&](const OwnEncoderOptions& o) {
            return fmt::format("ViT encoder of this program {}/{}, patch {}, {} pixels, {}",
                               o.encoder.network.hidden_size, o.encoder.network.depth, o.encoder.network.patch_size,
                               o.encoder.image_size, count);
          },
          [&](const PretrainedEncoderOptions& o) {
            const auto family = o.family == EncoderFamily::kDinov2
                                    ? fmt::format("DINOv2 with {} registers", o.num_registers)
                                : o.family == EncoderFamily::kMae ? std::string("MAE encoder")
                                                                  : std::string("SigLIP2 encoder");
            return fmt::format("{}, width {}, {} layers, patch {}, {}", named(family, size_name), o.hidden_size,
                               o.depth, o.patch_size, count);
          },
          [&](const LatentStatisticsOptions& o) {
            return fmt::format("latent statistics (mean, var) of {}x{}x{} latents", o.channels, o.height, o.width);
          },
          [&](const PlainDitOptions& o) {
            return fmt::format("{}, {}, latents {}x{}x{}, {} classes",
                               size_name.empty() ? fmt::format("{} {}/{}", o.family, o.hidden_size, o.depth)
                                                 : fmt::format("{}-{}", o.family, size_name),
                               count, o.in_channels, o.input_size, o.input_size, o.num_classes);
          }},
      sizes);
}

std::vector<RecognisedPart> recogniseModels(const TensorShapes& tensors, const KnownSizes& known) {
  std::vector<RecognisedPart> parts;
  const auto whole = [&](std::optional<RecognisedModel> model) {
    if (model && parts.empty()) parts.push_back({std::move(*model), sameNames(tensors), {}});
  };
  whole(recognise::latentStatistics(tensors));
  whole(recognise::ddt(tensors, known));
  whole(recognise::lightningDit(tensors, known));
  whole(recognise::plainDit(tensors, known));
  whole(recognise::ownEncoder(tensors, known));
  whole(recognise::vitDecoder(tensors, known));
  if (parts.empty()) {
    constexpr auto kDecoder = "decoder.";
    if (auto decoder = recognise::vitDecoder(tensors.below(kDecoder), known))
      parts.push_back({std::move(*decoder), sameNames(tensors, kDecoder), {}});
    if (const auto place = recognise::encoderPlace(tensors))
      if (auto encoder = recognise::pretrainedEncoder(tensors, *place, known))
        parts.push_back(encoderPart(tensors, *place, std::move(*encoder), parts.empty()));
  }
  for (auto& part : parts)
    if (part.model.num_parameters == 0) part.model.num_parameters = parametersOf(part.model);
  return parts;
}

base::Result<std::shared_ptr<torch::nn::Module>> buildNetwork(const RecognisedModel& model) {
  using Module = std::shared_ptr<torch::nn::Module>;
  if (!model.unknown.empty())
    return base::Error{fmt::format("the tensors do not tell {}", fmt::join(model.unknown, " and "))};
  try {
    return std::visit(
        base::Overloaded{
            [](const DdtOptions& o) -> base::Result<Module> { return Module(DiTwDDTHead(o).ptr()); },
            [](const LightningDitOptions& o) -> base::Result<Module> { return Module(LightningDit(o).ptr()); },
            [](const VitDecoderOptions& o) -> base::Result<Module> { return Module(VitDecoder(o).ptr()); },
            [](const OwnEncoderOptions& o) -> base::Result<Module> {
              return Module(MaskedAutoencoder(VitEncoder(o.encoder), o.mae_decoder_width, o.mae_decoder_depth).ptr());
            },
            [](const PretrainedEncoderOptions& o) -> base::Result<Module> {
              return Module(PretrainedEncoder(o).ptr());
            },
            [](const auto&) -> base::Result<Module> { return base::Error{"this version has no such network"}; }},
        model.sizes);
  } catch (const c10::Error& error) {
    return base::Error{std::string("no network has these sizes: ") + error.what_without_backtrace()};
  } catch (const std::exception& error) {
    return base::Error{std::string("no network has these sizes: ") + error.what()};
  }
}

}  // namespace meanflow::core

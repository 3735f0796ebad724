// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/weight_mapping.h"

#include <fmt/format.h>

#include "core/base/formats/stored_tensor.h"
#include "core/device/meta_scope.h"

namespace meanflow::core {
namespace {

bool isFinalNorm(const std::string& name) {
  for (const char* norm : {"layernorm.weight", "layernorm.bias", "vit.layernorm.weight", "vit.layernorm.bias",
                           "vision_model.post_layernorm.weight", "vision_model.post_layernorm.bias"})
    if (name == norm) return true;
  return false;
}

bool isTable(const std::string& name) {
  for (const char* table : {"pos_embed", "decoder_pos_embed", "encoder.pos_embed"})
    if (name == table) return true;
  return name.ends_with("_rope.freqs_cos") || name.ends_with("_rope.freqs_sin");
}

torch::Tensor rope(std::int64_t width, std::int64_t num_heads, std::int64_t side, const std::string& name) {
  const RotaryEmbedding table(width / num_heads, side);
  return name.ends_with("cos") ? table->freqs_cos : table->freqs_sin;
}

torch::Tensor ddtTable(const DdtOptions& options, const std::string& name) {
  const auto& network = options.network;
  const auto side = options.input_size / network.patch_size;
  if (name == "pos_embed") return sinCosPositions(network.hidden_size[0], side);
  const std::size_t part = name.starts_with("enc_") ? 0 : 1;
  return rope(network.hidden_size[part], network.num_heads[std::min(part, network.num_heads.size() - 1)], side, name);
}

}  // namespace

base::Result<NetworkTensors> networkTensors(const RecognisedModel& model) {
  NetworkTensors tensors;
  if (const auto* statistics = std::get_if<LatentStatisticsOptions>(&model.sizes)) {
    for (const char* name : {"mean", "var"})
      tensors[name] = {{statistics->channels, statistics->height, statistics->width}, true, false};
    return tensors;
  }
  const MetaScope no_memory;
  const auto network = buildNetwork(model);
  if (!network) return network.error();
  for (const auto& item : (*network)->named_parameters())
    tensors[item.key()] = {item.value().sizes().vec(), true, item.value().requires_grad()};
  for (const auto& item : (*network)->named_buffers()) tensors[item.key()] = {item.value().sizes().vec(), false, false};
  return tensors;
}

WeightMapping mapWeights(const NetworkTensors& network, const TensorShapes& file) {
  WeightMapping mapping;
  for (const auto& [name, tensor] : network) {
    const auto* shape = file.find(name);
    if (shape == nullptr)
      (isTable(name) || isFinalNorm(name) ? mapping.computed : mapping.report.missing).push_back(name);
    else if (*shape != tensor.shape)
      mapping.report.mis_shaped.push_back(
          fmt::format("{}: file {}, network {}", name, base::shapeText(*shape), base::shapeText(tensor.shape)));
    else
      mapping.matched.push_back(name);
  }
  for (const auto& [name, shape] : file.all())
    if (!network.contains(name)) mapping.report.unexpected.push_back(name);
  return mapping;
}

std::string WeightMapping::summary() const {
  auto text = fmt::format("{} tensors match", matched.size());
  if (!computed.empty())
    text +=
        fmt::format(", {} that the file leaves out {} computed", computed.size(), computed.size() == 1 ? "is" : "are");
  return isComplete() ? text : text + "\n" + report.summary();
}

bool isComputed(const RecognisedModel& model, const std::string& name) {
  return model.kind == ModelKind::kPretrainedEncoder ? isFinalNorm(name) : isTable(name);
}

torch::Tensor computedTensor(const RecognisedModel& model, const std::string& name) {
  TORCH_CHECK(isComputed(model, name), "'", name, "' does not follow from the sizes");
  if (const auto* o = std::get_if<DdtOptions>(&model.sizes)) return ddtTable(*o, name);
  if (const auto* o = std::get_if<LightningDitOptions>(&model.sizes)) {
    const auto side = o->input_size / o->patch_size;
    return name == "pos_embed" ? sinCosPositions(o->hidden_size, side) : rope(o->hidden_size, o->num_heads, side, name);
  }
  if (const auto* o = std::get_if<VitDecoderOptions>(&model.sizes)) {
    const auto width = o->network.hidden_size;
    return torch::cat({torch::zeros({1, 1, width}), sinCosPositions(width, o->latent_side)}, 1);
  }
  if (const auto* o = std::get_if<OwnEncoderOptions>(&model.sizes)) {
    const auto side = o->encoder.image_size / o->encoder.network.patch_size;
    return sinCosPositions(name == "encoder.pos_embed" ? o->encoder.network.hidden_size : o->mae_decoder_width, side);
  }
  const auto* o = std::get_if<PretrainedEncoderOptions>(&model.sizes);
  TORCH_CHECK(o != nullptr, "'", name, "': a network of unknown kind");
  return name.ends_with("weight") ? torch::ones({o->hidden_size}) : torch::zeros({o->hidden_size});
}

}  // namespace meanflow::core

// SPDX-License-Identifier: Apache-2.0
#include "training/verify/cost_cases.h"

#include <algorithm>

#include "core/cost/catalog.h"

namespace meanflow::training {
namespace {

using Json = nlohmann::json;

template <class T>
void readIfPresent(const Json& config, const char* key, T& value) {
  if (config.contains(key) && !config[key].is_null()) value = config[key].get<T>();
}

void readIfPresent(const Json& config, const char* key, std::vector<std::int64_t>& value) {
  if (!config.contains(key) || config[key].is_null()) return;
  value = config[key].is_array() ? config[key].get<std::vector<std::int64_t>>()
                                 : std::vector{config[key].get<std::int64_t>()};
}

void readSizes(const Json& config, core::DdtShape& shape) {
  readIfPresent(config, "hidden_size", shape.network.hidden_size);
  readIfPresent(config, "depth", shape.network.depth);
  readIfPresent(config, "num_heads", shape.network.num_heads);
  readIfPresent(config, "patch_size", shape.network.patch_size);
  readIfPresent(config, "mlp_ratio", shape.network.mlp_ratio);
  readIfPresent(config, "use_qknorm", shape.network.use_qknorm);
  readIfPresent(config, "use_swiglu", shape.network.use_swiglu);
  readIfPresent(config, "use_rmsnorm", shape.network.use_rmsnorm);
  readIfPresent(config, "use_pos_embed", shape.network.use_pos_embed);
  readIfPresent(config, "input_size", shape.side);
  readIfPresent(config, "in_channels", shape.channels);
  readIfPresent(config, "num_classes", shape.num_classes);
  if (config.contains("class_dropout_prob")) shape.has_null_label = config["class_dropout_prob"].get<double>() > 0;
}

/// DiT, SiT and LightningDiT share these names.
template <class Shape>
void readDitSizes(const Json& config, Shape& shape) {
  readIfPresent(config, "hidden_size", shape.hidden_size);
  readIfPresent(config, "depth", shape.depth);
  readIfPresent(config, "patch_size", shape.patch_size);
  readIfPresent(config, "input_size", shape.side);
  readIfPresent(config, "in_channels", shape.channels);
  readIfPresent(config, "mlp_ratio", shape.mlp_ratio);
  readIfPresent(config, "num_classes", shape.num_classes);
  readIfPresent(config, "learn_sigma", shape.learn_sigma);
}
void readSizes(const Json& config, core::DitShape& shape) { readDitSizes(config, shape); }
void readSizes(const Json& config, core::LightningDitShape& shape) {
  readDitSizes(config, shape);
  readIfPresent(config, "num_heads", shape.num_heads);
  readIfPresent(config, "use_qknorm", shape.use_qknorm);
  readIfPresent(config, "use_swiglu", shape.use_swiglu);
  readIfPresent(config, "use_rmsnorm", shape.use_rmsnorm);
}
void readSizes(const Json& config, core::FrozenEncoderShape& shape) {
  readIfPresent(config, "hidden_size", shape.network.hidden_size);
  readIfPresent(config, "num_hidden_layers", shape.network.depth);
  readIfPresent(config, "patch_size", shape.network.patch_size);
  readIfPresent(config, "encoder_input_size", shape.input_size);
}
void readSizes(const Json& config, core::VitDecoderShape& shape) {
  readIfPresent(config, "decoder_hidden_size", shape.network.hidden_size);
  readIfPresent(config, "decoder_num_hidden_layers", shape.network.depth);
  readIfPresent(config, "decoder_intermediate_size", shape.intermediate_size);
  readIfPresent(config, "patch_size", shape.network.patch_size);
  readIfPresent(config, "hidden_size", shape.latent_channels);
}
void readSizes(const Json& config, core::SdVaeShape& shape) {
  readIfPresent(config, "image_size", shape.image_size);
  readIfPresent(config, "latent_channels", shape.latent_channels);
  readIfPresent(config, "layers_per_block", shape.layers_per_block);
}

torch::Tensor asTensor(const core::NetworkCost& cost) {
  const auto whole = [](double count) { return static_cast<std::int64_t>(count); };
  return torch::tensor({whole(cost.linear_macs), whole(cost.attention_macs), whole(cost.parameters)}, torch::kInt64);
}

}  // namespace

void runNetworkCounts(const CaseFolder& folder, CaseChecker& checker) {
  const auto table = folder.description().at("table");
  for (const auto& [name, row] : table.json().items()) {
    auto shape = core::namedNetwork(name);
    TORCH_CHECK(shape.has_value(), folder.name(), ": '", name, "' is no network that core/cost/catalog.h knows");
    if (row.contains("config") && row["config"].is_object())
      std::visit([&](auto& one) { readSizes(row["config"], one); }, *shape);
    std::string tensor = name;
    std::replace(tensor.begin(), tensor.end(), ' ', '_');
    checker.check(tensor, asTensor(core::networkCost(*shape)));
  }
}

}  // namespace meanflow::training

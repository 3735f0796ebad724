// SPDX-License-Identifier: Apache-2.0
#include "core/models/initialise.h"

namespace meanflow::core {

void initialiseEmbedders(std::initializer_list<PatchEmbed> patch_embedders, LabelEmbedding& labels,
                         FourierTimeEmbedding& time) {
  const torch::NoGradGuard no_grad;
  for (const auto& embedder : patch_embedders) {
    auto flat = embedder->proj->weight.flatten(1);
    torch::nn::init::xavier_uniform_(flat);
    torch::nn::init::zeros_(embedder->proj->bias);
  }
  torch::nn::init::normal_(labels->embedding_table->weight, 0, 0.02);
  for (const std::size_t index : {0U, 2U}) {
    torch::nn::init::normal_(time->mlp->ptr<torch::nn::LinearImpl>(index)->weight, 0, 0.02);
  }
}

void zeroFinalLayer(FinalLayer& layer) {
  const torch::NoGradGuard no_grad;
  zeroModulation(layer->adaLN_modulation);
  torch::nn::init::zeros_(layer->linear->weight);
  torch::nn::init::zeros_(layer->linear->bias);
}

void xavierLinears(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  module.apply([](torch::nn::Module& child) {
    if (auto* linear = child.as<torch::nn::Linear>()) {
      torch::nn::init::xavier_uniform_(linear->weight);
      if (linear->bias.defined()) torch::nn::init::zeros_(linear->bias);
    }
  });
}

}  // namespace meanflow::core

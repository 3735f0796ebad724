// SPDX-License-Identifier: Apache-2.0
//
// The random starts that the DiT family shares. Everything draws from LibTorch's default generator: seed it first.
#pragma once
#include <initializer_list>

#include "core/nn/ddt_block.h"
#include "core/nn/embeddings.h"

namespace meanflow::core {

/// Patch embedders: Xavier-uniform on the flattened weight, zero bias. Label table and the time embedding's two
/// weights: N(0, 0.02); the time embedding's biases stay as they are.
void initialiseEmbedders(std::initializer_list<PatchEmbed> patch_embedders, LabelEmbedding& labels,
                         FourierTimeEmbedding& time);

/// Zero modulation and zero output: the network starts as the zero function.
void zeroFinalLayer(FinalLayer& layer);

/// Xavier-uniform weight and zero bias for every Linear below `module`.
void xavierLinears(torch::nn::Module& module);

}  // namespace meanflow::core

// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "core/cost/network_cost.h"

namespace meanflow::core {

/// What one GPU holds while a network trains.
struct MemorySetting {
  NetworkCost trained;
  double frozen_parameters = 0;  ///< Teacher, encoder and decoder beside it.
  double samples_in_graph = 1;   ///< Micro-batch of a GPU times the copies that are in the graph.
  bool is_bf16 = false;          ///< Autocast: weights, gradients and moments stay float32, kept values are halved.
  bool has_ema = true;
};

/// Bytes. Weights 4 P (float32), gradients and the two moments of AdamW 4 and 8 bytes for each trained parameter,
/// average 4 P, frozen networks 4 bytes a parameter; activations = kept values x 4 bytes (2 under bf16) x samples in
/// the graph, where a block keeps what NetworkCost::kept_values counts (no recomputation, fused attention). Allocator
/// slack, convolution workspaces and communication buffers are not in it.
struct MemoryEstimate {
  double weights = 0, frozen_weights = 0, gradients = 0, moments = 0, average = 0, activations = 0;
  double total() const { return weights + frozen_weights + gradients + moments + average + activations; }
};
MemoryEstimate estimateMemory(const MemorySetting& setting);

}  // namespace meanflow::core

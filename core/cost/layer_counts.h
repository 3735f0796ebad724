// SPDX-License-Identifier: Apache-2.0
//
// Counts of single layers. Internal to core/cost.
#pragma once
#include "core/cost/network_cost.h"

namespace meanflow::core {

/// Adds up the layers of a network.
class LayerCounts {
 public:
  /// Linear layer with bias on `tokens` tokens.
  void linear(double in, double out, double tokens) {
    cost_.linear_macs += tokens * in * out;
    cost_.parameters += in * out + out;
  }
  /// k x k convolution to height x width.
  void conv(double in, double out, double kernel, double height, double width, bool has_bias = true) {
    cost_.linear_macs += height * width * kernel * kernel * in * out;
    cost_.parameters += kernel * kernel * in * out + (has_bias ? out : 0);
  }
  void attention(double width, double tokens) { cost_.attention_macs += 2 * tokens * tokens * width; }
  void parameters(double count) { cost_.parameters += count; }
  void frozenParameters(double count) {
    cost_.parameters += count;
    cost_.frozen += count;
  }
  void kept(double values) { cost_.kept_values += values; }

  /// Pre-norm block with a GELU MLP and affine LayerNorms: attention of separate or fused projections costs the same.
  /// Kept for the backward pass per token: inputs and outputs of both norms (4 D), q, k, v (3 D), the attention's
  /// output (D), the hidden layer before and after GELU (2 I).
  void vitBlock(double width, double hidden, double tokens) {
    linear(width, 3 * width, tokens);
    linear(width, width, tokens);
    attention(width, tokens);
    linear(width, hidden, tokens);
    linear(hidden, width, tokens);
    parameters(4 * width);
    kept(tokens * (8 * width + 2 * hidden));
  }

  const NetworkCost& total() const { return cost_; }

 private:
  NetworkCost cost_;
};

inline double squared(double x) { return x * x; }

}  // namespace meanflow::core

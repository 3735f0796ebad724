// SPDX-License-Identifier: Apache-2.0
//
// Names for the places in a network, for those who look inside while it computes: activation probes here, the operation
// tracer of replays in training/diagnostics. When nobody looks this costs a few nanoseconds a block.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>

namespace meanflow::core {

/// While it lives, operations of this thread belong to the block `name` or `name.index`, named as its parameters are
/// ("blocks.3"). Scopes nest: "teacher/blocks.3".
class BlockScope {
 public:
  explicit BlockScope(const char* name, std::int64_t index = -1);
  ~BlockScope();
  BlockScope(const BlockScope&) = delete;
  BlockScope& operator=(const BlockScope&) = delete;

  /// Of this thread; empty outside of every scope.
  static std::string current();

 private:
  const char* name_;
  std::int64_t index_;
  const BlockScope* outer_;
};

/// Collects how large the activations of a network in training grow, by block, while it lives (one a thread). Only
/// passes with autograd on are looked at: teachers and finite differences run without. Everything stays on the device.
class ActivationProbe {
 public:
  ActivationProbe();
  ~ActivationProbe();
  ActivationProbe(const ActivationProbe&) = delete;
  ActivationProbe& operator=(const ActivationProbe&) = delete;

  struct Reading {
    torch::Tensor mean_square;  ///< Scalar: of what the block put out, mean over all entries.
    torch::Tensor logit_max;    ///< Scalar: largest magnitude of q k^T / sqrt(d); undefined without attention.
  };
  /// By block; of several passes through a block the last one.
  const std::map<std::string, Reading>& readings() const { return readings_; }

  /// Called by networks inside a BlockScope.
  static void output(const torch::Tensor& value);
  /// q, k [B, heads, N, d]; only the first few samples are looked at.
  static void attention(const torch::Tensor& q, const torch::Tensor& k);

 private:
  ActivationProbe* outer_;
  std::map<std::string, Reading> readings_;
};

/// A block's work under its name: `value = inBlock("blocks", i, [&] { return block(x); })`.
template <class Work>
torch::Tensor inBlock(const char* name, std::int64_t index, const Work& work) {
  const BlockScope scope(name, index);
  auto value = work();
  ActivationProbe::output(value);
  return value;
}

}  // namespace meanflow::core

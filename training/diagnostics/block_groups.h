// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "training/optim/named_tensors.h"

namespace meanflow::training {

/// The block that a parameter belongs to: an entry of a list of blocks or layers ("blocks.3" of
/// "blocks.3.attn.qkv.weight", "encoder.blocks.0", "decoder_layers.2"), else the first part of its name ("x_embedder").
std::string blockOf(std::string_view parameter);

/// Trained parameters by block, blocks in the order of the network.
class BlockGroups {
 public:
  explicit BlockGroups(const NamedTensors& parameters);

  const std::vector<std::string>& names() const { return names_; }
  const NamedTensors& parameters() const { return parameters_; }  ///< Those that want a gradient.
  /// 2-norms by block from 2-norms by parameter: [num parameters] -> [num blocks], on the device.
  torch::Tensor gather(const torch::Tensor& norms) const;
  std::size_t blockOfParameter(std::size_t parameter) const { return block_of_[parameter]; }

 private:
  NamedTensors parameters_;
  std::vector<std::string> names_;
  std::vector<std::size_t> block_of_;  ///< By parameter.
  torch::Tensor rows_;                 ///< [num parameters] int64 on the parameters' device.
};

}  // namespace meanflow::training

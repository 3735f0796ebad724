// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/config/config_io.h"

namespace meanflow::base {

/// May this checkpoint stand in for a stage of a configuration?
struct CheckpointQuestion {
  std::string stage;   ///< "encoder", "decoder", "statistics", "teacher", "cmt" or "mean_flow".
  std::string source;  ///< A file, a folder, or a hub name that is in the cache.
  std::string config;  ///< YAML text of the configuration that is to use it.
};

/// What a checkpoint is and what using it means.
struct CheckpointFinding {
  std::string stage, source;
  std::string key;          ///< The setting that names it: "teacher.weights".
  std::string refusal;      ///< Why it cannot be used, with what to do; empty when it can, and the rest is filled in.
  std::string format;       ///< "PyTorch zip".
  std::string description;  ///< "DiT-DH XL, 839 M parameters, latents 768x16x16, 1000 classes".
  std::string weights;      ///< Where in the file they are: "average in ema".
  std::int64_t num_parameters = 0;
  std::int64_t num_tensors = 0;   ///< All that the network needs: those of the file and those it computes.
  std::int64_t num_computed = 0;  ///< Tables the file leaves out and the network makes itself.
  std::int64_t num_classes = 0;   ///< Of the label table; 0 where there is none.
  std::vector<std::string> assumed, notes;
  std::vector<ConfigDifference> changes;  ///< Settings that have to change with it; `key` is not among them.
};

/// The setting that names the finished weights of a stage (decoder.statistics for "statistics").
inline std::string checkpointKey(const std::string& stage) {
  return stage == "statistics" ? "decoder.statistics" : stage + ".weights";
}

}  // namespace meanflow::base

// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace meanflow::training {

enum class ExportFormat {
  kSafetensors,  ///< One file of names and tensors.
  kPt,           ///< torch.save's: a state dict, or {model, ema, train_steps} as the official trainers' latest.pt.
  kNpz,          ///< numpy; bfloat16 becomes float32, which holds it exactly.
  kHub,          ///< A folder with config.json, model.safetensors (in shards where it is large) and README.md.
};
enum class ExportedWeights { kEma, kModel, kBoth };

/// "safetensors", "pt", "npz", "hf" and "ema", "model", "both".
std::optional<ExportFormat> exportFormatFromName(std::string_view name);
std::optional<ExportedWeights> exportedWeightsFromName(std::string_view name);

struct ExportRequest {
  std::string run = {}, out = {};
  ExportFormat format = ExportFormat::kSafetensors;
  std::string stage = {};  ///< "statistics" too; empty = the student, else the teacher, the decoder, the encoder.
  std::int64_t step = -1;  ///< Negative = the newest.
  ExportedWeights weights = ExportedWeights::kEma;  ///< kBoth with kPt alone.
  std::uint64_t shard_bytes = 5'000'000'000;        ///< Largest file of a kHub folder.
  bool force = false;                               ///< Replace what `out` names.
};

struct ExportReport {
  std::string out, stage, description;
  std::int64_t step = 0, num_tensors = 0;
  std::uint64_t num_bytes = 0;
  std::vector<std::string> files;
  std::vector<std::string> notes;
};
nlohmann::ordered_json toJson(const ExportReport& report);

/// Writes the weights of a run's stage for Python, under the official names, so that the official code loads them
/// strictly. Bits and dtypes are kept; tensors go through memory one at a time; the result appears complete or not at
/// all. Errors name the run, the stage or the file.
base::Result<ExportReport> exportCheckpoint(const ExportRequest& request);

}  // namespace meanflow::training

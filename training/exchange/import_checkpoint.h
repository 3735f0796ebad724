// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/checkpoint/checkpoint_contents.h"
#include "training/exchange/import_report.h"

namespace meanflow::training {

struct ImportRequest {
  std::string source;  ///< A file, a folder, or a hub name in the cache.
  std::string out;     ///< A run folder to extend, or one to make.
  std::string as;      ///< Stage; empty = what the content says.
  std::string config;  ///< Preset or file that a new run folder starts from; empty = this program's defaults.
  std::vector<std::string> overrides;   ///< "teacher.model.num_heads=6,16": also what tensors do not tell.
  std::optional<core::WeightSet> only;  ///< One set of weights for both model and ema; empty = each from its own.
  std::int64_t step = -1;               ///< Negative = the file's own, 0 where it has none.
  bool allow_partial = false;           ///< Go on where tensors do not fit, and list those at their initial value.
  bool force = false;                   ///< Replace what the run folder holds of that stage.
  bool is_trial = false;                ///< Only looked at: errors name no options of the command.
};

/// Puts a checkpoint into a run folder as if this program had trained the stage to its end: its sizes into config.yaml,
/// STAGE/checkpoints/step_N/{model,ema[,optimizer]}.safetensors and state.json (for statistics
/// decoder/latent_statistics.safetensors), a line in import.json. Tensors keep their bits and dtypes and go through
/// memory one at a time. Whatever is refused has written nothing; what is written is written aside and renamed. Errors
/// are one sentence with the file, what is wrong and what to do.
base::Result<ImportReport> importCheckpoint(const ImportRequest& request);

}  // namespace meanflow::training

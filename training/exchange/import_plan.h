// SPDX-License-Identifier: Apache-2.0
//
// The first half of an import, which writes nothing: what a file is and how it meets a stage.
#pragma once
#include <string>

#include "core/checkpoint/checkpoint_contents.h"
#include "training/exchange/import_checkpoint.h"
#include "training/exchange/model_config.h"
#include "training/exchange/stage_writer.h"

namespace meanflow::training {

/// Everything that is decided before the first byte is written.
struct ImportPlan {
  core::Checkpoint checkpoint;
  core::CheckpointContents contents;
  core::CheckpointPart part;
  std::string description;  ///< Of what the file holds, which need not be what the stage wants.
  std::string stage;
  core::NetworkTensors network;
  TensorOrigins model, ema, optimizer;
};

/// The error of an import: "FILE: WHAT; nothing was imported".
base::Error refuseImport(const core::Checkpoint& checkpoint, const std::string& what,
                         base::ErrorKind kind = base::ErrorKind::kFailed);

/// Opens, recognises and chooses the part for request.as; asks the configuration where the tensors leave something
/// open.
base::Result<ImportPlan> recogniseImport(const ImportRequest& request, const base::RunConfig& config);

/// What the file is, for the report.
void describeImport(const ImportPlan& plan, const ImportRequest& request, ImportReport& report);

/// `config` with the sizes of the network written into it; the error begins like those above.
base::Result<base::RunConfig> configOfImport(const ImportPlan& plan, const base::RunConfig& config,
                                             const HeldStages& held, ImportReport& report);

/// Where every tensor of the stage comes from; refused unless the mapping is complete (or partial ones are allowed).
base::Result<void> mapImport(ImportPlan& plan, const ImportRequest& request, const base::RunConfig& config,
                             ImportReport& report);

/// {mean, var} of small size, both checked.
base::Result<core::TensorMap> readImportedStatistics(const ImportPlan& plan);

}  // namespace meanflow::training

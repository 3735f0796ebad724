// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/types.h>

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/base/result.h"

namespace meanflow::core {

/// One class of an image folder; no image was read.
struct FolderClass {
  std::string name;
  std::vector<std::filesystem::path> files;  ///< By name.
  std::vector<bool> is_held_out;             ///< As many as files.
};

/// What readFolderDataset reads, in its order, by names alone: a folder of millions of images costs their names.
base::Result<std::vector<FolderClass>> listFolderDataset(const base::DataConfig& config,
                                                         const std::stop_token& stop = {});

/// One of its images as training has it, uint8 [3, image_size, image_size].
base::Result<torch::Tensor> readCropped(const std::filesystem::path& file, std::int64_t image_size);

}  // namespace meanflow::core

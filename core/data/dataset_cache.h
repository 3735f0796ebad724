// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <string>

#include "core/data/dataset.h"

namespace meanflow::core {

/// File name of the finished set: a hash of the settings that shape it and of the file format.
std::string datasetCacheName(const base::DataConfig& config);

/// Reads a set written by writeDatasetCache and checks its checksum; the error says what is wrong with the file.
base::Result<ImageDataset> readDatasetCache(const std::filesystem::path& file);

/// Writes the set next to `file`, flushed, and renames it into place, so that readers see a whole file or none.
base::Result<void> writeDatasetCache(const std::filesystem::path& file, const ImageDataset& dataset);

}  // namespace meanflow::core

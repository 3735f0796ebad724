// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/torch.h>

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/base/result.h"

namespace meanflow::core {

/// Labelled images in memory, on the CPU, with a held-out part whose source pictures training never sees.
struct ImageDataset {
  std::vector<std::string> class_names;  ///< Label order.
  std::vector<bool> may_flip;            ///< By class: a mirrored image still belongs to it.
  torch::Tensor train_images;            ///< uint8 [N, 3, H, W]
  torch::Tensor train_labels;            ///< int64 [N]
  torch::Tensor test_images;             ///< uint8 [M, 3, H, W]
  torch::Tensor test_labels;             ///< int64 [M]
  std::vector<std::string> picture_ids;  ///< Source pictures: "clock/1F550", or a path relative to the folder.
  torch::Tensor train_pictures;          ///< int64 [N]: index into picture_ids
  torch::Tensor test_pictures;           ///< int64 [M]
  std::string checksum;                  ///< 16 hex digits over images, labels and names; equal data, equal checksum.

  std::int64_t numClasses() const { return static_cast<std::int64_t>(class_names.size()); }
};

/// uint8 images -> float32 in [0, 1].
torch::Tensor toUnitRange(const torch::Tensor& images);

/// The checksum that `dataset` should carry; empty where `stop` was asked for on the way.
std::string datasetChecksum(const ImageDataset& dataset, const std::stop_token& stop = {});

/// Checksum of emoji training data made by the default DataConfig from Debian 12's fonts-noto-color-emoji and
/// unicode-data: figures in the documentation were measured on exactly these bytes.
extern const char* const kReferenceEmojiChecksum;

/// $XDG_CACHE_HOME/meanflow-studio/data, with ~/.cache as the fallback.
std::filesystem::path datasetCacheFolder();

/// The data set that `config` describes. The emoji set is drawn once and then read from one checked file in
/// `cache_folder`, rebuilt when that is damaged; the run's seed has no influence on it. Errors name what is missing and
/// what to install, or the folder or image at fault. A stop is looked for between images and is an error too.
base::Result<ImageDataset> loadDataset(const base::DataConfig& config,
                                       const std::filesystem::path& cache_folder = datasetCacheFolder(),
                                       const std::stop_token& stop = {});

/// Draws the emoji set (a few seconds on one core). train_per_class and test_per_class images of each class.
base::Result<ImageDataset> buildEmojiDataset(const base::DataConfig& config, const std::stop_token& stop = {});

/// Reads config.path: one sub-folder per class, sorted by name; PNG and JPEG files, sorted by name; ADM centre crop to
/// image_size. A share `held_out` of each class becomes the test part. Classes are named after their folders;
/// ImageNet's synset folders by their words (imagenet_names.h).
base::Result<ImageDataset> readFolderDataset(const base::DataConfig& config, const std::stop_token& stop = {});

/// The error of a loading that somebody stopped.
base::Error loadingStopped();

/// Which of the pictures 0 .. groups.size() - 1 are held out: whole groups (equal strings), chosen by `seed`, a share
/// `held_out` of the groups, at least two and leaving at least one.
std::vector<bool> chooseHeldOut(const std::vector<std::string>& groups, double held_out, std::uint64_t seed);

}  // namespace meanflow::core

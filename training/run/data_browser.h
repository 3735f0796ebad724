// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/run/data_browse.h"
#include "core/base/run/run_folder.h"
#include "core/data/dataset.h"
#include "core/data/folder_listing.h"
#include "core/latents/rae_codec.h"

namespace meanflow::training {

/// Shows data sets to people: classes, images, what the newest decoder makes of them, latent statistics. Drawn sets are
/// kept in memory, of image folders the names alone; the autoencoder is loaded when first asked for and again when a
/// newer decoder has appeared. On the CPU, not thread-safe.
class DataBrowser {
 public:
  /// Never throws: what is wrong is said in the answer. `is_cancelled` is asked between batches.
  base::DataAnswer answer(
      const base::DataQuestion& question, const std::function<bool()>& is_cancelled = [] { return false; });

 private:
  /// An image of the part and class that was asked for.
  struct Picked {
    torch::Tensor image;  ///< uint8 [3, H, W]
    std::string source;
  };
  base::Result<void> openData(const base::DataConfig& config);
  void describeClasses(base::DataAnswer& answer) const;
  base::Result<std::vector<Picked>> pick(const base::DataQuestion& question, std::int64_t image_size) const;
  void reconstruct(const base::RunConfig& config, const std::optional<base::RunFolder>& folder,
                   const std::vector<Picked>& picked, const std::function<bool()>& is_cancelled,
                   base::DataAnswer& answer);

  std::string data_key_;  ///< The settings that what follows was opened with.
  std::optional<core::ImageDataset> drawn_;
  std::vector<core::FolderClass> listed_;
  std::string codec_key_;
  std::shared_ptr<core::RaeCodec> codec_;
};

/// Mean and standard deviation of every channel of [C, h, w] moments, over all positions: the variance of a channel is
/// the mean of its positions' variances plus the variance of their means.
struct ChannelMoments {
  std::vector<float> mean, std;
};
ChannelMoments channelMoments(const core::LatentMoments& moments);

}  // namespace meanflow::training

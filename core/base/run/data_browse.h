// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/image.h"

namespace meanflow::base {

/// What a person wants to see of a data set.
struct DataQuestion {
  std::string run_folder;   ///< Its settings and its decoder; empty: no run, `config` says which data.
  std::string config;       ///< YAML text, read when there is no run folder.
  std::int64_t label = -1;  ///< Whose images; -1: classes and counts alone.
  bool is_held_out = false;
  std::int64_t first = 0;  ///< Of the class's images in this part.
  int count = 0;
  bool wants_reconstructions = false;
};

/// What the data set holds. Images as training sees them before any augmentation: cropped, at the training size.
struct DataAnswer {
  std::string error;        ///< Not empty: there is no data at hand, and what to do.
  std::string description;  ///< "emoji, 32 px" or the folder.
  std::vector<std::string> class_names;
  std::vector<std::int64_t> num_training, num_held_out;  ///< By class.

  std::int64_t label = -1, first = 0;
  bool is_held_out = false;
  std::vector<std::shared_ptr<const Image8>> images;
  std::vector<std::string> sources;  ///< Which picture each comes from; several images may come from one.
  std::vector<std::shared_ptr<const Image8>> reconstructions;  ///< As many as images, or none.
  std::string decoder;             ///< What made them: "decoder step 500", or the named weights.
  std::string no_reconstructions;  ///< Why there are none although they were asked for.
  double psnr = 0;                 ///< Of the reconstructions shown, in dB; 0 without any.

  /// Latent statistics by channel, over all positions and images: mean, and standard deviation with that between
  /// positions in it. Empty with a reason when there are none.
  std::vector<float> channel_mean, channel_std;
  std::string statistics;     ///< Where they are from.
  std::string no_statistics;  ///< Why there are none.
};

}  // namespace meanflow::base
